"""
One connection to the log service: a request, its answer, the end; within bounds of time and places.
"""

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure
from twisted.web.resource import Resource

from tscm import upload_format
from tscm.base.http_gate import Refusal
from tscm.base.http_places import Held
from tscm.base.http_site import BoundedChannel, BoundedSite, HttpBounds
from tscm.services.places import Place, PlaceBounds, Places, network_of
from tscm.services.registry import plain_address

PLACES = PlaceBounds(most=256, by_address=64, strangers=64, by_stranger=8)
"""
Who has shown a device's key counts no longer among the strangers, whatever address it comes from.
"""
BOUNDS = HttpBounds(head_bytes=16384, head_seconds=20.0, request_seconds=20.0, taken_seconds=60.0)
_LOOK_SECONDS = 15.0
_GRACE_SECONDS = 60.0
_SLOWEST = 4096


def is_too_slow(taken: int, seconds: float) -> bool:
    """
    Whether a content of which *taken* bytes came in *seconds* is slower than any line that is in use.

    Slower than 4 KB a second, after a minute in which nothing is asked for.
    """
    return taken < (seconds - _GRACE_SECONDS) * _SLOWEST


class UploadChannel(BoundedChannel):
    """
    One connection; its request is an `UploadRequest`.
    """

    factory: "UploadSite"
    place: Place
    given_up = False
    """Whether the request will be refused: how, a look at the entries may have to tell first."""
    _taking: Any = None
    _taken: Callable[[], int]
    _begun = 0.0
    _passed_over = 0

    def dataReceived(self, data: bytes) -> None:
        """After a refusal as much is passed over as a peer may still have on its way."""
        if not self.refused:
            super().dataReceived(data)
            return
        self._passed_over += len(data)
        if self._passed_over > upload_format.MAX_CONTENT_BYTES:
            self.abort()

    @property
    def deaf(self) -> bool:
        """As `BoundedChannel` says; also before the refusal is told."""
        return self.refused or self.given_up

    def take_content(self, taken: Callable[[], int]) -> None:
        """The head was good: the content has its own time, by *taken*, the bytes that came."""
        self.factory.places.recognise(self.place)
        self._end_after(None)
        self._taken, self._begun = taken, self.factory.reactor.seconds()
        self._look_again()

    @property
    def shown(self) -> bool:
        """Whether a request that was not refused has come, or its content comes: it makes room for no other."""
        return self._taking is not None or (self.whole and not self.refused)

    def _look_again(self) -> None:
        self._taking = self.factory.reactor.callLater(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._taking = None
        if is_too_slow(self._taken(), self.factory.reactor.seconds() - self._begun):
            self.refuse(Refusal(status=408, sentence="the content arrived too slowly"))
        else:
            self._look_again()

    def allContentReceived(self) -> None:
        """The request is whole."""
        self._end_looking()
        super().allContentReceived()

    def refuse(self, refusal: Refusal) -> None:
        """Say why, and hang up; a peer in the midst of its content has a little time to hear it."""
        self._end_looking()
        super().refuse(refusal)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Over."""
        self._end_looking()
        super().connectionLost(reason)

    def _end_looking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None


class UploadSite(BoundedSite):
    """
    The listener's factory; *registers* tells whether an address has an entry.
    """

    protocol = UploadChannel

    def __init__(
        self, request: Callable[..., Any], registers: Callable[[str], bool], reactor: Any
    ) -> None:
        super().__init__(
            Resource(), BOUNDS, reactor, purpose="log service", refusal_body=_refusal_body
        )
        self.requestFactory = request  # type: ignore[assignment]
        self.places = Places(PLACES)
        self._registers = registers
        self._next: Place | None = None

    def has_room(self, host: str) -> bool:
        """Take a place for the connection that comes next."""
        address = plain_address(host)
        known = self._registers(address)
        self._next = self.places.take(address, known=known)
        if self._next is None and self._one_leaves(address, known=known):
            self._next = self.places.take(address, known=known)
        return self._next is not None

    def _one_leaves(self, address: str, *, known: bool) -> bool:
        """
        End a connection that has shown nothing, of those that take the place of one more of *address*.

        A stranger's place is taken by strangers alone; who stands behind a translated address with others, or
        comes from one that has no entry, must not be shut out by connections that say nothing.
        """
        rivals: list[Held[BoundedChannel]] = [
            Held(
                channel, network_of(channel.place.address, known=channel.place.known), channel.shown
            )
            for channel in self._open
            if isinstance(channel, UploadChannel) and (known or not channel.place.known)
        ]
        bounds = self.places.bounds.of(known=known)
        return self.makes_room(network_of(address, known=known), rivals, *bounds)

    def ended(self, channel: BoundedChannel) -> None:
        """It is gone, or as good as gone: its place is free."""
        if isinstance(channel, UploadChannel):
            self.places.leave(channel.place)
        super().ended(channel)

    def buildProtocol(self, addr: Any) -> Any:
        """A channel; None where there is no room."""
        channel = super().buildProtocol(addr)
        if channel is not None:
            channel.place = self._next
        return channel


def _refusal_body(sentence: str) -> tuple[bytes, bytes]:
    return b"application/json", upload_format.error_body(sentence)
