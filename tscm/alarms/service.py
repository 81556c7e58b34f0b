"""
Evaluates the rules at an interval, remembers what is open, and sends what is to be told.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import random
from typing import Any, ClassVar, Protocol

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, maybeDeferred
from twisted.logger import Logger

from tscm.alarms.book import Book
from tscm.alarms.book_file import keep_book, load_book
from tscm.alarms.conditions import conditions
from tscm.alarms.counting import LOGINS, Counted, counted_on
from tscm.alarms.heartbeat import Heartbeat
from tscm.alarms.machine import Moment, Timing, grouped, step
from tscm.alarms.mutes import MUTES_MOST, Mute, MuteFaulty, read_name, refuse_end
from tscm.alarms.observed import FailedLogins, Observed
from tscm.alarms.rules import rules_in_force
from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.channels.fault import ChannelFault, ChannelStopped
from tscm.channels.figures import AlarmFigures
from tscm.channels.message import ITEMS_MOST, Item, Message, What, item
from tscm.errors import TscmError
from tscm.settings.alarm_rules import SEVERITIES
from tscm.settings.alarms import AlarmSettings

Send = Callable[[Message], Awaitable[str]]
"""Send a message; gives the other side's answer, raises `ChannelFault`."""


class Runner(Protocol):
    """Where blocking calls are made."""

    def run(self, call: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """Make the call; the answer is awaited."""


FIRST_SECONDS = 10.0
"""After the start, which has other things to do first."""
SETTLE_SECONDS = 1200.0
"""So long after the start, what is absent may only be unknown yet."""
_LATE_SECONDS = 180.0
_KEEP_SECONDS = 300.0
"""How often durations are written down that alone have changed."""
_TEST = "a test message, sent with `tsadmin alarms --test`"


@define(eq=False)
class AlarmService(Service):
    """
    Alarms of one manager.  *observe* gives its state, *senders* are the channels by name.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _files: Runner
    """Makes blocking calls on files."""
    _notices: Service
    """Threads of the channels: they live as long as the alarms do."""
    _path: Path
    """Of the book."""
    _source: str
    """The manager's name."""
    settings: AlarmSettings
    _observe: Callable[[], Awaitable[Observed]]
    senders: Mapping[str, Send] = field(factory=dict)
    heartbeat: Heartbeat | None = None
    settle_seconds: float = SETTLE_SECONDS
    logins: FailedLogins = field(factory=FailedLogins, init=False)
    """As the page has told them."""
    book: Book = field(factory=Book, init=False)
    fault: str = field(default="", init=False)
    """Why the book cannot be kept."""
    _loop: PeriodicService = field(init=False)
    _started: float = field(default=0.0, init=False)
    _looked: float | None = field(default=None, init=False)
    _kept_at: float | None = field(default=None, init=False)
    _kept: tuple[object, ...] = field(default=(), init=False)
    _sending: dict[str, Deferred[None]] = field(factory=dict, init=False)
    _writing: DeferredLock = field(factory=DeferredLock, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = PeriodicService(
            self._reactor, self.settings.check_seconds, self._look, "alarms", FIRST_SECONDS
        )

    # -- life -------------------------------------------------------------------

    def startService(self) -> None:
        """Read the book, and begin to look."""
        super().startService()
        self._notices.startService()
        self._started = self._reactor.seconds()
        try:
            self.book = load_book(self._path)
        except (OSError, ValueError) as error:
            self._log.error(
                "the file of alarms cannot be read: {error}; alarms begin from nothing, and what is "
                "wrong now is told as already open",
                error=str(error),
            )
        self._loop.startService()
        if self.heartbeat is not None:
            self.heartbeat.startService()

    async def stopService(self) -> None:
        """End; what was not sent waits in the book for the next start."""
        super().stopService()
        loops = [self._loop, *(() if self.heartbeat is None else (self.heartbeat,))]
        ends = [maybeDeferred(one.stopService) for one in loops if one.running]
        await maybeDeferred(self._notices.stopService)  # cuts off what is being sent
        await DeferredList([*ends, *self._sending.values()], consumeErrors=True)
        if self._looked is not None:
            await self._keep()

    def look_soon(self) -> None:
        """Bring the next look forward to now."""
        self._loop.run_soon()

    @property
    def alive(self) -> bool:
        """Are the rules evaluated, as they should be?"""
        longest = max(_LATE_SECONDS, 3 * self.settings.check_seconds)
        return self._looked is not None and self._reactor.seconds() - self._looked < longest

    def figures(self) -> AlarmFigures:
        """In numbers."""
        heard = [one for one in self.book.open if not one.muted]
        return AlarmFigures(
            open={
                severity: sum(one.severity == severity for one in heard) for severity in SEVERITIES
            },
            muted=len(self.book.open) - len(heard),
            looked_at=self.book.looked_at,
            channels=self.book.outbox.figures(),
            heartbeat_at=None if self.heartbeat is None else self.heartbeat.sent_at,
            heartbeat_error=None if self.heartbeat is None else self.heartbeat.error,
            fault=self.fault,
        )

    # -- looks ------------------------------------------------------------------

    async def _look(self) -> None:
        seen = await self._observe()
        now, steady = wall_seconds(self._reactor), self._reactor.seconds()
        first = self._looked is None
        moment = Moment(
            now=now,
            elapsed=0.0 if self._looked is None else max(0.0, steady - self._looked),
            down=max(0.0, now - self.book.looked_at) if first and self.book.looked_at else 0.0,
            settled=steady - self._started >= self.settle_seconds or not self.book.rules,
        )
        self._looked = steady
        self.book = evolve(
            self.book, outbox=self.book.outbox.passed(moment.elapsed + moment.down, now)
        )
        self._evaluate(seen, moment)
        self._post(now)
        self.deliver()
        await self._keep_if_changed(steady)

    def _evaluate(self, seen: Observed, moment: Moment) -> None:
        rules = rules_in_force(self.settings)
        before = {one.name: one for one in self.book.counted}
        counted: dict[str, Counted] = {
            name: counted_on(before.get(name), name, value, moment.elapsed)
            for name, value in (*seen.kernel_drops.items(), (LOGINS, seen.logins.count))
        }
        was_open = {one.name for one in self.book.open}
        timing = Timing(
            good_after=self.settings.good_after_minutes * 60, good_again=self.settings.good_again
        )
        self.book = step(
            evolve(self.book, counted=tuple(counted.values())),
            conditions(seen, rules, counted, was_open),
            rules,
            moment,
            timing,
        )

    def _post(self, now: float) -> None:
        """Put what has waited for long enough in line for its channels."""
        self.book, items = grouped(self.book, self.settings.group_seconds)
        outbox = self.book.outbox
        for channel, some in items.items():
            outbox = outbox.put(channel, self._message(some, now), now)
        self.book = evolve(self.book, outbox=outbox)
        for one in dict.fromkeys(one for some in items.values() for one in some):
            self._log.info(
                "alarm {what}: {name}: {sentence}",
                what=str(one.what),
                name=one.name,
                sentence=one.sentence,
            )

    def _message(self, items: tuple[Item, ...], now: float) -> Message:
        return Message(
            id=secrets.token_hex(12),
            source=self._source,
            at=now,
            items=items[:ITEMS_MOST],
            more=max(0, len(items) - ITEMS_MOST),
        )

    # -- sending ----------------------------------------------------------------

    def deliver(self) -> None:
        """Send what may be sent now, one message after the other on each channel."""
        for channel in dict.fromkeys(one.channel for one in self.book.outbox.parcels):
            if channel not in self._sending and self.book.outbox.next(channel) is not None:
                sending = Deferred.fromCoroutine(self._deliver(channel))
                if not sending.called:
                    self._sending[channel] = sending
                    sending.addBoth(self._delivered, channel)

    def _delivered(self, _: Any, channel: str) -> None:
        self._sending.pop(channel, None)

    async def _deliver(self, channel: str) -> None:
        while self.running and (parcel := self.book.outbox.next(channel)) is not None:
            try:
                answer = await self._send(channel, parcel.message)
            except ChannelStopped:
                return
            except TscmError as error:
                outbox = self.book.outbox.failed(
                    parcel,
                    wall_seconds(self._reactor),
                    str(error),
                    random(),  # noqa: S311 - spreads a pause
                )
                self._log.warn(
                    "alarms cannot be sent by {channel}: {error}; retrying, and given up after a day",
                    channel=channel,
                    error=str(error),
                )
            else:
                outbox = self.book.outbox.sent(parcel, wall_seconds(self._reactor), answer)
            self.book = evolve(self.book, outbox=outbox)

    async def _send(self, channel: str, message: Message) -> str:
        send = self.senders.get(channel)
        if send is None:
            raise ChannelFault(f"there is no channel {channel}")
        try:
            return await send(message)
        except TscmError:
            raise
        except Exception as error:  # noqa: BLE001 - the message waits, whatever happened
            self._log.failure("sending by {channel} failed", channel=channel)
            raise ChannelFault(f"internal error: {type(error).__name__}: {error}") from None

    async def test(self, channel: str) -> str:
        """Send a test message now; gives the other side's answer.  Raises `ChannelFault`."""
        now = wall_seconds(self._reactor)
        one = item(What.TEST, "test", "warning", _TEST, now)
        return await self._send(channel, self._message((one,), now))

    def note_logins(self, more: FailedLogins) -> None:
        """Logins to the page have failed."""
        self.logins = self.logins.and_more(more)

    # -- mutes ------------------------------------------------------------------

    def mute(self, name: str, until: float | None, reason: str, by: str) -> Mute:
        """Send nothing about alarms of this name until then.  Raises `MuteFaulty`."""
        now = wall_seconds(self._reactor)
        made = Mute(name=read_name(name), since=now, until=until, reason=reason, by=by)
        refuse_end(until, now)
        others = tuple(
            one for one in self.book.mutes if one.name != made.name and not one.over(now)
        )
        if len(others) >= MUTES_MOST:
            raise MuteFaulty(f"{MUTES_MOST} names are muted already; unmute some of them")
        self.book = evolve(self.book, mutes=(*others, made))
        return made

    def unmute(self, name: str) -> Mute:
        """End a mute by its name.  Raises `MuteFaulty`."""
        found = next((one for one in self.book.mutes if one.name == name), None)
        if found is None:
            raise MuteFaulty(
                f"{read_name(name)} is not muted; `tsadmin alarms` lists what is muted"
            )
        self.book = evolve(
            self.book, mutes=tuple(one for one in self.book.mutes if one is not found)
        )
        return found

    async def keep(self) -> None:
        """Write the book now: an operator has decided something."""
        await self._keep()

    # -- the book ---------------------------------------------------------------

    async def _keep_if_changed(self, steady: float) -> None:
        book = self.book
        state = (
            book.rules,
            book.mutes,
            book.ended,
            [(one.name, one.opened_at, one.told_as, one.muted) for one in book.alarms],
            book.pending,
            [(one.channel, one.message.id) for one in book.outbox.parcels],
            book.outbox.deliveries,
        )
        old = self._kept_at is None or steady - self._kept_at >= _KEEP_SECONDS
        if old or state != self._kept:
            self._kept, self._kept_at = state, steady
            await self._keep()

    async def rename_device(self, name: str, to: str) -> None:
        """A device has another name now; fires when that is on the disk, or told as a fault."""
        renamed = self.book.renamed(name, to)
        if renamed != self.book:
            self.book = renamed
            await self._keep()

    async def _keep(self) -> None:
        await self._writing.acquire()
        try:
            await self._files.run(keep_book, self._path, self.book)
        except OSError as error:
            fault = f"the file of alarms cannot be written: {error}; check the disk and its owner"
            if fault != self.fault:
                self._log.error("{fault}", fault=fault)
            self.fault = fault
        else:
            self.fault = ""
        finally:
            self._writing.release()
