"""
Who may open one more connection to the control socket: bounds by user, and places that are kept.

Each member of the group may connect, and none may shut the others out: a user has a bound of his own, and
some places are kept for root and for the manager's own user.
"""

import json
import os
from collections.abc import Callable
from typing import Any

from twisted.web.resource import IResource

from tscm.base.http_gate import Refusal
from tscm.base.http_site import BoundedChannel, BoundedSite, HttpBounds
from tscm.faces.peer import uid_of, user_name

BOUNDS = HttpBounds(
    body_bytes=8 << 20,  # a list of 100,000 entries with comments is pasted
    own_body_bytes=1 << 20,
    shared_body_bytes=32 << 20,
    head_seconds=5.0,
    request_seconds=30.0,
    connections=128,
    connections_per_address=64,
)
"""Of one user, where it says address.  Both ends are on this host: a head that takes 5 s is none."""
KEPT = 32
"""Of the connections: for root and the manager's own user."""
USAGE = 2
"""Exit status of errors that lie in what was asked, not in what became of it."""


class ControlChannel(BoundedChannel):
    """
    One connection; its user is known by its socket alone, so after it was accepted.
    """

    factory: "ControlSite"

    def connectionMade(self) -> None:
        """Take a place, or say that there is none."""
        super().connectionMade()
        peer = self.factory.take(self)
        if peer is not None:
            self.refuse(
                Refusal(
                    status=503,
                    sentence=(
                        f"too many open connections from {peer}; wait until some of them have "
                        "finished, and try again"
                    ),
                )
            )


class ControlSite(BoundedSite):
    """
    The socket's factory.  *uid* tells the number of the user at the other end of a transport.
    """

    protocol = ControlChannel

    def __init__(
        self, resource: IResource, reactor: Any, uid: Callable[[Any], int | None] = uid_of
    ) -> None:
        super().__init__(
            resource, BOUNDS, reactor, purpose="control interface", refusal_body=_refusal_body
        )
        self._uid = uid
        self._served_first = {user_name(one) for one in (0, os.geteuid())}

    def has_room(self, host: str) -> bool:
        """Looked at when the user is known."""
        del host
        return True

    def enter(self, channel: BoundedChannel, peer: str) -> None:
        """Likewise."""

    def take(self, channel: ControlChannel) -> str | None:
        """A place for *channel*; whose connection it is where there is none."""
        peer = user_name(self._uid(channel.transport))
        held = self.held()
        most = self.bounds.connections
        if peer in self._served_first:
            free = self.makes_room(peer, held, most, most)
        else:
            others = [one for one in held if one.peer not in self._served_first]
            left = min(most - KEPT, most - (len(held) - len(others)))
            free = self.makes_room(peer, others, left, self.bounds.connections_per_address)
        if free:
            super().enter(channel, peer)
            return None
        self.no_room(peer)
        return peer


def _refusal_body(sentence: str) -> tuple[bytes, bytes]:
    """A refusal of the listener's in the form of an error of a call."""
    told = {"error": {"sentence": f"control request: {sentence}", "exit_status": USAGE}}
    return b"application/json", json.dumps(told).encode()
