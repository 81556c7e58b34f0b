"""
The event reader: blocks of every device's log to the worker, as they come.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tscm.clock import wall_seconds
from tscm.events.process import WorkerFailed, WorkerProcess
from tscm.events.rollups import HOUR_SECONDS
from tscm.model import Block, Json, LogReader, Progress, Report
from tscm.schedule import PeriodicService, backoff

BLOCK_BYTES = 512 << 10
LINGER_SECONDS = 1.0
RETRY_SECONDS = 5.0
RETRY_MOST_SECONDS = 300.0
EXPIRE_SECONDS = 3600.0
_AT_ONCE = 4
"""Blocks on their way to the worker, for all devices: what waits for their answer is memory."""


@define(eq=False)
class Followed:
    """
    One device whose log is read.
    """

    reader: LogReader
    names: tuple[str, str]
    """Names of the block and the allow list."""
    gone: bool = False
    ready: bool = False
    """Its position and the database's agree."""
    pause: Deferred[None] | None = None
    run: Deferred[None] | None = None
    failures: int = 0
    last_error: str | None = None
    counted: Json = field(factory=dict)
    damaged: tuple[int, ...] = ()
    """Generations that the block counted last needed, and that cannot be read."""


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
    _followed: dict[str, Followed] = field(factory=dict, init=False)
    _expiring: PeriodicService = field(init=False)
    _turns: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE), init=False)
    _recounting: DeferredLock = field(factory=DeferredLock, init=False)
    """The worker has one hour of one device in hand when it counts anew."""

    def __attrs_post_init__(self) -> None:
        self._expiring = PeriodicService(
            self._reactor, EXPIRE_SECONDS, self._expire, "expiry of roll-ups", 60.0
        )

    def startService(self) -> None:
        """Begin to read."""
        super().startService()
        self._expiring.startService()
        for one in self._followed.values():
            self._begin(one)

    def stopService(self) -> Deferred[None]:
        """Fires when the worker has ended; what it had counted stands."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        stopped = self._expiring.stopService()
        if stopped is not None:
            await stopped
        for one in self._followed.values():  # before the first is waited for: they share the worker
            self._hush(one)
        for name in list(self._followed):
            await self.leave(name)
        gone = self._worker.stop()
        if gone is not None:
            await gone

    def follow(self, name: str, reader: LogReader, block_list: str, allow_list: str) -> None:
        """Read the log of a device, or go on under other names of its lists."""
        present = self._followed.get(name)
        if present is not None:
            present.names = (block_list, allow_list)
            return
        one = self._followed[name] = Followed(reader, (block_list, allow_list))
        if self.running:
            self._begin(one)

    async def leave(self, name: str) -> None:
        """Read it no more; fires when nothing of it is under way."""
        one = self._followed.pop(name, None)
        if one is None:
            return
        self._hush(one)
        if one.run is not None:
            await one.run

    def _hush(self, one: Followed) -> None:
        one.gone = True
        if one.pause is not None:
            one.pause.cancel()

    async def forget(self, name: str) -> None:
        """Take away what was counted of a device."""
        await self._worker.ask({"kind": "forget", "device": name})

    async def rebuild(self, name: str, report: Report) -> Json:
        """
        Count anew every hour that segments and generations still cover; other hours stay.

        Following goes on afterwards.  Raises `WorkerFailed`; an hour is replaced whole or not at all.
        """
        one = self._followed.get(name)
        if one is None:
            raise WorkerFailed(f"events of {name} are not read")
        return await self._recounting.run(self._rebuild, one, report)

    async def _rebuild(self, one: Followed, report: Report) -> Json:
        self._hush(one)
        if one.run is not None:
            await one.run
        try:
            return await self._recount(one, report)
        finally:
            if self._is_followed(one):
                one.gone = one.ready = False
                if self.running:
                    self._begin(one)

    def _is_followed(self, one: Followed) -> bool:
        return self._followed.get(one.reader.device) is one

    def _check_followed(self, one: Followed) -> None:
        if not self._is_followed(one):
            raise WorkerFailed(f"device {one.reader.device} was removed, or the manager stops")

    async def _recount(self, one: Followed, report: Report) -> Json:
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
            request = {**self._request(one, block), "kind": "recount"}
            if offset == 0 and block.start > 0:  # retention took the beginning of this hour
                at = next((at for _, _, at in request["origins"] if at), 0.0)
                first_hour = max(first_hour, int(at) // HOUR_SECONDS + 1)
            self._check_followed(one)
            await self._worker.ask({**request, "first_hour": first_hour}, block.data)
            offset, lines = block.end, lines + block.lines
            report(Progress(phase="recount", text=name, done=offset, total=limit))
        self._check_followed(one)
        done = await self._worker.ask({"kind": "recounted", "device": name})
        return {"name": name, "lines": lines, "hours": done["hours"]}

    def figures(self, name: str) -> Json:
        """Position, backlog, and why it does not get on."""
        one = self._followed.get(name)
        if one is None:
            return {}
        return {
            "waiting_bytes": one.reader.end - one.reader.position.offset,
            "counted": dict(one.counted),
            "fault": one.last_error or _damage(name, one.damaged),
        }

    # -- one device -------------------------------------------------------------

    def _begin(self, one: Followed) -> None:
        one.run = Deferred.fromCoroutine(self._read_on(one))
        one.run.addErrback(
            lambda failure: self._log.failure(
                "the event reader of {device} ended", failure, device=one.reader.device
            )
        )

    async def _read_on(self, one: Followed) -> None:
        while not one.gone:
            try:
                if not one.ready:
                    await self._agree(one)
                more = await self._next_block(one)
            except (WorkerFailed, OSError) as error:
                await self._failed(one, str(error))
                continue
            except Exception as error:  # noqa: BLE001 - nothing may end the reading for good
                if not one.failures:
                    self._log.failure("the event reader of {device}", device=one.reader.device)
                await self._failed(one, f"a fault of this program: {error!r}")
                continue
            one.failures, one.last_error = 0, None
            if not more:
                await self._more(one)
                await self._pause(one, LINGER_SECONDS)

    async def _failed(self, one: Followed, cause: str) -> None:
        """Note it, and wait: longer each time."""
        one.ready = False
        one.failures += 1
        one.last_error = cause
        if one.failures == 1:
            self._log.warn("events of {device}: {error}", device=one.reader.device, error=cause)
        wait = backoff(one.failures, 1.0, first=RETRY_SECONDS, most=RETRY_MOST_SECONDS)
        await self._pause(one, wait)

    async def _agree(self, one: Followed) -> None:
        """
        Bring the cursor behind what the database has counted: a stop between the two cost nothing.

        A database that knows less than the cursor was lost or is an old backup: its counts begin
        where the cursor is (`tsadmin events rebuild` brings the rest).  One that knows more than
        the log has counted a log that is gone: somebody deleted or replaced the folder.
        """
        reader, position = one.reader, one.reader.position
        found = await self._worker.ask({"kind": "position", "device": reader.device})
        if found["offset"] < position.offset or found["offset"] > reader.end:
            found = await self._worker.ask(
                {
                    "kind": "move",
                    "device": reader.device,
                    "offset": position.offset,
                    "sent": position.sent,
                    "skipped": position.skipped,
                }
            )
        self._confirm(one, found)
        one.ready = True

    async def _next_block(self, one: Followed) -> bool:
        return await self._turns.run(self._pass_block, one)

    async def _pass_block(self, one: Followed) -> bool:
        if one.gone:
            return False
        reader = one.reader
        block = reader.read(reader.position.offset, BLOCK_BYTES)
        if block is None:
            return False
        found = await self._worker.ask(self._request(one, block), block.data)
        damaged = tuple(found.pop("damaged", ()))
        if damaged and damaged != one.damaged:
            self._log.warn(
                "events of {device}: {error}",
                device=one.reader.device,
                error=_damage(one.reader.device, damaged),
            )
        one.damaged = damaged
        self._confirm(one, found)
        return True

    def _request(self, one: Followed, block: Block) -> Json:
        origins = one.reader.origins(block.start, block.end)
        return {
            "kind": "block",
            "device": block.device,
            "start": block.start,
            "end": block.end,
            "lines": block.lines,
            "escaped": block.escaped,
            "origins": [(each.start, each.end, each.received_at) for each in origins],
            "block_list": one.names[0],
            "allow_list": one.names[1],
            "jump": block.start != one.counted.get("offset", 0),
        }

    def _confirm(self, one: Followed, found: Json) -> None:
        one.counted = found
        position = one.reader.position
        if found["offset"] > position.offset:
            one.reader.confirm(
                found["offset"],
                sent=found["sent"] - position.sent,
                skipped=found["skipped"] - position.skipped,
            )

    async def _more(self, one: Followed) -> None:
        if one.gone:
            return
        one.pause = Deferred()
        waiting = one.pause

        def notice() -> None:
            if not waiting.called:
                waiting.callback(None)

        one.reader.when_more(notice)
        try:
            await waiting
        except CancelledError:
            return
        finally:
            one.pause = None

    async def _pause(self, one: Followed, seconds: float) -> None:
        if one.gone:
            return
        one.pause = deferLater(self._reactor, seconds)
        try:
            await one.pause
        except CancelledError:
            return
        finally:
            one.pause = None

    async def _expire(self) -> None:
        now = self._now() if self._now else wall_seconds(self._reactor)
        before = int(now - self._kept_days * 86400) // HOUR_SECONDS
        try:
            await self._worker.ask({"kind": "expire", "before_hour": before})
        except WorkerFailed as error:
            self._log.warn("old roll-ups stay: {error}", error=str(error))


def _damage(name: str, generations: Sequence[int]) -> str | None:
    if not generations:
        return None
    which = ", ".join(map(str, generations))
    return (
        f"generation {which} of {name} lies damaged in the database, so lines from its time count as "
        f"no hits; `tsadmin update {name}` stores a new one"
    )


def _up_to(block: Block, limit: int) -> Block:
    """The lines of *block* before *limit*, which is a line's start."""
    if block.end <= limit:
        return block
    data = block.data[: limit - block.start]
    return evolve(block, end=limit, data=data, lines=data.count(b"\n"))
