"""
The page's listener: refusals of what cannot be read are JSON where a program asks, and a text where a browser does.
"""

import json

from tscm.base.http_site import BoundedChannel, BoundedSite
from tscm.faces.web.api.answers import JSON, error_body

API = b"/api/"


class WebChannel(BoundedChannel):
    """
    One connection.
    """

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

    def enter(self, channel: BoundedChannel, peer: str) -> None:
        """*channel* is open, and *peer*'s."""
        self.entered_at = self.reactor.seconds()
        super().enter(channel, peer)
