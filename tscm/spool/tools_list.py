"""
Looking at logs offline: nothing here writes, so it may run beside a manager.

What a running manager has not written yet (the last second of the index) is not seen.
"""

from pathlib import Path
from zlib import crc32

from attrs import define, field, frozen

from tscm.base.safe_files import UnfitFile
from tscm.spool.catalogue import COMPRESSED, RECORD_BYTES, CatalogueDamaged, Segment, decode_segment
from tscm.spool.cursor import Cursor, decode_cursor
from tscm.spool.disk import MOST_STATE, READ, Disk
from tscm.spool.index import Index, read_index
from tscm.spool.index_file import read_records
from tscm.spool.names import LogFolder, cursor_readers, log_names
from tscm.spool.state import LogState, decode_state
from tscm.spool.text import LiveText, count_lines

_TRIES = 10
_PIECE_RECORDS = 1 << 14
BAD_MOST = 1000
"""Damaged records of a list; behind so many nothing is read: it is not a list of segments."""


@frozen(kw_only=True)
class LogSummary:
    """
    One device's log in a line; its numbers are of what is kept now, save *stored_lines*.
    """

    name: str
    stored_lines: int
    kept_lines: int
    kept_bytes: int
    disk_bytes: int
    segments: int
    first_at: float
    last_at: float
    readers: tuple[str, ...]
    clean: bool
    """Whether the last stop was clean; a running manager's log never is."""


@frozen(kw_only=True)
class LogView:
    """
    Everything that the files of one log say, damaged or not.
    """

    name: str
    folder: LogFolder
    records: tuple[Segment, ...]
    bad_records: tuple[int, ...]
    loose_bytes: int
    """Bytes behind the last whole record of the list."""
    live_bytes: int | None
    live_lines: int
    live_index: Index | None
    cursors: dict[str, tuple[Cursor | None, int]]
    """Per reader its position, and how many of its slots are damaged."""
    state: LogState | None
    names: tuple[str, ...]
    """What lies in the log's folder."""
    spool_names: tuple[str, ...]

    @property
    def base(self) -> int:
        """Where the live segment starts."""
        return self.records[-1].end if self.records else 0

    @property
    def lines_before(self) -> int:
        """Lines of the log before the live segment."""
        return self.records[-1].lines_end if self.records else 0

    @property
    def end(self) -> int:
        """The log's end."""
        return self.base + (self.live_bytes or 0)

    @property
    def lines(self) -> int:
        """All lines that the log ever stored."""
        return self.lines_before + self.live_lines

    @property
    def kept(self) -> tuple[Segment, ...]:
        """Sealed segments whose text should be there."""
        return tuple(segment for segment in self.records if not segment.gone)

    def path_of(self, segment: Segment) -> Path:
        """The file that a sealed segment should be in."""
        packed = segment.flags & COMPRESSED
        return (self.folder.compressed if packed else self.folder.segment)(segment.start)


def list_logs(disk: Disk, logs: Path) -> list[LogSummary]:
    """All logs under *logs*.  Raises `OSError`."""
    return [summary(disk, view_log(disk, logs, name)) for name in log_names(logs)]


def view_log(disk: Disk, logs: Path, name: str) -> LogView:
    """One log as its files tell it.  Raises `FileNotFoundError` where there is none, `OSError`."""
    folder = LogFolder(logs / name)
    for _ in range(_TRIES):
        listed = read_list(disk, folder)
        view = _view(disk, folder, name, listed)
        if read_list(disk, folder).checksum == listed.checksum:
            break  # else a segment was sealed, compressed or deleted in the midst of it
    return view


def _view(disk: Disk, folder: LogFolder, name: str, listed: "Listed") -> LogView:
    """
    A look in the order in which nothing can seem to lack: what points into the text before the text.
    """
    names = disk.names(folder.path)
    spool_names = disk.names(folder.spool)
    cursors = {
        reader: decode_cursor(disk.read_file(folder.cursor(reader), MOST_STATE) or b"")
        for reader in cursor_readers(spool_names)
    }
    base = listed.records[-1].end if listed.records else 0
    index = read_records(disk, folder.index(base))
    live_bytes, live_lines = count_live(disk, folder)
    return LogView(
        name=name,
        folder=folder,
        records=tuple(listed.records),
        bad_records=tuple(listed.bad),
        loose_bytes=listed.loose,
        live_bytes=live_bytes,
        live_lines=live_lines,
        live_index=read_index(index) if index else None,
        cursors=cursors,
        state=decode_state(disk.read_file(folder.state, MOST_STATE)),
        names=tuple(names),
        spool_names=tuple(spool_names),
    )


@define
class Listed:
    """
    What a list of segments says: its records, the numbers of damaged ones, and bytes behind the last whole one.
    """

    records: list[Segment] = field(factory=list)
    bad: list[int] = field(factory=list)
    loose: int = 0
    checksum: int = 0
    """Of all that was read."""

    def take(self, data: bytes) -> bool:
        """Go on with the next piece; whether more is wanted."""
        if not data:
            return False
        self.checksum = crc32(data, self.checksum)
        whole = len(data) - len(data) % RECORD_BYTES
        self.loose = len(data) - whole
        for at in range(0, whole, RECORD_BYTES):
            try:
                self.records.append(decode_segment(data[at : at + RECORD_BYTES]))
            except CatalogueDamaged:
                self.bad.append(len(self.records) + len(self.bad))
                if len(self.bad) > BAD_MOST:
                    return False
        return True


def read_list(disk: Disk, folder: LogFolder) -> Listed:
    """The list of segments as its file has it, piece by piece.  Raises `OSError`."""
    found = Listed()
    try:
        fd = disk.open(folder.catalogue, READ)
    except FileNotFoundError:
        return found
    try:
        at, piece = 0, _PIECE_RECORDS * RECORD_BYTES
        while found.take(disk.read_at(fd, piece, at)):
            at += piece
    finally:
        disk.close(fd)
    return found


def count_live(disk: Disk, folder: LogFolder, end: int | None = None) -> tuple[int | None, int]:
    """Bytes of the live segment (None: there is none, or no file), and its lines up to *end*."""
    try:
        fd = disk.open(folder.live, READ)
    except (FileNotFoundError, UnfitFile):
        return None, 0
    try:
        size = disk.size(fd)
        return size, count_lines(LiveText(disk, fd), 0, size if end is None else end)
    finally:
        disk.close(fd)


def summary(disk: Disk, view: LogView) -> LogSummary:
    """A view in a line."""
    kept = view.kept
    on_disk = view.live_bytes or 0
    for segment in kept:
        on_disk += (
            disk.size_of(view.folder.segment(segment.start))
            or disk.size_of(view.folder.compressed(segment.start))
            or 0
        )
    first_at, last_at = _received(disk, view)
    return LogSummary(
        name=view.name,
        stored_lines=view.lines,
        kept_lines=sum(segment.lines for segment in kept) + view.live_lines,
        kept_bytes=sum(segment.size for segment in kept) + (view.live_bytes or 0),
        disk_bytes=on_disk,
        segments=len(kept),
        first_at=first_at,
        last_at=last_at,
        readers=tuple(sorted(view.cursors)),
        clean=bool(view.state and view.state.clean),
    )


def _received(disk: Disk, view: LogView) -> tuple[float, float]:
    """
    When the first and the last line that are kept came, as far as is known.

    Of lines that a crash left without an index that is unknown: when the file was written last must do.
    """
    runs = view.live_index.runs if view.live_index else ()
    times = [run.received_at for run in runs if run.received_at]
    if view.live_lines and (not runs or len(times) < len(runs)):
        times.append(disk.changed_at(view.folder.live) or 0.0)
    times += [at for one in view.kept for at in (one.first_at, one.last_at)]
    times = [at for at in times if at]
    return min(times, default=0.0), max(times, default=0.0)
