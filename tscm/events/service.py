"""
The event reader: blocks of every device's log to the worker, as they come.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.events.answers import Recount
from tscm.events.figures import EventFigures
from tscm.events.first_hits import KEPT_SECONDS
from tscm.events.process import WorkerFailed, WorkerProcess
from tscm.events.rollups import HOUR_SECONDS
from tscm.events.rounds import BLOCK_BYTES, Followed, Rounds, block_request, damage
from tscm.model import Block, LogReader, Progress, Report

TIDY_SECONDS = 3600.0
TIDY_FIRST_SECONDS = 60.0
TESTS_KEPT = 4
"""Entries of tests whose late lines still count as theirs."""
SETTLE_SECONDS = 60.0
"""From when hours that are over were counted to packing them: other devices may have some too."""


@define(eq=False)
class EventService(Service):
    """
    Follows the logs of all devices.

    The database's position is the one that counts: it moves in the transaction of the roll-ups.  The
    reader's own cursor comes behind it and tells retention and the ledger.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _worker: WorkerProcess
    _kept_days: int = 35
    _now: Callable[[], float] | None = None
    _upheaval: Callable[[str, Mapping[str, float]], None] = lambda _name, _messages: None
    """Told by device which messages of `syslog.upheavals` were received, and when."""
    tidy_first_seconds: float = field(default=TIDY_FIRST_SECONDS, kw_only=True)
    pack_pause_seconds: float = field(default=1.0, kw_only=True)
    """Between two moments of packing: the worker is for the lines first."""
    settle_seconds: float = field(default=SETTLE_SECONDS, kw_only=True)
    _followed: dict[str, Followed] = field(factory=dict, init=False)
    _tidying: PeriodicService = field(init=False)
    _again: bool = field(default=False, init=False)
    """There is something to pack that the turn in progress has not seen."""
    _settling: IDelayedCall | None = field(default=None, init=False)
    _rounds: Rounds = field(init=False)
    _recounting: DeferredLock = field(factory=DeferredLock, init=False)
    """The worker has one hour of one device in hand when it counts again."""

    def __attrs_post_init__(self) -> None:
        self._rounds = Rounds(self._reactor, self._worker, self._caught_up, self._upheaval)
        self._tidying = PeriodicService(
            self._reactor, TIDY_SECONDS, self._tidy, "roll-up cleanup", self.tidy_first_seconds
        )

    def startService(self) -> None:
        """Begin to read."""
        super().startService()
        self._tidying.startService()
        for one in self._followed.values():
            self._rounds.begin(one)

    def stopService(self) -> Deferred[None]:
        """Fires when the worker has ended; what it had counted stands."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        stopped = self._tidying.stopService()
        if stopped is not None:
            await stopped
        followed, self._followed = self._followed, {}
        # All before the first is waited for: they share the worker.
        for ended in [self._rounds.end(one) for one in followed.values()]:
            await ended
        gone = self._worker.stop()
        if gone is not None:
            await gone

    def follow(
        self,
        name: str,
        reader: LogReader,
        block_list: str,
        allow_list: str,
        access_lists: tuple[str, ...] = (),
        *,
        form: str = "",
    ) -> None:
        """
        Read the log of a device, or go on under other names of its lists; with *access_lists*
        only lines of those count.  *form* is the firewall's type.
        """
        present = self._followed.get(name)
        if present is not None:
            present.names, present.access_lists = (block_list, allow_list), access_lists
            present.form = form
            return
        one = self._followed[name] = self._rounds.follow(
            reader, (block_list, allow_list), access_lists, form
        )
        if self.running:
            self._rounds.begin(one)

    def expect_test(self, name: str, entry: str) -> None:
        """Count lines about *entry*, which a test of the chain blocks for a moment, as hits of that test."""
        one = self._followed.get(name)
        if one is not None:
            one.tested = (*one.tested, entry)[-TESTS_KEPT:]

    async def leave(self, name: str) -> None:
        """Read it no more; fires when nothing of it is in progress."""
        one = self._followed.pop(name, None)
        if one is not None:
            await self._rounds.end(one)

    async def rename(self, name: str, to: str) -> None:
        """What was counted of *name*, which is not read now, is counted of *to*.  Raises `WorkerFailed`."""
        await self._worker.ask({"kind": "rename", "device": name, "to": to})

    async def forget(self, name: str) -> None:
        """Take away what was counted of a device."""
        await self._worker.ask({"kind": "forget", "device": name})

    async def rebuild(self, name: str, report: Report) -> Recount:
        """
        Count again every hour that segments and generations still cover; other hours stay.

        Following goes on afterwards.  Raises `WorkerFailed`; an hour is replaced whole or not at all.
        """
        one = self._followed.get(name)
        if one is None:
            raise WorkerFailed(f"events of {name} are not being read")
        return await self._recounting.run(self._rebuild, one, report)

    async def _rebuild(self, one: Followed, report: Report) -> Recount:
        await self._rounds.end(one)
        try:
            return await self._recount(one, report)
        finally:
            if self._is_followed(one) and self.running:
                self._rounds.begin(one)

    def _is_followed(self, one: Followed) -> bool:
        return self._followed.get(one.reader.device) is one

    def _check_followed(self, one: Followed) -> None:
        if not self._is_followed(one):
            raise WorkerFailed(
                f"device {one.reader.device} was removed, or the manager is stopping"
            )

    async def _recount(self, one: Followed, report: Report) -> Recount:
        reader, limit = one.reader, one.reader.position.offset
        name = reader.device
        self._check_followed(one)
        found = await self._worker.ask({"kind": "coverage", "device": name})
        first_hour, offset = found["first_hour"], 0
        lines = 0
        while first_hour is not None and offset < limit:
            block = reader.read(offset, BLOCK_BYTES)
            if block is None or block.start >= limit:
                break
            block = _up_to(block, limit)
            request = {**block_request(one, block), "kind": "recount"}
            if offset == 0 and block.start > 0:  # retention took the beginning of this hour
                at = next((at for _, _, at in request["origins"] if at), 0.0)
                # The first hits that an hour's interval lines count again came before it.
                first_hour = max(first_hour, int(at + KEPT_SECONDS) // HOUR_SECONDS + 1)
            self._check_followed(one)
            await self._worker.ask({**request, "first_hour": first_hour}, block.data)
            offset, lines = block.end, lines + block.lines
            report(Progress(phase="recount", text=name, done=offset, total=limit))
        self._check_followed(one)
        done = await self._worker.ask({"kind": "recounted", "device": name})
        self._settle()
        return Recount(name=name, lines=lines, hours=done["hours"])

    def figures(self, name: str) -> EventFigures:
        """Position, backlog, and why it does not get on; nothing of a device that is not read."""
        one = self._followed.get(name)
        if one is None:
            return EventFigures()
        return EventFigures(
            waiting_bytes=one.reader.end - one.reader.position.offset,
            counted=dict(one.counted),
            fault=one.reading.trouble.last_error or damage(name, one.damaged),
            hits={action: dict(lists) for action, lists in one.hits.items()},
        )

    def unread(self, name: str) -> int:
        """Lines of a device's access-lists whose two ends could not be read."""
        return self.figures(name).unread

    # -- in the background --------------------------------------------------------

    def _caught_up(self, oldest: float) -> None:
        """A device is up to date; where it was not so when an hour ended, that hour can be packed now."""
        if int(oldest) // HOUR_SECONDS < int(self._wall_seconds()) // HOUR_SECONDS:
            self._settle()

    def _settle(self) -> None:
        if self.running and self._settling is None:
            self._settling = self._reactor.callLater(self.settle_seconds, self._settled)

    def _settled(self) -> None:
        self._settling = None
        self._again = True
        self._tidying.run_soon()

    async def _tidy(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            await self._expire()
            await self._pack()

    async def _expire(self) -> None:
        before = int(self._wall_seconds() - self._kept_days * 86400) // HOUR_SECONDS
        try:
            await self._worker.ask({"kind": "expire", "before_hour": before})
        except WorkerFailed as error:
            self._log.warn("cannot delete old roll-ups: {error}", error=str(error))

    async def _pack(self) -> None:
        """
        Have hours that are over packed, in moments: blocks that come meanwhile go in between.
        """
        try:
            while (await self._worker.ask({"kind": "pack"}))["more"]:
                await deferLater(self._reactor, self.pack_pause_seconds)
        except WorkerFailed as error:  # the disk is full, say
            self._log.warn("cannot pack roll-ups: {error}", error=str(error))

    def _wall_seconds(self) -> float:
        return self._now() if self._now else wall_seconds(self._reactor)


def _up_to(block: Block, limit: int) -> Block:
    """The lines of *block* before *limit*, which is a line's start."""
    if block.end <= limit:
        return block
    data = block.data[: limit - block.start]
    return evolve(block, end=limit, data=data, lines=data.count(b"\n"))
