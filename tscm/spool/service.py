"""
The spool as the other rooms see it: logs by device, kept in order while time passes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService, in_slices
from tscm.base.threads import Threads
from tscm.errors import DeviceBeingRemoved, LogOpening, NoSuchDevice
from tscm.model import Block, Origin, Run
from tscm.settings.node import SpoolBounds
from tscm.spool.compaction import Compactor
from tscm.spool.cursor import Cursor
from tscm.spool.deletion import delete_log
from tscm.spool.disk import Disk
from tscm.spool.early import open_at_once
from tscm.spool.eraser import Erased, NotSealed, Report, erase_open
from tscm.spool.figures import LogFigures, LogGlance, OrphanFigures
from tscm.spool.glance import AT_ONCE_BYTES, TakesLong
from tscm.spool.line_counts import LineCounts
from tscm.spool.live import LiveLog
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder
from tscm.spool.names import reader_name as checked_name
from tscm.spool.notices import Notices
from tscm.spool.open_files import OpenFiles, allowed_files, shares
from tscm.spool.opening import Openings
from tscm.spool.orphans import Orphans
from tscm.spool.reader import DeviceReader
from tscm.spool.repairs import Repairs
from tscm.spool.retention import Retention, RetentionRules
from tscm.spool.room import RoomKeeper
from tscm.spool.rotation import Rotation
from tscm.spool.seals import SEAL_SECONDS, SealQueue
from tscm.spool.sync import Syncer
from tscm.spool.tools_list import LogSummary
from tscm.syslog.mentions import Mentions

_UPKEEP_SECONDS = 1.0
_ASIDE_SECONDS = 5.0
_LOOK_SECONDS = 60.0
_SIZES = ("max_mb_per_device", "min_free_mb")  # what may change while it runs
_UNKNOWN_BYTES = 64 << 20
"""How far the index of a live file may be behind its text at a start: it is written each second."""


def _nobody(_: str, __: int) -> None:
    pass


@define(eq=False)
class SpoolService(MultiService):
    """
    All logs of a node: a `model.Spool`, and the readers' source.

    Works from the first `open_device` on; while it runs it also writes indexes, rotates by time,
    syncs and retains.  When it stops, all logs are closed and marked as cleanly stopped.
    """

    _log: ClassVar[Logger] = Logger()

    logs: Path
    bounds: SpoolBounds
    clock: IReactorTime
    threads: Threads
    disk: Disk = field(factory=Disk)
    seal_seconds: float = SEAL_SECONDS
    at_once_bytes: int = AT_ONCE_BYTES
    """Read in the reactor's thread when a log is opened; where more has to be read, another one does it."""
    unknown_bytes: int = _UNKNOWN_BYTES
    """How far the index of a live file can be behind, at least."""
    unknown_lines: int = field(default=0, init=False)
    """Lines for devices that have no open log: refused."""
    _devices: dict[str, DeviceLog] = field(factory=dict, init=False)
    _counts: LineCounts = field(factory=LineCounts, init=False)
    _rotation: Rotation = field(init=False)
    _dirty: list[DeviceLog] = field(factory=list, init=False)
    _notices: Notices = field(init=False)
    on_opened: Callable[[str, int], None] = field(default=_nobody, init=False)
    """Called with the name of a log that was opened in a thread, and the lines that this process found in it."""
    _openings: Openings = field(init=False)
    _compactor: Compactor = field(init=False)
    _texts: OpenFiles = field(init=False)
    _lists: OpenFiles = field(init=False)
    _syncer: Syncer = field(init=False)
    _orphans: Orphans = field(init=False)
    _room: RoomKeeper = field(init=False)
    _repairs: Repairs = field(init=False)
    _rewriting: DeferredLock = field(factory=DeferredLock, init=False)
    """Held by who writes sealed segments again: a compression of the text from before would bring erased lines back."""

    def __attrs_pre_init__(self) -> None:
        MultiService.__init__(self)

    def __attrs_post_init__(self) -> None:
        self._notices = Notices(self.clock)
        self._syncer = Syncer(self.disk, self.threads, self.bounds.fsync)
        self.share_files(allowed_files(), 0)
        upkeep = PeriodicService(self.clock, _UPKEEP_SECONDS, self._upkeep, "log maintenance")
        self._orphans = Orphans(self.disk, self.threads, self._share, self.at_once_bytes)
        self._repairs = Repairs(self.threads)
        self._openings = Openings(self.disk, self.threads, self.clock, self._share, self._opened)
        self._room = RoomKeeper(
            self.clock,
            self.threads,
            self.logs,
            Retention(self.disk, self.threads, self.clock, RetentionRules.of(self.bounds)),
            self._orphans,
            self._devices,
            lambda: {*self._devices, *self._openings.lines()},
        )
        self._rotation = Rotation(
            self.clock,
            self.bounds.rotate_seconds,
            self._devices,
            SealQueue(self.seal_seconds),
            self._syncer,
            self._room,
            self._notices.add,
        )
        self._compactor = Compactor(self.disk, self.threads, self.bounds.compress, self.clock)
        looking = PeriodicService(
            self.clock, _LOOK_SECONDS, self.look_at_files, "check of live logs", _LOOK_SECONDS
        )
        aside = PeriodicService(
            self.clock,
            _ASIDE_SECONDS,
            self._compact,
            "maintenance of rotated segments",
            _ASIDE_SECONDS,
        )
        for child in (upkeep, self._room, looking, aside):
            child.setServiceParent(self)
        if self.bounds.fsync == "interval":
            every = self.bounds.fsync_ms / 1000
            PeriodicService(self.clock, every, self._sync, "log sync", every).setServiceParent(self)

    def stopService(self) -> Deferred[None]:
        """Fires when all logs are closed, and on the disk where that was asked for."""
        ended: list[Deferred[Any]] = [maybeDeferred(super().stopService)]
        self._notices.stop()
        for name in (*self._devices, *self._openings.lines()):
            self.close_device(name)
        self._orphans.close()
        ended.append(self._syncer.finish())
        return gatherResults(ended, consumeErrors=True).addCallback(lambda _: None)

    def apply_limits(self, bounds: SpoolBounds) -> bool:
        """
        Put other sizes of retention in force; False where anything else differs, which needs a restart.
        """
        sizes = {name: getattr(bounds, name) for name in _SIZES}
        if evolve(self.bounds, **sizes) != bounds:
            return False
        if bounds != self.bounds:
            self.bounds = bounds
            self._room.take_rules(RetentionRules.of(bounds))
        return True

    # -- devices --------------------------------------------------------------

    def open_device(self, name: str, rotate_bytes: int) -> None:
        """
        Open the log of device *name*, made where there is none; or change its rotate size.

        Repairs what the last stop left (see `tscm.spool.recovery`).  Where that takes long, it is done in a
        thread: `LogOpening` is raised until then, and lines of the device are stored.  Raises `DeviceBeingRemoved` while an
        earlier log of this name is being deleted, `OSError`.
        """
        self._rotation.rotate_bytes[name] = rotate_bytes
        log = self._devices.get(name)
        if log is None:
            if name in self._orphans.leaving:
                raise DeviceBeingRemoved(name)
            if name in self._orphans.opening:  # it was taken for unused, and is open in a moment
                raise LogOpening(name, self.disk.size_of(LogFolder(self.logs / name).live) or 0)
            self._orphans.release(name)
            most = max(self.unknown_bytes, 2 * rotate_bytes)
            folder = LogFolder(self.logs / name)
            if name in self._openings:
                self._openings.look(name)
            try:
                live = open_at_once(
                    self.disk, folder, wall_seconds(self.clock), most, self.at_once_bytes
                )
            except TakesLong:
                self._openings.begin(name, folder, most)
                if name in self._openings:
                    self._openings.look(name)
                log = self._devices[name]
            else:
                log = self._take(name, live, live.lines)
        log.live.full_bytes = rotate_bytes

    def share_files(self, allowed: int, connections: int) -> None:
        """
        How many of *allowed* descriptors logs may have, beside so many *connections*.  Before any log is open.
        """
        share = shares(allowed, connections)
        self._texts, self._lists = OpenFiles(share.texts), OpenFiles(share.lists)
        self._syncer.waiting_most = share.syncs

    def _share(self, live: LiveLog) -> None:
        live.share(self._texts)
        live.catalogue.share(self._lists)

    @property
    def crowded(self) -> str | None:
        """What to do where not all logs can be open at once; None where they can."""
        if len(self._devices) <= self._texts.most:
            return None
        return (
            f"{len(self._devices):,} logs share {self._texts.most:,} file descriptors: each line of an "
            "idle device opens its log again; raise LimitNOFILE"
        )

    def _take(self, name: str, live: LiveLog, lines: int) -> DeviceLog:
        """An open log is a device's; it had *lines* when this process found it."""
        log = DeviceLog(name, live)
        self._share(live)
        live.on_dirty = partial(self._note_dirty, log)
        live.on_more = partial(self._notices.add, log)
        live.on_full = partial(self._rotation.full, log)
        live.now = partial(wall_seconds, self.clock)
        log.on_mended = partial(self._note_mended, log)
        log.on_large = partial(self._repairs.begin, log)
        self._devices[name] = log
        self._counts.take_open(name, lines)
        self._rotation.note_age(log)
        return log

    def _opened(self, name: str, live: LiveLog, lines: int, sealed: int) -> None:
        """A log was opened in a thread."""
        live.full_bytes = self._rotation.rotate_bytes[name]
        self._take(name, live, lines)
        if sealed >= 0:
            self._syncer.add_sealed(sealed, live.folder)
        self.on_opened(name, lines)

    def close_device(self, name: str) -> None:
        """Close a log; its lines, cursors and figures stay on disk."""
        self._openings.leave(name)
        log = self._devices.pop(name, None)
        if log is None:
            return
        self._rotation.closed(name)
        if self.bounds.fsync != "off":
            self._syncer.add_open(log.live)
        log.close(clean=True)
        self._counts.take_closed(name, log.live.lines, log.lost_lines)

    def forget_device(self, name: str) -> None:
        """
        Close a log and drop its readers: what they had not read belongs to no reader any more.

        The lines stay for search, as an orphan, until retention takes them.
        """
        log = self._devices.get(name)
        if log is not None:
            for reader in list(log.readers):
                log.drop_reader(reader)
        self.close_device(name)
        self._rotation.rotate_bytes.pop(name, None)

    def rename_log(self, name: str, to: str) -> None:
        """
        Close the log *name* and call its folder *to*: whatever opens *to* goes on in it.

        Raises `LogOpening` while a thread works on the live file, `OSError`; then the log is closed, and where it was.
        """
        log = self._devices.get(name)
        if name in self._openings or (log is not None and log.copying is not None):
            raise LogOpening(name, self.disk.size_of(LogFolder(self.logs / name).live) or 0)
        self._orphans.release(to)
        self.close_device(name)
        self.disk.rename(self.logs / name, self.logs / to)
        self._rotation.rotate_bytes.pop(name, None)
        self._counts.renamed(name, to)

    async def delete_log(self, name: str) -> LogSummary:
        """
        Delete the log of a device that is gone; gives what there was.

        What a device of this name stores later begins with its first line.  Raises `DeviceBeingRemoved` while the log
        is open, `LogOpening` while a thread opens it, `OSError`.
        """
        if name in self._devices or name in self._openings:
            raise DeviceBeingRemoved(name)
        if name in self._orphans.opening:
            raise LogOpening(name, self.disk.size_of(LogFolder(self.logs / name).live) or 0)
        self._orphans.release(name)
        self._orphans.leaving.add(name)
        try:
            gone: LogSummary = await self.threads.run(delete_log, self.disk, self.logs, name)
        finally:
            self._orphans.leaving.discard(name)
        self._counts.deleted(name)
        return gone

    async def erase(self, name: str, about: Mentions, report: Report) -> Erased:
        """
        Erase the lines *about* something that the log *name* has now; a removed device's log too.

        Raises `LogOpening` while a thread opens it, `NotSealed`, `NoSuchDevice`, `OSError`.
        """
        if name in self._openings or name in self._orphans.opening:
            raise LogOpening(name, self.disk.size_of(LogFolder(self.logs / name).live) or 0)
        await self._rewriting.acquire()
        try:
            log = self._devices.get(name) or self._orphans.logs.get(name)
            if log is None:
                raise NoSuchDevice(name)
            if (
                name in self._devices
                and log.live.end > log.live.base
                and not self._rotation.seal(log)
            ):
                raise NotSealed(name, log.live.fault or "it is being repaired")
            return await erase_open(self.threads, log, about, report)
        finally:
            self._rewriting.release()

    def orphans(self) -> list[OrphanFigures]:
        """Logs whose device is gone; retention ends them in time."""
        return self._orphans.figures()

    def devices(self) -> list[str]:
        """Names of the logs that are open."""
        return sorted(self._devices)

    def _device(self, name: str) -> DeviceLog:
        log = self._devices.get(name)
        if log is None:
            raise NoSuchDevice(name)
        return log

    # -- lines in -------------------------------------------------------------

    def append(self, device: str, runs: Sequence[Run], received_at: float) -> bool:
        """
        Put *runs* at the end of the device's log with one write; False where it cannot be.
        """
        log = self._devices.get(device)
        if log is None:
            stored = self._openings.append(device, runs, received_at)
            if stored is None:
                self.unknown_lines += sum(run.lines for run in runs)
            return bool(stored)
        return log.live.append(runs, received_at)

    def seal(self, device: str) -> bool:
        """
        Seal the live segment now; False when nothing stands in it, or the disk refuses.
        """
        log = self._device(device)
        return log.live.end > log.live.base and self._rotation.seal(log)

    # -- lines out ------------------------------------------------------------

    def reader(self, device: str, reader_name: str, *, at_end: bool = False) -> DeviceReader:
        """
        The reader called *reader_name*; a new one begins at the log's beginning or *at_end*.

        Raises `NoSuchDevice`, `ValueError` for a name that cannot name a file, `OSError`.
        """
        return self._device(device).reader(checked_name(reader_name), at_end=at_end)

    def peek(
        self, device: str, offset: int, max_bytes: int
    ) -> tuple[Block, Sequence[Origin]] | None:
        """
        Whole lines from *offset* on, with when they came, for a caller that keeps no position here.

        None when there are none.  Raises `NoSuchDevice`.
        """
        log = self._device(device)
        passing = DeviceReader(log, "", Cursor(offset=log.live.end))  # at the end: it moves nowhere
        try:
            block = passing.read(offset, max_bytes)
            return None if block is None else (block, passing.origins(block.start, block.end))
        finally:
            passing.close()

    def drop_reader(self, device: str, reader_name: str) -> None:
        """Forget a reader with its backlog; the lines stay."""
        self._device(device).drop_reader(checked_name(reader_name))

    def drop_orphan(self, name: str, reader_name: str) -> int | None:
        """
        Forget a reader of a log whose device is gone; the lines that waited, None where there is none.
        """
        log = self._orphans.logs.get(name)
        if log is None or reader_name not in log.readers:
            return None
        waiting = log.readers[reader_name].waiting_lines()
        log.drop_reader(reader_name)
        return waiting

    def readers(self, device: str) -> list[str]:
        """Readers that have a position in the device's log, whether they are used or not."""
        return sorted(self._device(device).readers)

    def ends(self) -> dict[str, int]:
        """Where each open log ends."""
        return {name: log.live.end for name, log in self._devices.items()}

    def positions(self, device: str) -> tuple[int, dict[str, int]]:
        """Where the device's log ends and where each reader is: cheap, touches no disk."""
        log = self._device(device)
        return log.live.end, {name: one.cursor.offset for name, one in log.readers.items()}

    def figures(self, device: str, *, look: bool = True) -> LogFigures:
        """
        What the ledger and `tsadmin show` tell of the device's log; *look* at the live file first.

        `appended_lines` are those that came since this process opened it first, by the log itself.
        """
        log = self._device(device)
        return log.figures(self._counts.opened[device], look=look)

    def glance(self, device: str) -> LogGlance:
        """What each line changes of `figures`: for rows of all devices."""
        return self._device(device).glance(self._counts.opened[device])

    def stored_lines(self) -> dict[str, int]:
        """
        Lines of each log since it began: the cheap part of `figures`.

        Also of logs that were open and are closed now: their last lines came after the last note.
        """
        return self._counts.stored({name: log.live.lines for name, log in self._devices.items()})

    def lost_lines(self) -> dict[str, int]:
        """Lines of each such log that are gone by no doing of ours, since it began."""
        return self._counts.lost({name: log.lost_lines for name, log in self._devices.items()})

    # -- while time passes ----------------------------------------------------

    def _note_dirty(self, log: DeviceLog) -> None:
        self._dirty.append(log)
        self._rotation.note_age(log)

    def _note_mended(self, log: DeviceLog) -> None:
        self._rotation.note_age(log)
        if log.live.waiting:
            self._notices.add(log)

    async def _upkeep(self) -> None:
        dirty, self._dirty = self._dirty, []
        for log in dirty:  # all of them first: a fault of one must not leave the others waiting
            log.live.dirty = False
        async for log in in_slices(self.clock, dirty):
            if log.closed:
                continue
            log.repair()
            log.live.flush_index()
            self._rotation.note_age(log)
            if self.bounds.fsync == "interval":
                self._syncer.mark(log.live)
        for early in self._openings.live():
            early.flush_index()
            if self.bounds.fsync == "interval":
                self._syncer.mark(early)
        await self._rotation.run(dirty)
        now = self.clock.seconds()
        troubled = False
        for log in self._devices.values():
            if log.live.fault is not None:
                troubled = True
                log.retry_failed(now)
                if log.retry_notices:
                    self._notices.add(log)
        if troubled:
            self._room.now()

    async def look_at_files(self) -> None:
        """Repair what another process has moved, deleted, truncated or written of the live files."""
        async for log in in_slices(self.clock, list(self._devices.values())):
            if not log.closed:
                log.repair()

    async def _compact(self) -> None:
        await self._rewriting.acquire()
        try:
            await self._compactor.run(list(self._devices.values()))
        finally:
            self._rewriting.release()

    async def _sync(self) -> None:
        await self._syncer.run()
