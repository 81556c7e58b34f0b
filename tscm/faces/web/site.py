"""
The page's listener: refusals of what cannot be read are JSON where a program asks, and a text where a browser does.
"""

import json
from collections.abc import Callable
from functools import cached_property

from attrs import evolve

from tscm.base.http_gate import Refusal
from tscm.base.http_site import BoundedChannel, BoundedRequest, BoundedSite, HttpBounds
from tscm.faces.web.api.answers import JSON, error_body

API = b"/api/"
_LISTS = b"POST /lists/"
MaySend = Callable[[BoundedRequest, str], bool]
"""May the sender of this head, at this address, send a text as long as a list?"""


def _no_one(request: BoundedRequest, address: str) -> bool:
    del request, address
    return False


class WebChannel(BoundedChannel):
    """
    One connection.  A body is as long as a form, or as a list where an operator edits one: strangers keep no memory.
    """

    factory: "WebSite"
    _is_long = False

    @property
    def bounds(self) -> HttpBounds:
        """Those of a form, or of a list."""
        return self.factory.bounds if self._is_long else self.factory.form_bounds

    def judge(self, request: BoundedRequest, length: int | None) -> Refusal | None:
        """See `BoundedChannel`."""
        if self.request_line.startswith(_LISTS) and not self.refused:
            address = str(getattr(self.getPeer(), "host", ""))
            self._is_long = self.factory.may_send_list(request, address)
        return super().judge(request, length)

    def too_long(self) -> Refusal:
        """See `BoundedChannel`: with the way that takes more."""
        if not self.request_line.startswith(_LISTS):
            return super().too_long()
        rest = "" if self._is_long else ", or the session has ended: go back and sign in again"
        return Refusal(
            status=413,
            sentence=(
                f"the text is not stored: it is longer than {self.bounds.body_bytes:,} bytes{rest}. "
                "Longer lists: tsadmin lists replace NAME --file FILE"
            ),
        )

    def refusal_body(self, sentence: str) -> tuple[bytes, bytes]:
        """Content type and body of a refusal."""
        target = self.request_line.partition(b" ")[2]
        if not target.startswith(API):
            return super().refusal_body(sentence)
        return JSON.encode(), json.dumps(error_body(sentence)).encode() + b"\n"


class WebSite(BoundedSite):
    """
    The listener's factory.
    """

    protocol = WebChannel
    entered_at = 0.0
    """When a connection came last, by the reactor's clock."""
    may_send_list: MaySend = staticmethod(_no_one)

    @cached_property
    def form_bounds(self) -> HttpBounds:
        """The bounds of every other request."""
        return evolve(self.bounds, body_bytes=self.bounds.own_body_bytes)

    def enter(self, channel: BoundedChannel, peer: str) -> None:
        """*channel* is open, and *peer*'s."""
        self.entered_at = self.reactor.seconds()
        super().enter(channel, peer)
