"""
Messages by which a firewall tells that its groups may not be what they were.

A reload can lose nested groups (docs/develop/asa.md, section 5), a failover puts another unit's configuration in
force, and an agent that dies breaks a push off.  Cisco ASA Series Syslog Messages.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen


class Kind(StrEnum):
    """What the groups may have gone through."""

    LEAVING = "leaving"
    """A reload is about to begin: the unit still runs, and is gone in a moment."""
    BACK = "back"
    """Another configuration may be in force from now on."""
    AGENT = "agent"
    """The configuration stays; what the agent was at is interrupted."""


@frozen
class Upheaval:
    """
    One message: its *kind*, and in *words* what the firewall said.
    """

    kind: Kind
    words: str


UPHEAVALS: Mapping[str, Upheaval] = {
    "199001": Upheaval(Kind.LEAVING, "it reloads"),
    "199006": Upheaval(Kind.LEAVING, "it reloads"),
    "199005": Upheaval(Kind.BACK, "it starts"),
    "199002": Upheaval(Kind.BACK, "it has started"),
    "104001": Upheaval(Kind.BACK, "a unit of the pair became active"),
    "104002": Upheaval(Kind.BACK, "a unit of the pair became standby"),
    "342001": Upheaval(Kind.AGENT, "its REST API agent has started"),
    "342002": Upheaval(Kind.AGENT, "its REST API agent failed"),
    "342003": Upheaval(Kind.AGENT, "its REST API agent failed and is started again"),
    "342004": Upheaval(
        Kind.AGENT,
        "its REST API agent failed for good: enter `no rest-api agent`, then `rest-api agent` on it",
    ),
}
"""By the six digits of their tag."""
