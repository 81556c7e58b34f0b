"""
What was written to one connection: what is still on its way, and what may have to go again.

No socket here: stream positions in, offsets of the log out.
"""

from collections import deque

from attrs import define, field, frozen


@frozen
class Piece:
    """
    A stretch of the log as it was written to a connection.

    *lines* counts only those that no earlier connection had confirmed, so that nothing
    sent a second time is counted a second time.  *stream_end* is the connection's byte count
    after its last byte.
    """

    start: int
    end: int
    lines: int
    stream_end: int


@frozen
class Passed:
    """
    How far the log has left this host: what the reader may confirm.
    """

    offset: int
    lines: int


@define(eq=False)
class Window:
    """
    The pieces of one connection, oldest first.

    A piece is *pending* until the peer's kernel has acknowledged its last byte, and *kept* for a
    while after that, because a reset tells that the peer's program may not have read it.
    What is older than *keep_seconds* leaves only when something newer is acknowledged: while a
    peer reads nothing, time proves nothing.
    """

    keep_bytes: int
    keep_seconds: float
    pending_bytes: int = field(default=0, init=False)
    _pending: deque[Piece] = field(factory=deque, init=False)
    _kept: deque[tuple[float, Piece]] = field(factory=deque, init=False)
    _kept_bytes: int = field(default=0, init=False)

    def wrote(self, piece: Piece) -> None:
        """Note a piece that is handed to the connection."""
        self._pending.append(piece)
        self.pending_bytes += piece.end - piece.start

    def acknowledge(self, stream_position: int, now: float) -> Passed | None:
        """
        Everything up to *stream_position* has left; what may be confirmed, if anything is new.
        """
        lines, last = 0, None
        while self._pending and self._pending[0].stream_end <= stream_position:
            last = self._pending.popleft()
            lines += last.lines
            self.pending_bytes -= last.end - last.start
            self._kept.append((now, last))
            self._kept_bytes += last.end - last.start
        if last is None:
            return None
        self._forget(now)
        return Passed(last.end, lines)

    def _forget(self, now: float) -> None:
        while self._kept and (
            self._kept_bytes > self.keep_bytes or self._kept[0][0] < now - self.keep_seconds
        ):
            _, piece = self._kept.popleft()
            self._kept_bytes -= piece.end - piece.start

    def resume_at(self, confirmed: int, *, reset: bool) -> int:
        """
        The offset from which the next connection has to send.

        After a *reset* that is before the confirmed position, by what is kept.
        """
        if reset and self._kept:
            return min(confirmed, self._kept[0][1].start)
        return confirmed

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._pending
