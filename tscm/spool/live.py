"""
The end of one device's log: where lines are appended, and how a segment is sealed.
"""

import contextlib
import errno
from collections.abc import Callable, Sequence
from typing import ClassVar

from attrs import define, evolve, field
from twisted.logger import Logger

from tscm.model import Run
from tscm.spool.catalogue import Catalogue, Segment
from tscm.spool.cursor import Cursor
from tscm.spool.disk import CREATE, CREATE_EMPTY, READ_WRITE, Disk
from tscm.spool.index import IndexEncoder, Pending, grown
from tscm.spool.names import LogFolder
from tscm.spool.open_files import OpenFiles
from tscm.spool.parked import ParkedFile, ends_of, open_parked
from tscm.spool.state import LogState, encode_state

_PENDING_MAX = 512
_TOLD_KEPT = 8
_LOG_EVERY = 1000


def _nothing() -> None:
    pass


def _unknown() -> float:
    return 0.0


@define(eq=False)
class LiveLog:
    """
    One device's log, open for appending; made by `recovery.open_log`.

    Offsets and line counts are those of the whole log; *base* and *lines_before* are where the
    live segment starts.  They stand in memory: `append` is called for every batch of every
    device, and does nothing beside one write but bookkeeping.
    """

    _log: ClassVar[Logger] = Logger()

    disk: Disk
    folder: LogFolder
    catalogue: Catalogue
    state: LogState
    _fd: int
    base: int
    end: int
    lines_before: int
    lines: int
    restore: Callable[["LiveLog"], object]
    """Repairs what another process did to the live file.  Raises `OSError`."""
    first_at: float = 0.0
    last_at: float = 0.0
    lost_at_start: int = 0
    """Lines that the log had counted, and that were found gone when it was opened."""
    index_bytes: int = 0
    encoder: IndexEncoder = field(factory=IndexEncoder)
    cursors: dict[str, Cursor] = field(factory=dict)
    full_bytes: int = 100 << 10
    """Size of the live segment from which on `on_full` is called with each append."""

    dirty: bool = False
    """Whether something was appended since `on_dirty` was called; the listener clears it."""
    on_dirty: Callable[[], None] = _nothing
    waiting: bool = False
    """Whether readers want to hear of more; then `on_more` is called."""
    on_more: Callable[[], None] = _nothing
    on_full: Callable[[], None] = _nothing

    refused_lines: int = field(default=0, init=False)
    faults: int = field(default=0, init=False)
    fault: str | None = field(default=None, init=False)
    """The last fault of the disk in words, while it lasts."""
    fault_lines: int = field(default=0, init=False)
    """Lines of the log at that fault: more of them say that it can be written again."""
    seen: tuple[int, int] = field(default=(-1, 0), init=False)
    """Where it ended at the last look, and when the file was last changed by then, in ns."""
    sound: int = field(default=0, init=False)
    """Bytes of the live file that stood there at the last look (`tscm.spool.intact`)."""
    holed: bool = field(default=False, init=False)
    """Whether a look found that the text was truncated, and that is not repaired yet."""
    now: Callable[[], float] = field(default=_unknown, init=False)
    """The time of day, for what is written down of a look."""
    used: bool = field(default=False, init=False)
    """Whether the file was used since others asked for room (`tscm.spool.open_files`)."""
    parked: ParkedFile | None = field(default=None, init=False)
    """The file while it is closed, and opened again by the next use."""
    on_altered: Callable[[], object] = field(default=_nothing, init=False)
    """Called where a file that was parked is not as long as it was."""
    _files: OpenFiles | None = field(default=None, init=False)
    misplaced: bool = field(default=False, init=False)
    """Whether the live text is still called `.spool/next`."""
    _pending: list[Pending] = field(factory=list, init=False)
    _told: list[Pending] = field(factory=list, init=False)
    """The last of what the index was told, for readers that follow closely."""
    _pwrite: Callable[[int, bytes, int], int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pwrite = self.disk.pwrite

    def take_disk(self, disk: Disk) -> None:
        """Go on with another disk: the log was opened by one that bounds what is read."""
        self.disk, self._pwrite = disk, disk.pwrite
        self.catalogue.take_disk(disk)

    # -- the file ---------------------------------------------------------------

    @property
    def fd(self) -> int:
        """
        The descriptor of the live file; -1 where it had to be given up.  Raises `OSError` where a parked one cannot be opened.
        """
        if self.parked is not None:
            self._open_again(self.parked)
        self.used = True
        return self._fd

    @fd.setter
    def fd(self, fd: int) -> None:
        self._fd, self.parked = fd, None
        if self._files is not None:
            if fd < 0:
                self._files.closed(self)
            else:
                self._files.opened(self)

    def share(self, files: OpenFiles) -> None:
        """Give the descriptor up while others need one more, from now on."""
        self._files = files
        if self._fd >= 0:
            files.make_room()
            files.opened(self)

    def park(self) -> bool:
        """
        Close the file until it is used again; not while it is elsewhere, for its text is nowhere else then.
        """
        disk, fd = self.disk, self._fd
        if self.misplaced or fd < 0:
            return False
        try:
            if not disk.is_at(fd, self.folder.live):
                return False
            volume, number = disk.volume_of(fd), disk.number_of(fd)
            size, lines = self.end - self.base, self.lines - self.lines_before
            ends = ends_of(disk, fd, size)
        except OSError:
            return False
        self.parked, self._fd = ParkedFile(volume, number, self.base, size, lines, ends), -1
        with contextlib.suppress(OSError):
            disk.close(fd)
        return True

    def _open_again(self, was: ParkedFile) -> None:
        if self._files is not None:
            self._files.make_room()
        self.fd = open_parked(self.disk, self.folder, was)

    def _woken(self) -> bool:
        """Whether a parked file is open again; where it is not as it was, it is repaired first."""
        try:
            if self.disk.size(self.fd) != self.end - self.base:
                self.on_altered()
        except OSError as error:
            self.ill(error)
            return False
        return True

    # -- appending ------------------------------------------------------------

    def append(self, runs: Sequence[Run], received_at: float) -> bool:
        """
        One write for all of *runs*; False, and the log as before, where the disk refuses.
        """
        if self.parked is not None and not self._woken():
            self.refused_lines += sum(run.lines for run in runs)
            return False
        self.used = True
        data = runs[0].data if len(runs) == 1 else b"".join([run.data for run in runs])
        at = self.end - self.base
        try:
            if self._pwrite(self._fd, data, at) != len(data):
                self._write_again(data, at)
        except OSError as error:
            if not self._second_try(error, data, at):
                self.refused_lines += sum(run.lines for run in runs)
                return False
        pending = self._pending
        lines = 0
        for run in runs:
            size = len(run.data)
            more: Pending = (at, size, run.lines, received_at, run.sender, run.escaped)
            whole = grown(pending[-1], more) if pending else None
            if whole is None:
                pending.append(more)
            else:  # so a line has the same time whenever it is read, and readers pass over few runs
                pending[-1] = whole
            at += size
            lines += run.lines
        self.end = self.base + at
        self.lines += lines
        self.last_at = received_at
        if not self.dirty:
            self.dirty = True
            self.on_dirty()
        if self.waiting:
            self.on_more()
        if at >= self.full_bytes:
            self.on_full()
        elif len(pending) >= _PENDING_MAX:
            self.flush_index()
        return True

    @property
    def number(self) -> int:
        """The number of the live file on its volume.  Raises `OSError` where it is not open."""
        return self.disk.number_of(self.fd)

    def pending_runs(self) -> tuple[Pending, ...]:
        """Runs of the live segment that its index does not tell of yet."""
        return tuple(self._pending)

    def latest_runs(self) -> tuple[Pending, ...]:
        """The last runs that the index was told of, and those that it was not: without a gap."""
        return (*self._told, *self._pending)

    def _write_again(self, data: bytes, at: int) -> None:
        """A short write: gone on with from the start, which a disk with room takes whole."""
        self.disk.write_all(self.fd, data, at)

    def _second_try(self, error: OSError, data: bytes, at: int) -> bool:
        """
        Take back what was written in part; open the file again where it had to be given up.
        """
        if self.fd < 0:
            try:
                self._reopen(at)
                self.disk.write_all(self.fd, data, at)
            except OSError as again:
                error = again
            else:
                self.well()
                return True
        if self.fd >= 0:
            try:
                self.disk.truncate(self.fd, at)
            except OSError:
                with contextlib.suppress(OSError):
                    self.disk.close(self.fd)
                self.fd = -1
        self.ill(error)
        return False

    def _reopen(self, size: int) -> None:
        path = self.folder.next if self.misplaced else self.folder.live
        fd = self.disk.open(path, READ_WRITE)
        try:
            found = self.disk.size(fd)
            if found < size:  # what is written behind a hole would be no log any more
                raise OSError(
                    errno.EIO,
                    f"it lost its last {size - found:,} bytes while its disk was "
                    "unavailable; restart the manager, which repairs it and counts the "
                    "loss",
                )
            if found > size:
                self.disk.truncate(fd, size)
        except OSError:
            self.disk.close(fd)
            raise
        self.fd = fd

    def ill(self, error: OSError, what: str = "cannot be written") -> None:
        """Note a fault of the disk; the first of a row is logged, and every thousandth."""
        cause = error.strerror or str(error)
        if self.fault is None or self.faults % _LOG_EVERY == 0:
            self._log.error(
                "the log of {device} {what}: {cause}",
                device=self.folder.path.name,
                what=what,
                cause=cause,
            )
        self.faults += 1
        self.fault = f"{what}: {cause}"
        self.fault_lines = self.lines

    def well(self) -> None:
        """The disk does what it should again."""
        if self.fault is not None:
            self.fault = None
            self._log.info("the log of {device} is usable again", device=self.folder.path.name)

    # -- the index ------------------------------------------------------------

    def flush_index(self) -> bool:
        """
        Write what the index has not been told yet; kept in short form where the disk refuses.
        """
        pending = self._pending
        if not pending:
            return True
        if not self.first_at:
            self.first_at = pending[0][3]
        named = len(self.encoder.senders)
        data = self.encoder.runs(pending)
        if not self.index_bytes:
            data = self.encoder.header(self.base, self.lines_before, self.first_at) + data
        try:
            self._write_index(data)
        except OSError as error:
            self.ill(error, "has an index that cannot be written")
            senders = self.encoder.senders
            self.encoder.senders = {
                name: number for name, number in senders.items() if number <= named
            }
            first = pending[0]
            size, lines = sum(run[1] for run in pending), sum(run[2] for run in pending)
            self._pending = [(first[0], size, lines, first[3], None, True)]
            return False
        self._pending, self._told = [], pending[-_TOLD_KEPT:]
        return True

    # -- sealing --------------------------------------------------------------

    def seal(self) -> int:
        """
        Make the live segment a sealed one; gives the descriptor of its file, now the caller's.

        1. an empty `.spool/next`; 2. the record in the list; 3. `syslog` gets its sealed name;
        4. `next` becomes `syslog`.  A crash behind 2 is gone on with at the next start; an
        `OSError` up to 3 leaves everything as it was.  Behind 3 lines go to `next` for as
        long as 4 does not succeed.
        """
        self.finish_rename()
        self.flush_index()
        if self.fd < 0:
            self._reopen(self.end - self.base)
        self.restore(self)
        disk, folder = self.disk, self.folder
        fd = disk.open(folder.next, CREATE_EMPTY)
        try:
            self.catalogue.add(
                Segment(
                    self.base,
                    self.end - self.base,
                    self.lines_before,
                    self.lines - self.lines_before,
                    self.first_at,
                    self.last_at,
                )
            )
            try:
                disk.rename(folder.live, folder.segment(self.base))
            except OSError:
                self.catalogue.drop_last()
                raise
        except OSError:
            disk.close(fd)
            with contextlib.suppress(OSError):
                disk.unlink(folder.next)
            raise
        sealed, self.fd = self.fd, fd
        self.begin_at(self.end, self.lines)
        self.misplaced = True
        with contextlib.suppress(OSError):
            self.finish_rename()
        with contextlib.suppress(OSError):
            self.begin_index()
        return sealed

    def begin_at(self, base: int, lines_before: int) -> None:
        """The live segment is another one, of which the index tells nothing yet."""
        self.base, self.lines_before = base, lines_before
        self.index_bytes, self.encoder, self._pending, self._told = 0, IndexEncoder(), [], []
        self.first_at, self.sound = 0.0, 0

    def begin_index(self) -> None:
        """
        Write the live index's first record: where the segment starts stands twice on the disk.

        So a list of segments that is lost can be made again even when no segment is left.
        """
        self._write_index(self.encoder.header(self.base, self.lines_before, self.last_at))

    def _write_index(self, data: bytes) -> None:
        fd = self.disk.open(self.folder.index(self.base), CREATE)
        try:
            self.disk.write_all(fd, data, self.index_bytes)
        finally:
            self.disk.close(fd)
        self.index_bytes += len(data)

    def finish_rename(self) -> None:
        """Give the live text its name, where a seal could not.  Raises `OSError`."""
        if self.misplaced:
            self.disk.rename(self.folder.next, self.folder.live)
            self.misplaced = False

    # -- the rest -------------------------------------------------------------

    def publish_state(self, *, clean: bool) -> None:
        """Write down how the log stands.  Raises `OSError`."""
        self.state = evolve(
            self.state,
            clean=clean,
            live=self.base,
            lines_before=self.lines_before,
            last_at=self.last_at,
        )
        self.disk.publish(
            self.folder.state, encode_state(self.state), keep=self.folder.state_before
        )

    def close(self, *, clean: bool) -> None:
        """
        Give everything back; *clean* says that nothing will be missing.  Never raises.
        """
        self.flush_index()
        try:
            self.restore(self)
        except OSError as error:
            self.ill(error, "has a live file that cannot be repaired")
        try:
            self.finish_rename()
            self.publish_state(clean=clean)
        except OSError as error:
            self.ill(error)
        self.release()

    def release(self) -> None:
        """Give the descriptors back and write nothing.  Never raises."""
        for close in (self.catalogue.close, self._close_text):
            with contextlib.suppress(OSError):
                close()

    def _close_text(self) -> None:
        fd, self.fd = self._fd, -1
        if fd >= 0:
            self.disk.close(fd)
