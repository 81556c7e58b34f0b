"""
What is left of a live text that another process truncated: looked for once, from its start to its end.

A line of the log holds no NUL, for that one is escaped (`tscm.syslog.escape`); so NULs, and what was never
written, are the hole.  Whole lines in front of it stay where they are, and what stands behind it is copied.  Of gigabytes a
thread does this while lines go on being appended, and once more for what came meanwhile, until the rest is small.
"""

from attrs import define, field, frozen

from tscm.spool.copying import Apart
from tscm.spool.live import LiveLog
from tscm.spool.sums import line_ends
from tscm.spool.text import CHUNK_BYTES, written


@frozen
class Hole:
    """
    What is gone of a live text: from *start* up to *end*.

    *before*, *lost* and *behind*: lines that stand in front of it, stood in it, and stand behind it.
    """

    start: int
    end: int
    before: int
    lost: int
    behind: int


@define(eq=False)
class Survey(Apart):
    """
    The first *size* bytes of the live text that began at *base*; what stands behind the hole is in the file at *path*.
    """

    _start: int = field(default=0, init=False)
    """Where the last whole line in front of the hole ends."""
    _end: int = field(default=0, init=False)
    """Where the hole ends; 0: none was found."""
    _before: int = field(default=0, init=False)
    _behind: int = field(default=0, init=False)

    def hole(self, lines: int) -> Hole | None:
        """
        What is gone of a text that had so many *lines*.

        A line that was cut in two belongs to it; so does text between two holes.
        """
        if not self._end:
            return None
        lost = max(0, lines - self._before - self._behind)
        return Hole(self._start, self._end, self._before, lost, self._behind)

    def fits(self, live: LiveLog) -> bool:
        """
        Is it of the text that is live now, and was that not truncated once more?  Raises `OSError`.

        A truncation leaves nothing, or NULs, of all that stood behind its place.
        """
        ends = [self._start] if self._end == self.size else [self._start, self.size]
        return super().fits(live) and all(
            self.disk.pread(live.fd, 1, end - 1).strip(b"\0") for end in ends if end
        )

    def extend_apart(self, size: int) -> None:
        """`extend` for a thread; a rename that replaces nothing waits for no disk."""
        self.extend(size)

    def extend(self, size: int) -> None:
        """Survey on up to *size* bytes.  Blocks.  Raises `OSError`."""
        self.open()
        for begin, end in written(self.disk, self._source, self.size, size):
            if self.size < begin:
                self._hole_until(begin)
            while self.size < end:
                data = self.disk.read_at(self._source, min(CHUNK_BYTES, end - self.size), self.size)
                if not data:  # it was cut meanwhile
                    break
                self._take(data)
        if self.size < size:
            self._hole_until(size)

    def _take(self, data: bytes) -> None:
        first = data.find(b"\0")
        if first < 0 and not self._end:
            self._in_front(data)
        elif first < 0:
            self._add_behind(data)
        else:
            if not self._end:
                self._in_front(data[:first])
            behind = data.rfind(b"\0") + 1
            self._hole_until(self.size + behind)
            data = data[behind:]
            self._add_behind(data)
        self.size += len(data)

    def _in_front(self, data: bytes) -> None:
        self._before += line_ends(data)
        whole = data.rfind(b"\n") + 1
        if whole:
            self._start = self.size + whole

    def _hole_until(self, end: int) -> None:
        if self._end and self._end < self.size:
            self.disk.truncate(self._fd, 0)
        self._end, self.size, self._behind = end, end, 0

    def _add_behind(self, data: bytes) -> None:
        if data:
            self._behind += line_ends(data)
            self.disk.write_all(self._fd, data, self.size - self._end)
