"""
One device's log with its readers: what stands between the live end and the service.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.spool.catalogue import CatalogueDamaged, Segment
from tscm.spool.copying import Apart
from tscm.spool.cursor import AGE, CAUSES, LOST, Cursor
from tscm.spool.figures import LogFigures, LogGlance, ReaderFigures
from tscm.spool.glance import Glance, TakesLong
from tscm.spool.intact import REPAIRED_AT_ONCE, make_whole
from tscm.spool.live import LiveLog
from tscm.spool.reader import DeviceReader
from tscm.spool.recovery import rebuild_list
from tscm.spool.text import LiveText, count_lines, open_text


def _nothing() -> None:
    pass


_FAULT_SECONDS = 60.0
"""A fault of the disk that did not come again for so long is over."""


@define(eq=False)
class DeviceLog:
    """
    Sealed segments, live end and readers of one device.
    """

    _log: ClassVar[Logger] = Logger()

    name: str
    live: LiveLog
    readers: dict[str, DeviceReader] = field(factory=dict, init=False)
    damaged_segments: int = field(default=0, init=False)
    swept: bool = field(default=False, init=False)
    """Whether files that an earlier stop left behind were looked for."""
    closed: bool = field(default=False, init=False)
    sealed_at: float = field(default=float("-inf"), init=False)
    """When the last seal was, by the reactor's clock."""
    on_mended: Callable[[], None] = field(default=_nothing, init=False)
    """Called when the live segment begins elsewhere, for its time to be watched."""
    on_large: Callable[[], None] | None = field(default=None, init=False)
    """Called when much of a live file has to be read; what is made of it comes with `mend`.  None: it is read at once."""
    copying: Apart | None = field(default=None, init=False)
    """What is being made of it; no other look is taken meanwhile."""
    read_faults: int = field(default=0, init=False)
    retry_notices: bool = field(default=False, init=False)
    """Whether a read failed, so that those who wait should be told to try again."""
    fault_seen: tuple[int, float] = field(default=(0, 0.0), init=False)
    """Faults counted at a time: for `retry_failed` to see that no more came."""
    repaired_at_once: int = REPAIRED_AT_ONCE
    """Bytes of a live file that are read or copied in the reactor's thread; more by another one."""
    _first_told: int = field(default=0, init=False)
    _told: tuple[tuple[object, ...], LogFigures] | None = field(default=None, init=False)
    """How the log stood when its figures were made, and these."""
    _notices: list[tuple[DeviceReader, Callable[[], None]]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.live.on_altered = self.repair
        for name, cursor in self.live.cursors.items():
            self._add_reader(name, cursor)

    # -- readers --------------------------------------------------------------

    def reader(self, name: str, *, at_end: bool) -> DeviceReader:
        """
        The reader called *name*; a new one begins at the log's beginning, or at its end.

        What retention took before a new reader came counts as expired for it, and what it
        leaves out by beginning at the end as not selected.  Raises `OSError` where its cursor
        cannot be made.
        """
        found = self.readers.get(name)
        if found is not None:
            return found
        cursor = Cursor()
        if at_end:
            cursor = Cursor(offset=self.live.end, not_selected=self.live.lines)
        fresh = DeviceReader(self, name, cursor)
        fresh.save()
        return self._add_reader(name, fresh.cursor, fresh)

    def _add_reader(
        self, name: str, cursor: Cursor, made: DeviceReader | None = None
    ) -> DeviceReader:
        reader = made or DeviceReader(self, name, cursor)
        self.readers[name] = reader
        reader.skip_missing(self.first_offset)
        return reader

    def drop_reader(self, name: str) -> None:
        """Forget a reader and its position."""
        reader = self.readers.pop(name, None)
        if reader is not None:
            reader.close()
            self._notices = [one for one in self._notices if one[0] is not reader]
        self.live.disk.unlink(self.live.folder.cursor(name))

    def wait_for_more(self, reader: DeviceReader, notice: Callable[[], None]) -> None:
        """Take a notice that is due once."""
        self._notices.append((reader, notice))
        self.live.waiting = True

    def notify(self) -> None:
        """
        Call the notices that wait.  One that fails is logged and hinders no other.
        """
        notices, self._notices = self._notices, []
        self.live.waiting = False
        self.retry_notices = False
        for reader, notice in notices:
            try:
                notice()
            except Exception:  # noqa: BLE001 - one reader must not hinder the others
                self._log.failure(
                    "reader {reader} of {device} failed on a notice",
                    reader=reader.name,
                    device=self.name,
                )

    # -- what lies where ------------------------------------------------------

    @property
    def first_offset(self) -> int:
        """Where the oldest text that is still kept starts."""
        oldest = self.oldest
        return self.live.base if oldest is None else oldest.start

    def segment_at(self, offset: int) -> Segment:
        """
        The sealed segment that holds *offset*; what stood before the list counts as deleted.
        """
        catalogue = self.live.catalogue
        found = catalogue.find(offset)
        if found is None:
            first = catalogue.at(0)
            found = Segment(0, first.start, 0, first.lines_before, 0.0, 0.0).deleted(AGE)
        return found

    def gone_segments(self, start: int, end: int) -> Iterator[Segment]:
        """
        What lies between two offsets, as long as it is gone or was passed: for `skip_missing`.
        """
        while start < end:
            segment = self.segment_at(start)
            yield segment if segment.gone else segment.lost(LOST)
            start = segment.end

    def missing_between(self, start: int, end: int) -> tuple[int, int]:
        """Lines that are gone between two offsets, and the cause that took the most."""
        lines = [0] * len(CAUSES)
        while start < end and start < self.live.base:
            segment = self.segment_at(start)
            if segment.gone:
                lines[segment.cause] += segment.lines
            elif segment.end <= end:
                lines[LOST] += segment.lines  # its text may have become shorter
            start = segment.end
        return sum(lines), max(range(len(lines)), key=lines.__getitem__)

    def sent_after_expiry(self, cursor: Cursor, lines: int) -> tuple[int, int]:
        """
        How much of what counts as expired was sent all the same: as a number below zero.
        """
        cause = max(range(len(CAUSES)), key=cursor.expired.__getitem__)
        return -min(lines, cursor.expired[cause]), cause

    def lines_before(self, offset: int) -> int | None:
        """
        Lines of the log before *offset*, by the list and by counting in one segment.

        None where the text that would tell is gone, or cannot be read now.
        """
        live = self.live
        if offset >= live.end:
            return live.lines
        try:
            if offset >= live.base:
                return live.lines_before + count_lines(
                    LiveText(live.disk, live.fd), 0, offset - live.base
                )
            segment = self.segment_at(offset)
            if offset == segment.start:
                return segment.lines_before
            if segment.gone:
                return None
            return segment.lines_before + self._count_in(segment, offset - segment.start)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.read_failed(error)
            return None

    def _count_in(self, segment: Segment, end: int) -> int:
        text = open_text(self.live.disk, self.live.folder, segment.start)
        try:
            return count_lines(text, 0, end)
        finally:
            text.close()

    @property
    def oldest(self) -> Segment | None:
        """The oldest sealed segment that retention may take."""
        return self.live.catalogue.oldest

    def repair(self, apart: Apart | None = None) -> bool:
        """
        Repair what another process did to the live file (`tscm.spool.intact`); whether there was anything.

        Where much of it has to be read, this is done *apart* and comes again with what was made of it.
        """
        if self.copying is not None:
            return False
        live = self.live
        disk = live.disk
        try:
            live.disk = Glance(disk, self.repaired_at_once).disk
            try:
                mended = make_whole(live, apart=apart)
            finally:
                live.disk = disk
        except TakesLong:
            return self._mend_large()
        except OSError as error:
            self.trouble(error, "has a live file that cannot be repaired")
            return False
        if mended:
            self._mended()
        return mended

    def _mend_large(self) -> bool:
        if self.on_large is None:
            return self.repair_at_once()
        try:
            self.on_large()
        except OSError as error:
            self.trouble(error, "has a live file that cannot be repaired")
        return False

    def repair_at_once(self) -> bool:
        """As `mend`, however much has to be read; holes are looked for everywhere."""
        try:
            make_whole(self.live, search=True)
        except OSError as error:
            self.trouble(error, "has a live file that cannot be repaired")
            return False
        self._mended()
        return True

    def _mended(self) -> None:
        self.on_mended()
        for reader in self.readers.values():
            with contextlib.suppress(OSError):  # it is written with the reader's next step
                reader.save()

    # -- what goes ------------------------------------------------------------

    def mark_oldest(self, cause: int) -> Segment:
        """
        Write down that the oldest sealed segment is deleted.

        Its files are then the caller's to delete, and readers to move with `pass_readers`: a crash
        in between leaves a file too many and never a reader that waits for what is gone.
        Raises `OSError`; then nothing has changed.
        """
        live = self.live
        catalogue = live.catalogue
        number = catalogue.first
        segment = catalogue.at(number)
        catalogue.change(number, segment.deleted(segment.cause if segment.gone else cause))
        if not segment.gone:
            live.state = live.state.with_deleted(CAUSES[cause], segment.lines, segment.size)
        return segment

    def pass_readers(self) -> None:
        """Move readers on that stand before the oldest text."""
        first = self.first_offset
        for reader in self.readers.values():
            reader.skip_missing(first)

    def segment_missing(self, segment: Segment) -> None:
        """
        Note that a segment's file is not there, so that no reader waits for it.

        Raises `OSError` where the whole folder is away: that is a fault of the disk.
        """
        live = self.live
        if live.disk.size_of(live.folder.catalogue) is None:
            raise FileNotFoundError(2, "the log directory is missing")
        number = live.catalogue.number_of(segment.start)
        if number is not None:
            live.catalogue.change(number, segment.lost(LOST))
            live.state = live.state.with_deleted("lost", segment.lines, segment.size)
        self._log.error(
            "segment {start} of {device} is missing: {lines} lines are lost",
            start=segment.start,
            device=self.name,
            lines=segment.lines,
        )

    def read_failed(self, error: OSError) -> None:
        """Count a read that the disk refused; those who wait are told to try again."""
        self.read_faults += 1
        self.retry_notices = True
        self.trouble(error, "cannot be read")

    def trouble(self, error: OSError, what: str) -> None:
        """
        Note a fault of the disk.  A damaged list of segments is made again at once: it blocks.
        """
        self.live.ill(error, what)
        if isinstance(error, CatalogueDamaged):
            try:
                rebuild_list(self.live)
            except OSError as again:
                self.live.ill(again, "has a list of segments that cannot be rebuilt")
            else:
                self._mended()

    def retry_failed(self, now: float) -> None:
        """Try again what the disk refused, and see whether that is over; *now* is of the reactor's clock."""
        live = self.live
        try:
            live.finish_rename()
        except OSError as error:
            live.ill(error)
        if self.fault_seen[0] != live.faults:
            self.fault_seen = (live.faults, now)
        elif live.lines > live.fault_lines or now - self.fault_seen[1] >= _FAULT_SECONDS:
            live.well()

    # -- figures --------------------------------------------------------------

    @property
    def lost_lines(self) -> int:
        """Lines that are gone by no doing of ours, since the log began."""
        return self.live.state.deleted_lines.get("lost", 0)

    def figures(self, opened_lines: int = 0, *, look: bool = True) -> LogFigures:
        """
        The log as the ledger and `tsadmin show` tell it; it had *opened_lines* when it was opened.

        Without a *look* at the live file it is as it was at the last one, a minute ago at most.
        """
        if look:
            self.repair()
        stands = self._stands(opened_lines)
        if self._told is None or self._told[0] != stands:
            self._told = (stands, self._figures(opened_lines))
        return self._told[1]

    def _stands(self, opened_lines: int) -> tuple[object, ...]:
        """All that the figures are made of; what is made again with each change is compared by identity first."""
        live = self.live
        return (
            opened_lines,
            live.end,
            live.lines,
            live.base,
            live.last_at,
            live.refused_lines,
            live.faults,
            live.fault,
            live.state,
            live.catalogue.count,
            live.catalogue.first,
            self.read_faults,
            self.damaged_segments,
            *[(name, one.cursor) for name, one in self.readers.items()],
        )

    def _figures(self, opened_lines: int) -> LogFigures:
        live, state = self.live, self.live.state
        catalogue = live.catalogue
        try:
            self._first_told = self.first_offset
        except OSError as error:  # the rest is known all the same, and others wait for it
            self.trouble(error, "cannot be read")
        return LogFigures(
            stored_lines=live.lines,
            stored_bytes=live.end,
            live_bytes=live.end - live.base,
            segments=catalogue.count - catalogue.first,
            first_offset=self._first_told,
            last_received_at=live.last_at or None,
            refused_lines=live.refused_lines,
            faults=live.faults,
            read_faults=self.read_faults,
            fault=live.fault,
            gaps=state.gaps,
            gaps_total=state.gaps_total,
            truncations=state.truncations,
            changed_texts=state.changed_texts,
            torn_bytes=state.torn_bytes,
            torn_files=state.torn_files,
            rebuilt=state.rebuilt,
            unknown_lines=state.unknown_lines,
            damaged_segments=self.damaged_segments,
            damaged_cursors=state.damaged_cursors,
            deleted_lines=dict(state.deleted_lines),
            deleted_bytes=dict(state.deleted_bytes),
            readers={name: self._reader_figures(one) for name, one in self.readers.items()},
            appended_lines=live.lines - opened_lines,
        )

    def glance(self, opened_lines: int = 0) -> LogGlance:
        """The little of `figures` that each line changes, without a look at the files."""
        live = self.live
        lines = live.lines
        waiting = {name: one.waiting_lines() for name, one in self.readers.items()}
        return LogGlance(
            live.last_at or None,
            lines - opened_lines,
            waiting,
            tuple(
                [lines - one.cursor.passed - waiting[name] for name, one in self.readers.items()]
            ),
            (live.fault, live.state.changed_texts, self.damaged_segments),
        )

    def _reader_figures(self, reader: DeviceReader) -> ReaderFigures:
        cursor = reader.cursor
        waiting = reader.waiting_lines()
        return ReaderFigures(
            offset=cursor.offset,
            sent=cursor.sent,
            not_selected=cursor.not_selected,
            expired=sum(cursor.expired),
            expired_by_cause=dict(zip(CAUSES, cursor.expired, strict=True)),
            waiting_lines=waiting,
            waiting_bytes=self.live.end - cursor.offset,
            difference=self.live.lines - cursor.passed - waiting,
        )

    def close(self, *, clean: bool) -> None:
        """Close readers and text."""
        self.closed = True
        for reader in self.readers.values():
            reader.close()
        self._notices = []
        self.live.close(clean=clean)
