"""
What is paired with a running manager: the portals that it follows, and the managers that follow it.
"""

from tscm.manager.node import Manager
from tscm.pairing.absence import followed_portals
from tscm.pairing.figures import FollowedPortal, PairedManager


def portals_of(manager: Manager) -> tuple[FollowedPortal, ...]:
    """The portals of its paired devices."""
    follower = manager.follower()
    return () if follower is None else followed_portals(follower.bonds())


def managers_of(manager: Manager) -> tuple[PairedManager, ...]:
    """The managers that follow its portal."""
    listener = manager.pairing()
    return () if listener is None else listener.paired()
