"""
A body on its way to a consumer.
"""

from twisted.internet.interfaces import IPullProducer
from twisted.web.server import Request
from zope.interface import implementer

_PIECE = 1 << 16


@implementer(IPullProducer)
class Pieces:
    """A body in pieces, each when the one before it is on its way."""

    def __init__(self, request: Request, content: bytes) -> None:
        self._request = request
        self._content = memoryview(content)
        self._at = 0

    def begin(self) -> None:
        """Send; small bodies at once."""
        if len(self._content) <= _PIECE:
            self._request.write(bytes(self._content))
            self._request.finish()
        else:
            self._request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The next piece; the end after the last."""
        self._request.write(bytes(self._content[self._at : self._at + _PIECE]))
        self._at += _PIECE
        if self._at >= len(self._content):
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        """The peer is gone."""
        self._at = len(self._content)
