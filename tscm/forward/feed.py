"""
From a reader of the log to one connection after another, without a line lost between them.
"""

from attrs import define, field

from tscm.consumers.lag import Rate
from tscm.forward.content import Shape
from tscm.forward.link import Chunk
from tscm.forward.window import Piece, Window
from tscm.model import LogReader

BLOCK_BYTES = 64 << 10
EXTENT_BYTES = 4 << 20
_READ_ON_BYTES = 4 * BLOCK_BYTES  # where there is no extent, another is not asked for at once
MAX_PENDING_BYTES = 16 << 20


@define(eq=False)
class Feed:
    """
    What was read, what is on its way, and what is confirmed.

    The reader's position only ever moves forward; after a reset reading begins before it,
    and those lines are counted as repeated, not as sent.
    """

    reader: LogReader
    _shape: Shape
    _keep_bytes: int
    _keep_seconds: float
    _untouched: bool = False
    """Whether the target gets blocks just as they lie in the log, by a plain stream."""
    sent: int = field(default=0, init=False)
    repeated: int = field(default=0, init=False)
    altered: int = field(default=0, init=False)
    cut: int = field(default=0, init=False)
    rate: Rate = field(factory=Rate, init=False)
    _window: Window = field(init=False)
    _next: int = field(init=False)
    _counted: int = field(init=False)  # lines before this offset were confirmed earlier

    _read_until: int = field(default=0, init=False)
    _line_bytes: float = field(default=200.0, init=False)  # of a line, by the last block

    def __attrs_post_init__(self) -> None:
        self._next = self.reader.position.offset
        self.connection_started()

    def connection_started(self) -> None:
        """A connection begins."""
        self._window = Window(self._keep_bytes, self._keep_seconds)
        self._counted = self.reader.position.offset

    def connection_ended(self, *, reset: bool) -> None:
        """A connection is over; what it leaves in doubt goes to the next one."""
        self._next = self._window.resume_at(self.reader.position.offset, reset=reset)
        self.connection_started()

    def more(self, position: int) -> Chunk | None:
        """The next chunk of the log; None when there is none, or too much is on its way."""
        if self._window.pending_bytes >= MAX_PENDING_BYTES:
            return None
        if self._untouched and self._next >= max(self._counted, self._read_until):
            extent = self.reader.extent(self._next, EXTENT_BYTES)
            if extent is not None:
                size = extent.end - extent.start
                self._window.wrote(Piece(extent.start, extent.end, extent.lines, position + size))
                self._next = extent.end
                return Chunk(extent=extent)
            self._read_until = self._next + _READ_ON_BYTES
        block = self.reader.read(self._next, BLOCK_BYTES)
        if block is None:
            return None
        fresh = block.lines
        if block.start < self._counted:
            known = self._counted - block.start
            fresh = block.data.count(b"\n", known) if known < len(block.data) else 0
        chunk = self._shape(block, self.reader.origins)
        self._window.wrote(Piece(block.start, block.end, fresh, position + chunk.size))
        self._next = block.end
        self._line_bytes = len(block.data) / block.lines if block.lines else self._line_bytes
        self.repeated += block.lines - fresh
        self.altered += chunk.altered
        self.cut += chunk.cut
        return chunk

    def read_only(self) -> None:
        """Blocks are to be read from now on: the kernel could not send one itself."""
        self._untouched = False

    def confirm_sent(self, position: int, now: float) -> bool:
        """
        Confirm what has left this host by *position* of the connection; whether anything had.

        Raises `OSError` where the position cannot be made durable; the lines then go again
        after the next start, for the piece is gone from the window.
        """
        passed = self._window.acknowledge(position, now)
        if passed is None:
            return False
        if passed.offset > self.reader.position.offset:
            self.reader.confirm(passed.offset, sent=passed.lines)
            self.sent += passed.lines
            self.rate.note(self.sent, now)
        return True

    @property
    def waiting(self) -> int:
        """About how many lines `more` has still to give."""
        return int(max(0, self.reader.end - self._next) / self._line_bytes)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return self._window.idle

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait, those on their way included."""
        return max(0, self.reader.end - self.reader.position.offset)
