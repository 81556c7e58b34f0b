"""
A device's log in memory, with the contract of `tscm.model.LogReader`.
"""

import bisect
from collections.abc import Callable

from attrs import define, evolve, field

from tscm.model import Block, Extent, Origin, Position, Stretch


@define(eq=False, slots=False)
class MemoryLog:
    """
    One reader's view of a log that tests append to, seal and expire.
    """

    device: str = "fw"
    name: str = "forward"
    position: Position = field(factory=Position)
    confirms: list[tuple[int, int, int]] = field(factory=list, init=False)
    _base: int = field(default=0, init=False)  # retention took what lies before
    _data: bytearray = field(factory=bytearray, init=False)
    _sealed: int = field(default=0, init=False)
    _notices: list[Callable[[], None]] = field(factory=list, init=False)

    @property
    def end(self) -> int:
        return self._base + len(self._data)

    def append(self, *lines: bytes) -> None:
        for line in lines:
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1
            self._data += line
        self._tell()

    def append_block(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        self._data += data
        self._tell()

    def seal(self) -> bool:
        new = self._sealed < self.end
        self._sealed = self.end
        if new:
            self._tell()
        return new

    def expire(self, offset: int) -> None:
        """Retention takes what lies before *offset*, a line's start."""
        gone = bytes(self._data[: offset - self._base])
        lost = gone[max(0, self.position.offset - self._base) :].count(b"\n")
        del self._data[: offset - self._base]
        self._base = offset
        if self.position.offset < offset:
            self.position = evolve(
                self.position, offset=offset, expired=self.position.expired + lost
            )

    def read(self, offset: int, max_bytes: int, *, sealed_only: bool = False) -> Block | None:
        start = max(offset, self._base)
        limit = self._sealed if sealed_only else self.end
        if start >= limit:
            return None
        data = bytes(self._data[start - self._base : min(limit, start + max_bytes) - self._base])
        cut = data.rfind(b"\n") + 1
        if not cut:
            at = self._data.index(b"\n", start - self._base) + 1
            data = bytes(self._data[start - self._base : at])
            cut = len(data)
        data = data[:cut]
        return Block(
            device=self.device,
            start=start,
            end=start + cut,
            data=data,
            lines=data.count(b"\n"),
            escaped=b"\x10" in data,
        )

    def last_line(self) -> Block | None:
        data = bytes(self._data[self._sealed - self._base :])
        if not data:
            return None
        line = data[data.rfind(b"\n", 0, -1) + 1 :]
        return Block(
            device=self.device,
            start=self.end - len(line),
            end=self.end,
            data=line,
            lines=1,
            escaped=b"\x10" in line,
        )

    def confirm(self, offset: int, *, sent: int, not_selected: int = 0) -> None:
        assert self.position.offset <= offset <= self.end
        passed = bytes(self._data[self.position.offset - self._base : offset - self._base])
        assert passed.count(b"\n") == sent + not_selected, "a reader must count what it passes"
        self.confirms.append((offset, sent, not_selected))
        self.position = Position(
            offset=offset,
            sent=self.position.sent + sent,
            not_selected=self.position.not_selected + not_selected,
            expired=self.position.expired,
        )

    def when_more(self, notice: Callable[[], None]) -> None:
        self._notices.append(notice)

    def extent(self, offset: int, max_bytes: int) -> Extent | None:
        return None

    def stretch(self, offset: int, max_bytes: int) -> Stretch | None:
        return None

    def waiting_lines(self) -> int:
        return bytes(self._data[self.position.offset - self._base :]).count(b"\n")

    def origins(self, start: int, end: int) -> list[Origin]:
        return [Origin(start=start, end=end, sender="192.0.2.1", received_at=1000.0)]

    def _tell(self) -> None:
        notices, self._notices = self._notices, []
        for one in notices:
            one()


def line_starts(data: bytes) -> list[int]:
    """Offsets at which lines begin."""
    return [0, *(at + 1 for at, one in enumerate(data) if one == 10)][:-1]


def line_start_before(data: bytes, offset: int) -> int:
    starts = line_starts(data)
    return starts[max(0, bisect.bisect_right(starts, offset) - 1)]
