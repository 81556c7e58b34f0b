"""
Rounds over all devices that have something new: what the event worker is asked, and when.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from tscm.consumers.loop import Backoff, ReaderLoop
from tscm.consumers.trouble import Trouble
from tscm.events.process import WorkerFailed, WorkerProcess
from tscm.model import Block, Json, LogReader, Stretch

BLOCK_BYTES = 512 << 10
"""Lines that go with one request, of one device or of many."""
STRETCH_BYTES = 2 << 20
"""Lines that the worker reads for one request."""
_STRETCH_LEAST = 128 << 10
LINGER_SECONDS = 1.0
"""From the first line not yet looked at to the round that takes it and all others."""
LINGER_MOST_SECONDS = 3.0
LINGER_DEVICE_SECONDS = 0.003
"""
The round lingers so long for each device that the last one had, for each takes some tenths of a millisecond of both
processes, however few its lines are: with a thousand devices a round a second would take a quarter of a core.
"""
RETRY_SECONDS = 5.0
RETRY_MOST_SECONDS = 300.0
_PARTS_MOST = 256
_AT_ONCE = 2
"""Requests on their way to the worker: what waits for their answer is memory."""
_NAMED = 3


@define(eq=False)
class Followed:
    """
    One device whose log is read.
    """

    reader: LogReader
    names: tuple[str, str]
    """Names of the block and the allow list."""
    access_lists: tuple[str, ...] = ()
    """Those whose lines can be hits; none: all."""
    form: str = ""
    """The type of the firewall, which says how its lines are read."""
    tested: tuple[str, ...] = ()
    """What tests of the chain blocked lately, which is in no generation."""
    gone: bool = False
    ready: bool = False
    """Its position and the database's agree."""
    moves: bool = False
    """The database has to begin where the cursor is."""
    carried: bool = False
    """The worker could not read its lines, so that the next of them go with the request."""
    behind: bool = False
    """There was more in the log than the block that was read last."""
    queued: bool = False
    under_way: bool = False
    reading: ReaderLoop = field(init=False)
    waiting: list[Deferred[None]] = field(factory=list)
    """For what is in progress to end."""
    oldest: float | None = None
    """When the first line was received of those that were read since it last was up to date."""
    counted: Json = field(factory=dict)
    hits: dict[str, Counter[str]] = field(factory=dict)
    """Since this process began: by action, and by name of the list."""
    damaged: tuple[int, ...] = ()
    """Generations that the block counted last needed, and that cannot be read."""


@define(eq=False)
class _Batch:
    """
    One request: parts of several devices, never two of one.
    """

    most_bytes: int
    devices: list[Followed] = field(factory=list)
    parts: list[Json] = field(factory=list)
    data: list[bytes] = field(factory=list)
    size: int = 0
    to_read: int = 0

    def add(self, one: Followed, part: Json, data: bytes = b"", to_read: int = 0) -> None:
        self.devices.append(one)
        self.parts.append({**part, "size": len(data)})
        self.data.append(data)
        self.size += len(data)
        self.to_read += to_read

    def has_room(self) -> bool:
        return (
            self.size < self.most_bytes
            and self.to_read < STRETCH_BYTES - _STRETCH_LEAST
            and len(self.parts) < _PARTS_MOST
        )


@define(eq=False)
class Rounds:
    """
    Takes blocks of all devices to the worker: small ones together, large ones as they come.

    A line costs little in company and much alone: a request wakes another process, and its
    transaction is written to the database's log.  So a device with something new waits for the
    round, a second at most, and up to three with many devices (`linger`).  One that is behind by more than a block is not held up by that.  A
    device whose last try failed goes alone, so that what it failed on affects no other device.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _worker: WorkerProcess
    _caught_up: Callable[[float], None]
    """Told of a device that is up to date again, by its `oldest`."""
    _upheaval: Callable[[str, Mapping[str, float]], None] = lambda _name, _messages: None
    """Told by device which messages of `UPHEAVALS` were received, and when."""
    retry_first_seconds: float = field(default=RETRY_SECONDS, kw_only=True)
    retry_most_seconds: float = field(default=RETRY_MOST_SECONDS, kw_only=True)
    block_bytes: int = field(default=BLOCK_BYTES, kw_only=True)
    _due: deque[Followed] = field(factory=deque, init=False)
    _heard: list[Followed] = field(factory=list, init=False)
    """Those with something new since the last round."""
    _last_heard: int = field(default=0, init=False)
    """Devices of the last round."""
    _timer: IDelayedCall | None = field(default=None, init=False)
    _under_way: int = field(default=0, init=False)
    _going_on: bool = field(default=False, init=False)

    def follow(
        self,
        reader: LogReader,
        names: tuple[str, str],
        access_lists: tuple[str, ...] = (),
        form: str = "",
    ) -> Followed:
        """A device whose log can be read: see `begin`."""
        one = Followed(reader, names, access_lists, form)
        one.reading = ReaderLoop(
            self._reactor,
            reader,
            0.0,  # the round lingers, for all devices together
            partial(self._noticed, one),
            backoff=Backoff(self.retry_first_seconds, self.retry_most_seconds),
            retry=partial(self._again, one),
        )
        return one

    def begin(self, one: Followed) -> None:
        """Read a device's log from now on; its position is held against the database's first."""
        one.gone = one.ready = one.moves = False
        one.reading.start()
        self._queue(one)
        self._go_on()

    def end(self, one: Followed) -> Deferred[None]:
        """Read it no more; fires when nothing of it is in progress."""
        one.gone = True
        one.reading.stop()
        if one.queued:
            (self._due if one in self._due else self._heard).remove(one)
            one.queued = False
        if not self._heard and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not one.under_way:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        one.waiting.append(waiting)
        return waiting

    # -- who is next ------------------------------------------------------------

    def _noticed(self, one: Followed) -> None:
        if not one.gone and not one.queued and not one.under_way and not one.reading.resting:
            self._hear(one)

    def _queue(self, one: Followed) -> None:
        one.queued = True
        self._due.append(one)

    def _hear(self, one: Followed) -> None:
        one.queued = True
        self._heard.append(one)
        if self._timer is None:
            self._timer = self._reactor.callLater(linger(self._last_heard), self._round)

    def _round(self) -> None:
        self._timer = None
        heard, self._heard = self._heard, []
        self._last_heard = len(heard)
        self._due.extend(heard)
        self._go_on()

    def _go_on(self) -> None:
        if self._going_on:  # an answer that was there at once
            return
        self._going_on = True
        try:
            while self._due and self._send_next():
                pass
        finally:
            self._going_on = False

    def _send_next(self) -> bool:
        """One request, or nothing where none of those that are due had more; False: no place."""
        places = _AT_ONCE if self._due[0].reading.trouble.failures else 1
        if self._under_way + places > _AT_ONCE:
            return False
        batch = self._batch()
        if batch.parts:
            self._under_way += places
            self._send(batch).addBoth(partial(self._answered, places))
        return True

    def _answered(self, places: int, _: object) -> None:
        self._under_way -= places
        self._go_on()

    def _batch(self) -> _Batch:
        """As many of those that are due as one request holds."""
        batch = _Batch(self.block_bytes)
        while self._due and batch.has_room():
            one = self._due[0]
            if one.reading.trouble.failures and batch.parts:
                break
            self._due.popleft()
            one.queued = False
            try:
                self._add_part(batch, one)
            except Exception as error:  # noqa: BLE001 - one log must not hinder the others
                self._stumbled(one, error)
            if one.reading.trouble.failures:
                break
        return batch

    def _add_part(self, batch: _Batch, one: Followed) -> None:
        reader = one.reader
        if not one.ready:
            position = reader.position
            part: Json = {"kind": "move" if one.moves else "position", "device": reader.device}
            if one.moves:
                part |= {
                    "offset": position.offset,
                    "sent": position.sent,
                    "not_selected": position.not_selected,
                }
            batch.add(one, part)
        else:
            found = self._next_of(one, batch)
            if found is None:
                one.reading.watch()
                return
            one.behind = found.end < reader.end
            request = block_request(one, found)
            times = [at for _, _, at in request["origins"] if at]
            one.oldest = min(times if one.oldest is None else [one.oldest, *times], default=None)
            if isinstance(found, Stretch):
                batch.add(one, request, to_read=found.end - found.start)
            else:
                batch.add(one, request, found.data)
        one.under_way = True

    def _next_of(self, one: Followed, batch: _Batch) -> Block | Stretch | None:
        """
        What the worker reads itself where it can: no line goes through a pipe that is of no interest.
        """
        reader, offset = one.reader, one.reader.position.offset
        if not one.carried:
            found = reader.stretch(offset, STRETCH_BYTES - batch.to_read)
            if found is not None:
                return found
        one.carried = False
        return reader.read(offset, self.block_bytes - batch.size)

    # -- asking -----------------------------------------------------------------

    def _send(self, batch: _Batch) -> Deferred[None]:
        request = {"kind": "many", "parts": batch.parts}
        asked = maybeDeferred(self._worker.ask, request, b"".join(batch.data))
        return asked.addCallbacks(
            lambda found: self._apply_responses(batch, found["parts"]),
            lambda failure: self._all_failed(batch, failure.value),
        ).addErrback(
            lambda failure: self._log.failure(
                "cannot process a response of the event worker", failure
            )
        )

    def _all_failed(self, batch: _Batch, error: Exception) -> None:
        self._warn([one for one in batch.devices if not one.reading.trouble.failures], str(error))
        for one in batch.devices:
            self._apply_response(one, {"error": str(error)}, told=True)

    def _apply_responses(self, batch: _Batch, found: Sequence[Json]) -> None:
        for one, answer in zip(batch.devices, found, strict=True):
            self._apply_response(one, answer)

    def _apply_response(self, one: Followed, answer: Json, *, told: bool = False) -> None:
        """One device's part of an answer, and what follows for it."""
        one.under_way = False
        try:
            if "error" in answer:
                raise WorkerFailed(answer["error"])
            self._carry_out(one, answer["answer"])
        except (WorkerFailed, OSError) as error:
            self._failed(one, str(error), told=told)
        except Exception as error:  # noqa: BLE001 - nothing may end the reading for good
            self._stumbled(one, error)
        else:
            one.reading.trouble = Trouble()
            self._follow_on(one)
        waiting, one.waiting = one.waiting, []
        for each in waiting:
            each.callback(None)

    def _carry_out(self, one: Followed, found: Json) -> None:
        if not one.ready:
            self._agree(one, found)
            return
        if found.pop("carry", False):
            one.carried = one.behind = True
            return
        damaged = tuple(found.pop("damaged", ()))
        if damaged and damaged != one.damaged:
            self._warn([one], damage(one.reader.device, damaged) or "")
        one.damaged = damaged
        upheavals = found.pop("upheavals", None)
        for action, lists in found.pop("hits", {}).items():
            one.hits.setdefault(action, Counter()).update(lists)
        _confirm(one, found)
        if upheavals:
            self._upheaval(one.reader.device, upheavals)

    def _agree(self, one: Followed, found: Json) -> None:
        """
        Bring the cursor behind what the database has counted: a stop between the two cost nothing.

        A database that knows less than the cursor was lost or is an old backup: its counts begin
        where the cursor is (`tsadmin events rebuild` brings the rest).  One that knows more than
        the log has counted a log that is gone: another process deleted or replaced the folder.
        """
        reader = one.reader
        known = reader.position.offset <= found["offset"] <= reader.end
        if not known and not one.moves:
            one.moves = one.behind = True
            return
        _confirm(one, found)
        one.moves, one.ready, one.behind = False, True, True

    def _follow_on(self, one: Followed) -> None:
        if one.gone:
            return
        if one.behind:
            self._queue(one)
            return
        if one.oldest is not None:
            oldest, one.oldest = one.oldest, None
            self._caught_up(oldest)
        if one.reader.position.offset < one.reader.end:
            self._hear(one)
        else:
            one.reading.watch()

    # -- what fails ---------------------------------------------------------------

    def _stumbled(self, one: Followed, error: Exception) -> None:
        if not one.reading.trouble.failures:
            self._log.failure("the event reader of {device}", device=one.reader.device)
        self._failed(one, f"internal error: {error!r}")

    def _failed(self, one: Followed, cause: str, *, told: bool = False) -> None:
        """Note it, and try again later: after longer each time."""
        one.ready = one.moves = False
        one.reading.failed(cause)
        if one.reading.trouble.failures == 1 and not told:
            self._warn([one], cause)
        if not one.gone:
            one.reading.rest()

    def _again(self, one: Followed) -> None:
        self._queue(one)
        self._go_on()

    def _warn(self, devices: Sequence[Followed], cause: str) -> None:
        """One line, however many devices it befell."""
        if devices:
            names = ", ".join(one.reader.device for one in devices[:_NAMED])
            more = len(devices) - _NAMED
            self._log.warn(
                "events of {devices}: {error}",
                devices=f"{names} and {more} more" if more > 0 else names,
                error=cause,
            )


def block_request(one: Followed, block: Block | Stretch) -> Json:
    """What the worker has to know of lines that go with the request, or that it reads itself."""
    origins = one.reader.origins(block.start, block.end)
    where: Json = {}
    if isinstance(block, Stretch):
        where = {"folder": block.folder, "base": block.base, "inode": block.inode}
    return {
        **where,
        "kind": "block",
        "device": one.reader.device,
        "start": block.start,
        "end": block.end,
        "lines": block.lines,
        "origins": [(each.start, each.end, each.received_at) for each in origins],
        "block_list": one.names[0],
        "allow_list": one.names[1],
        "access_lists": one.access_lists,
        "form": one.form,
        "tested": one.tested,
        "jump": block.start != one.counted.get("offset", 0),
    }


def linger(devices: int) -> float:
    """Seconds from the first line to the round, after a round of so many *devices*."""
    return min(LINGER_MOST_SECONDS, max(LINGER_SECONDS, devices * LINGER_DEVICE_SECONDS))


def damage(name: str, generations: Sequence[int]) -> str | None:
    """What to say of generations that cannot be read."""
    if not generations:
        return None
    which = ", ".join(map(str, generations))
    return (
        f"generation {which} of {name} is damaged in the database, so lines from its "
        f"period count as no hits; store a new one with `tsadmin update {name}`"
    )


def _confirm(one: Followed, found: Json) -> None:
    one.counted = found
    position = one.reader.position
    if found["offset"] > position.offset:
        one.reader.confirm(
            found["offset"],
            sent=found["sent"] - position.sent,
            not_selected=found["not_selected"] - position.not_selected,
        )
