"""
One reader's way through one device's log.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define, evolve, field

from tscm.model import Block, Extent, Origin, Position, Stretch
from tscm.spool.catalogue import Segment
from tscm.spool.compress import CompressedDamaged, CompressedText
from tscm.spool.cursor import LOST, Cursor, encode_cursor, slot_of
from tscm.spool.disk import CREATE
from tscm.spool.extents import plain_stretch, run_end
from tscm.spool.origins import IndexedLog, OriginTable
from tscm.spool.sums import line_ends
from tscm.spool.text import SegmentText, open_text
from tscm.syslog.escape import INTRODUCER

_MARKS_MAX = 4096
_BLOCK_MIN = 4096
_LAST_BYTES = 64 << 10


class ReadableLog(IndexedLog, Protocol):
    """
    What a reader asks of a device's log (`tscm.spool.log`).
    """

    name: str

    def lines_before(self, offset: int) -> int | None:
        """Lines of the log before *offset*; None where that cannot be told."""

    def missing_between(self, start: int, end: int) -> tuple[int, int]:
        """Lines that are gone between two offsets, and the cause that took the most."""

    def gone_segments(self, start: int, end: int) -> Iterable[Segment]:
        """What lies between two offsets, as long as it is gone or was passed."""

    def sent_after_expiry(self, cursor: Cursor, lines: int) -> tuple[int, int]:
        """How much of what counts as expired was sent all the same: as a number below zero."""

    def wait_for_more(self, reader: "DeviceReader", notice: Callable[[], None]) -> None:
        """Call *notice* once, when there is more."""

    def repair(self) -> bool:
        """Repair what another process did to the live file; whether there was anything."""

    def segment_missing(self, segment: Segment) -> None:
        """Note that a segment's file is not there."""

    def read_failed(self, error: OSError) -> None:
        """Count a read that the disk refused."""


@define(eq=False)
class DeviceReader:
    """
    A `model.LogReader`: blocks out, confirmed offsets in.

    `read` does not move anything: it may be called far ahead of what is confirmed, and again
    from the confirmed position after a fault.
    """

    _log: ReadableLog
    name: str
    cursor: Cursor
    device: str = field(init=False)
    _fd: int = field(default=-1, init=False)
    used: bool = field(default=False, init=False)
    """Whether the position's file was used since others asked for room (`tscm.spool.open_files`)."""
    _text: SegmentText | CompressedText | None = field(default=None, init=False)
    _marks: dict[int, int] = field(factory=dict, init=False)
    """Lines of the log before offsets that blocks started or ended at."""
    _read_to: int = field(default=0, init=False)
    _expired_in_flight: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _position: tuple[Cursor, Position] = field(init=False)
    """The cursor as it was told last: asked for more often than it moves."""
    _origins: OriginTable = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.device = self._log.name
        self._position = (self.cursor, self.cursor.position)
        self._origins = OriginTable(self._log)

    @property
    def position(self) -> Position:
        """The confirmed position: everything before it needs no more work."""
        cursor = self.cursor
        if self._position[0] is not cursor:
            self._position = (cursor, cursor.position)
        return self._position[1]

    @property
    def end(self) -> int:
        """The log's present end; `end - position.offset` bytes wait."""
        return self._log.live.end

    # -- reading --------------------------------------------------------------

    def read(self, offset: int, max_bytes: int, *, sealed_only: bool = False) -> Block | None:
        """
        Whole lines from *offset* on, at most about *max_bytes*, out of one segment.

        None when there are none, or when the disk does not give them: then the fault is
        counted, and the reader that waits in `when_more` is told to try again.
        """
        live = self._log.live
        try:
            while not self._closed and offset < live.end:
                if offset >= live.base:
                    self._drop_text()
                    if sealed_only:
                        return None
                    block = self._read_live(offset, max_bytes)
                    if block is not None or not self._log.repair():
                        return block
                    continue
                block, offset = self._read_sealed(offset, max_bytes)
                if block is not None:
                    return block
                if self._read_to <= self.cursor.offset:  # nothing on its way that was before it
                    self.skip_missing(offset)
        except OSError as error:
            self._drop_text()
            self._log.read_failed(error)
        return None

    def origins(self, start: int, end: int) -> list[Origin]:
        """
        Who sent the lines of a block and when they came, by the index, without a gap.

        A disk that does not give the index costs what it would have told, and is counted.
        """
        try:
            return self._origins.between(start, end)
        except OSError as error:
            self._log.read_failed(error)
            return [Origin(start=start, end=end)]

    def extent(self, offset: int, max_bytes: int) -> Extent | None:
        """
        Whole lines without escapes, in a sealed segment, for the kernel to send.

        None where there are none, or where `read` has to do.
        """
        log = self._log
        if self._closed or offset >= log.live.base:
            return None
        try:
            segment = log.segment_at(offset)
            if segment.gone:
                return None
            text = self._text
            if text is None or text.start != segment.start:
                self._drop_text()
                text = self._text = open_text(log.live.disk, log.live.folder, segment.start)
            at = offset - segment.start
            runs = self._origins.runs_of(segment.start)
            found = plain_stretch(runs, at, min(max_bytes, segment.end - offset))
            if found is None or not isinstance(text, SegmentText) or found[0] > text.size:
                return None
            end, lines = segment.start + found[0], found[1]
            before = self._marks.get(offset)
            if before is None:
                before = log.lines_before(offset)
            if before is None:
                return None
            descriptor = text.duplicate()
        except OSError:
            return None  # `read` says what it is
        self._mark(offset, before)
        self._mark(end, segment.lines_end if end == segment.end else before + lines)
        self._read_to = max(self._read_to, end)
        return Extent(start=offset, end=end, lines=lines, descriptor=descriptor, at=at)

    def stretch(self, offset: int, max_bytes: int) -> Stretch | None:
        """
        Whole lines from *offset* on, about *max_bytes*, for another process to read from the file.

        None where there are none, or where `read` has to do: nothing is looked at but the index.
        """
        log, live = self._log, self._log.live
        if self._closed or offset >= live.end:
            return None
        try:
            if offset >= live.base:
                base, end, lines, inode = live.base, live.end, live.lines, live.number
            else:
                segment = log.segment_at(offset)
                if segment.gone:
                    return None
                base, end, lines, inode = segment.start, segment.end, segment.lines_end, 0
            if end - offset > max_bytes:
                runs = self._origins.runs_from(base, offset - base)
                found = run_end(runs, offset - base, max_bytes, end - base, lines)
                if found is None:
                    return None
                end, lines = base + found[0], found[1]
            before = self._marks.get(offset)
            if before is None:
                before = log.lines_before(offset)
            if before is None or lines < before:
                return None
        except OSError:
            return None  # `read` says what it is
        self._mark(offset, before)
        self._mark(end, lines)
        self._read_to = max(self._read_to, end)
        return Stretch(
            start=offset,
            end=end,
            lines=lines - before,
            folder=str(live.folder.path.absolute()),
            base=base,
            inode=inode,
        )

    def _mark(self, offset: int, lines: int) -> None:
        self._marks[offset] = lines
        if len(self._marks) > _MARKS_MAX:
            del self._marks[next(iter(self._marks))]

    def _read_live(self, offset: int, max_bytes: int) -> Block | None:
        """None where the file does not hold what was written: another process has truncated it."""
        live = self._log.live
        at, size = offset - live.base, live.end - offset
        wanted = min(max(max_bytes, 1), size)
        data = live.disk.read_at(live.fd, wanted, at)
        while (cut := data.rfind(b"\n") + 1) == 0 and len(data) < size:
            more = live.disk.read_at(live.fd, min(len(data) + _BLOCK_MIN, size), at)
            if len(more) <= len(data):
                return None
            data = more
        return self._block(offset, data[:cut], None) if cut and b"\0" not in data else None

    def _read_sealed(self, offset: int, max_bytes: int) -> tuple[Block | None, int]:
        """A block, or the offset from which on there may be one."""
        log = self._log
        segment = log.segment_at(offset)
        if segment.gone:
            return None, segment.end
        try:
            text = self._text
            if text is None or text.start != segment.start:
                self._drop_text()
                text = self._text = open_text(log.live.disk, log.live.folder, segment.start)
            at, size = offset - segment.start, segment.end - offset
            wanted = min(max(max_bytes, 1), size)
            data = text.read(wanted, at)
            while (cut := data.rfind(b"\n") + 1) == 0 and wanted < size:
                wanted = min(wanted * 2 + _BLOCK_MIN, size)
                data = text.read(wanted, at)
        except FileNotFoundError:
            log.segment_missing(segment)
            return None, segment.end
        except CompressedDamaged as error:  # all were past it before it was compressed
            log.read_failed(error)
            return None, segment.end
        if not cut:  # the text is shorter than it was: the rest of it is lost
            return None, segment.end
        return self._block(offset, data[:cut], segment.end), offset + cut

    def _block(self, offset: int, data: bytes, segment_end: int | None) -> Block:
        lines = line_ends(data)
        end = offset + len(data)
        marks = self._marks
        before = marks.get(offset)
        if before is None:
            before = self._log.lines_before(offset)
            if before is not None:
                marks[offset] = before
        if end == segment_end:
            marks[end] = self._log.segment_at(offset).lines_end
        elif before is not None:
            marks[end] = before + lines
        if len(marks) > _MARKS_MAX:
            del marks[next(iter(marks))]
        self._read_to = max(self._read_to, end)
        return Block(
            device=self.device,
            start=offset,
            end=end,
            data=data,
            lines=lines,
            escaped=INTRODUCER in data,
        )

    def last_line(self) -> Block | None:
        """
        The newest line of the log, to look at: it is not counted, and no position may be confirmed by it.

        None where the live log is empty, the line is longer than 64 KB, or the disk does not give it.
        """
        live = self._log.live
        size = min(live.end - live.base, _LAST_BYTES)
        if self._closed or not size:
            return None
        try:
            data = live.disk.read_at(live.fd, size, live.end - live.base - size)
        except OSError as error:
            self._log.read_failed(error)
            return None
        begin = data.rfind(b"\n", 0, -1) + 1
        whole = begin > 0 or size == live.end - live.base
        line = data[begin:]
        if not whole or len(data) < size or not line.endswith(b"\n") or b"\0" in line:
            return None
        return Block(
            device=self.device,
            start=live.end - len(line),
            end=live.end,
            data=line,
            lines=1,
            escaped=INTRODUCER in line,
        )

    # -- confirming -----------------------------------------------------------

    def confirm(self, offset: int, *, sent: int, not_selected: int = 0) -> None:
        """
        Move the position to *offset*, counting the lines passed.  Durable on return.

        Lines in between that the log had lost are counted as expired.  An offset that
        retention has overtaken changes nothing, nor does one of a reader that was dropped.  Raises `ValueError` for one behind the log's
        end, `OSError` where the cursor cannot be written (the old one then still holds).
        """
        cursor = self.cursor
        if self._closed or offset < cursor.offset:
            return
        if offset > self.end or sent < 0 or not_selected < 0:
            raise ValueError(
                f"no position: offset {offset}, {sent} sent, {not_selected} not selected"
            )
        lines = self._marks.get(offset)
        if lines is None:
            lines = self._log.lines_before(offset)
        missing = 0 if lines is None else lines - cursor.passed - sent - not_selected
        expired = 0
        cause = LOST
        if missing > 0:
            gone, cause = self._log.missing_between(cursor.offset, offset)
            expired = min(missing, gone)
        elif missing < 0:  # retention counted lines as expired that were on their way
            expired, cause = self._log.sent_after_expiry(
                cursor, min(-missing, self._expired_in_flight)
            )
        self._save(cursor.moved(offset, sent, not_selected, (cause, expired)))
        self._expired_in_flight = 0
        marks = self._marks
        for at in list(marks):
            if at >= offset:
                break
            del marks[at]
        if lines is not None:
            marks[offset] = lines

    def skip_missing(self, offset: int) -> None:
        """
        Move on to *offset*, from which on there is text again; what lies before has expired.
        """
        cursor = self.cursor
        if offset <= cursor.offset:
            return
        for segment in self._log.gone_segments(cursor.offset, offset):
            lines = max(0, segment.lines_end - cursor.passed)
            if self._read_to > cursor.offset:
                self._expired_in_flight += lines
            cursor = cursor.moved(segment.end, 0, 0, (segment.cause, lines))
        if cursor.offset != self.cursor.offset:
            self._save(cursor)

    def _save(self, cursor: Cursor) -> None:
        cursor = evolve(cursor, sequence=self.cursor.sequence + 1)  # never over the good slot
        try:
            self._write(cursor)
        except OSError:  # the folder's volume may have been repaired and mounted again meanwhile
            self._close_file()
            self._write(cursor)
        self.cursor = cursor

    def _write(self, cursor: Cursor) -> None:
        disk = self._log.live.disk
        if self._fd < 0:
            files = self._log.live.catalogue.files
            if files is not None:
                files.make_room()
            self._fd = disk.open(self._log.live.folder.cursor(self.name), CREATE)
            if files is not None:
                files.opened(self)
        self.used = True
        disk.write_all(self._fd, encode_cursor(cursor), slot_of(cursor))

    def save(self) -> None:
        """Write the cursor as it is, for a reader that is new or whose file another process took."""
        self._close_file()
        self._save(self.cursor)

    # -- the rest -------------------------------------------------------------

    def when_more(self, notice: Callable[[], None]) -> None:
        """Call *notice* once, in the reactor thread, after the next append or seal."""
        if not self._closed:
            self._log.wait_for_more(self, notice)

    def waiting_lines(self) -> int:
        """
        Lines behind the position as the log itself tells them; where it cannot, by the counts.
        """
        offset = self.cursor.offset
        before = self._marks.get(offset)
        if before is None:
            before = self._log.lines_before(offset)
            if before is None:
                before = self.cursor.passed
            else:
                self._marks[offset] = before
        return self._log.live.lines - before

    def close(self) -> None:
        """Read no more; the position stays where it is."""
        self._closed = True
        self._drop_text()
        self._close_file()

    def park(self) -> bool:
        """Close the position's file until it is written again."""
        self._close_file()
        return True

    def _close_file(self) -> None:
        files = self._log.live.catalogue.files
        if files is not None:
            files.closed(self)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                self._log.live.disk.close(fd)

    def _drop_text(self) -> None:
        if self._text is not None:
            self._text.close()
            self._text = None
