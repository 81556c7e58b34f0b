"""
The policy's lines of one device to the log service, batch by batch, oldest first.
"""

import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from attrs import define, evolve, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.deadline import Scope
from tscm.base.threads import Threads
from tscm.consumers.loop import Backoff, ReaderLoop
from tscm.model import LogReader, Progress, Report
from tscm.plural import many
from tscm.upload.batch import (
    NEXT_ENCODING,
    Part,
    Select,
    Stretch,
    policy_selection,
)
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.figures import UploadFigures, UploadState
from tscm.upload.outcome import RejectedBatch, UploadOutcome
from tscm.upload.picker import BLOCK_BYTES, Picker
from tscm.upload.receiver import Content, Receiver, pack
from tscm.upload.state import (
    drop_rejected,
    list_rejected,
    read_rejected,
    read_state,
    store_rejected,
    write_state,
)
from tscm.upload_format import ENCODINGS, content_digest

MAX_REFUSALS = 3
"""After so many refusals for good a batch is kept as rejected, so that it does not block those behind it."""

_JOIN_SECONDS = 2.0  # segments sealed shortly after each other go together
_RETRY_FIRST, _RETRY_MOST = 5.0, 600.0


@define(eq=False)
class UploadService(Service):
    """
    Picks lines out of sealed segments and sends them; the position moves when they are taken.

    *state* is a file of this service's own beside the log's cursors; *seal* closes the live
    segment so that what is in it may be sent; *slots* is shared by all devices.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: IReactorTime
    _threads: Threads
    _reader: LogReader
    receiver: Receiver
    _state: Path
    _seal: Callable[[], object]
    _slots: DeferredSemaphore
    interval_seconds: float = 900
    max_batch_kb: int = 8192
    retry_first_seconds: float = field(default=_RETRY_FIRST, kw_only=True)
    _select: Select = policy_selection
    _chance: Callable[[], float] = random.random
    _salt: Callable[[], str] = lambda: secrets.token_hex(8)
    _picker: Picker = field(init=False)
    _exchanges: Scope = field(factory=Scope, init=False)
    _parts: tuple[Part, ...] | None = field(default=None, init=False)  # None: not read yet
    _lock: DeferredLock = field(factory=DeferredLock, init=False)
    _run: Deferred[None] | None = field(default=None, init=False)
    _pause: Deferred[None] | None = field(default=None, init=False)
    _alarm: IDelayedCall = field(init=False)
    _reading: ReaderLoop = field(init=False)
    _encoding: str = field(default=ENCODINGS[0], init=False)
    _limit_bytes: int | None = field(default=None, init=False)
    _doing: UploadState = field(default=UploadState.OFF, init=False)
    _rejected: bool = field(default=False, init=False)
    """Whether the receiver did not know the device at the last try."""
    _last_upload_at: float | None = field(default=None, init=False)
    _last_round_at: float | None = field(default=None, init=False)
    _total: UploadOutcome = field(factory=UploadOutcome, init=False)
    _known: int = field(default=0, init=False)
    rejected_count: int = field(default=0, init=False)
    """Batches that were rejected and wait to be resent or dropped."""

    def __attrs_post_init__(self) -> None:
        self._reading = ReaderLoop(
            self._reactor,
            self._reader,
            _JOIN_SECONDS,
            self._check_segments,
            backoff=Backoff(self.retry_first_seconds, _RETRY_MOST, self._chance),
        )
        self._picker = Picker(self._reactor, self._threads, self._reader, self._select, self._salt)

    # -- life -----------------------------------------------------------------

    def startService(self) -> None:
        """Begin; what was in hand at the last stop goes first."""
        super().startService()
        self._doing = UploadState.IDLE
        self._reading.start()
        self._run = Deferred.fromCoroutine(self._retry_loop())
        self._run.addErrback(self._broke)

    def stopService(self) -> Deferred[None] | None:
        """
        Cuts the request in progress off, which goes again under the same key; fires when it has ended.
        """
        super().stopService()
        self._exchanges.cut()
        self._reading.stop()
        self._wake()
        return self._run

    def _broke(self, failure: Failure) -> None:
        self._doing = UploadState.OFF
        self._log.failure(
            "upload of {device} stopped: internal error", failure, device=self._reader.device
        )

    async def _retry_loop(self) -> None:
        seal = False
        while self.running:
            try:
                if seal:
                    self._seal()
                await self._lock.run(self._drain, None)
            except UploadFailed as failure:
                self._log.debug("{sentence}", sentence=str(failure))  # noted, and shown
            except Exception as error:  # noqa: BLE001 - nothing may end the schedule
                self._failed(
                    UploadFailed(
                        self._reader.device,
                        f"internal error: {error!r}",
                        "report it with the manager's log",
                    )
                )
                self._log.failure("upload of {device} failed", device=self._reader.device)
            if self.running:
                await self._sleep()
                seal = not self._reading.resting and self._interval_over()
        self._doing = UploadState.OFF

    def _interval_over(self) -> bool:
        last = self._last_round_at
        return last is None or self._reactor.seconds() - last >= self.interval_seconds

    async def _sleep(self) -> None:
        self._pause = Deferred()
        self._alarm = alarm = self._reactor.callLater(self._until_due(), self._wake)
        try:
            await self._pause
        finally:
            if alarm.active():
                alarm.cancel()

    def _until_due(self) -> float:
        now = self._reactor.seconds()
        due = self._reading.trouble.retry_at
        if due is None:
            due = (self._last_round_at or now) + self.interval_seconds
        return max(0.0, due - now)

    def _wake(self) -> None:
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.callback(None)

    def _check_segments(self) -> None:
        """Something was appended or sealed a while ago: is there a sealed segment now?"""
        self._reading.watch()
        if not self._reading.resting and self._waits():
            self._wake()

    def _waits(self) -> bool:
        return self._reader.read(self._reader.position.offset, 1, sealed_only=True) is not None

    # -- work -----------------------------------------------------------------

    def upload_now(self, report: Report) -> "Deferred[UploadOutcome]":
        """
        Seal and send everything, without waiting for a retry that is due later.

        Fires with what was done; fails with `UploadFailed`.
        """
        self._seal()
        return self._lock.run(self._drain, report)

    async def _drain(self, report: Report | None) -> UploadOutcome:
        outcome, begun = UploadOutcome(), self._reader.position.offset
        self._doing = UploadState.SENDING
        self._reading.go_on()
        self._last_round_at = self._reactor.seconds()
        try:
            while self.running:
                done = await self._slots.run(self._upload_next)
                if done is None:
                    break
                outcome = outcome.plus(done)
                if report is not None:
                    position, end = self._reader.position.offset, self._reader.end
                    report(
                        Progress(
                            phase="upload",
                            text=str(outcome),
                            done=position - begun,
                            total=end - begun,
                        )
                    )
        except UploadFailed as failure:
            self._failed(failure)
            raise
        except OSError as error:
            failed = UploadFailed(
                self._reader.device,
                f"cannot save the state of the current batch: {error}",
                "check the disk of the logs",
            )
            self._failed(failed)
            raise failed from error
        self._worked()
        self._doing = UploadState.IDLE
        return outcome

    def _worked(self) -> None:
        self._rejected = False
        self._reading.trouble = self._reading.trouble.over()

    def _failed(self, failure: UploadFailed) -> None:
        account = failure.kind is Kind.ACCOUNT
        tell = not self._reading.trouble.failures or (account and not self._rejected)
        self._rejected = account
        self._reading.failed(str(failure))
        self._reading.rest(least_seconds=failure.retry_after or 0.0)
        self._doing = UploadState.WAITING
        if self._pause is not None:  # asked for while the schedule sleeps, maybe for long
            self._alarm.reset(self._until_due())
        if tell and self.running:
            self._log.warn("{sentence}; lines are kept on disk", sentence=str(failure))

    async def _upload_next(self) -> UploadOutcome | None:
        """One part from the log to the receiver's answer; None when nothing is left."""
        if self._parts is None:
            self.rejected_count = len(await self.rejected_batches())
            self._parts = await self._threads.run(read_state, self._state)
        while self._parts and self._parts[0].end <= self._reader.position.offset:
            await self._keep(self._parts[1:])  # the stop came between the two
        if self._parts and self._parts[0].start > self._reader.position.offset:
            # The cursor is older than the batch (a backup, a reader dropped and made again): what
            # lies between must not be passed unsent.
            await self._keep(())
        if self._parts:
            part, stretches = self._parts[0], await self._picker.stretches(self._parts[0])
        else:
            most = min(self.max_batch_kb << 10, self._limit_bytes or self.max_batch_kb << 10)
            formed = await self._picker.form(most, self._encoding)
            if formed is None:
                return None
            part, stretches = formed
        if not any(one.lines for one in stretches):
            return await self._pass(part, stretches, None)
        return await self._send(part, stretches)

    async def _send(self, part: Part, stretches: list[Stretch]) -> UploadOutcome:
        selected = b"".join(one.selected for one in stretches)
        lines = sum(one.lines for one in stretches)
        content = await self._threads.run(pack, selected, lines, part.encoding)
        digest = content_digest(content.data)
        if not part.digest:
            part = evolve(part, digest=digest)
            await self._keep((part, *(self._parts or ())[1:]))
        try:
            known = await self._threads.run(self._exchanges.run, self.receiver.send, part, content)
        except UploadFailed as failure:
            if failure.kind is Kind.CONFLICT and digest != part.digest:
                # Our key is random, so what the receiver holds under it is this range, packed or
                # cut otherwise by an earlier try.
                known = True
            else:
                return await self._handle_failure(failure, part, stretches)
        self._last_upload_at = wall_seconds(self._reactor)
        self._known += known
        self._worked()
        return await self._pass(part, stretches, content)

    async def _handle_failure(
        self, failure: UploadFailed, part: Part, stretches: list[Stretch]
    ) -> UploadOutcome:
        """What follows from a failure; raises it where only time helps."""
        rest = (self._parts or ())[1:]
        if failure.kind is Kind.SPLIT:
            size = sum(len(one.selected) for one in stretches)
            two = await self._picker.halves(part)
            if two is not None:
                self._limit_bytes = max(BLOCK_BYTES // 2, size // 2)
                await self._keep((*two, *rest))
                return UploadOutcome()
        elif failure.kind is Kind.ENCODING and part.encoding:
            self._encoding = NEXT_ENCODING[part.encoding]
            await self._keep((evolve(part, encoding=self._encoding, digest=""), *rest))
            return UploadOutcome()
        elif failure.kind in {Kind.RETRY, Kind.ACCOUNT}:
            raise failure
        part = evolve(part, refusals=part.refusals + 1)
        await self._keep((part, *rest))
        if part.refusals < MAX_REFUSALS and failure.kind is not Kind.SPLIT:
            raise failure
        return await self._store_rejected(failure, part, stretches)

    async def _store_rejected(
        self, failure: UploadFailed, part: Part, stretches: list[Stretch]
    ) -> UploadOutcome:
        lines = sum(one.lines for one in stretches)
        aside = RejectedBatch(
            key=part.key,
            start=part.start,
            end=part.end,
            lines=lines,
            cause=failure.cause,
            at=wall_seconds(self._reactor),
        )
        selected = b"".join(one.selected for one in stretches)
        gone = await self._threads.run(store_rejected, self._folder, aside, selected)
        self.rejected_count += 1 - gone
        self._log.warn(
            (
                "upload of {device}: batch {key} of {lines} lines rejected {refusals} "
                "times; stored as a rejected batch"
            ),
            device=self._reader.device,
            key=part.key,
            lines=lines,
            refusals=part.refusals,
        )
        self._reading.noted(str(failure))
        emptied = [evolve(one, lines=0, others=one.lines + one.others) for one in stretches]
        outcome = await self._pass(part, emptied, None)
        more = UploadOutcome(aside=1)
        self._total = self._total.plus(more)
        return outcome.plus(more)

    async def _pass(
        self, part: Part, stretches: list[Stretch], content: Content | None
    ) -> UploadOutcome:
        """The part is dealt with: move the position, then forget the part."""
        position = self._reader.position.offset
        ours = [one for one in stretches if one.start >= position]  # the rest has expired meanwhile
        sent, not_selected = sum(one.lines for one in ours), sum(one.others for one in ours)
        if part.end > position:
            self._reader.confirm(part.end, sent=sent, not_selected=not_selected)
        if self._parts:
            await self._keep(self._parts[1:])
        done = UploadOutcome(not_selected=not_selected)
        if content is not None:
            done = evolve(done, batches=1, lines=content.lines, bytes=len(content.data))
        self._total = self._total.plus(done)
        return done

    async def _keep(self, parts: tuple[Part, ...]) -> None:
        await self._threads.run(write_state, self._state, parts)
        self._parts = parts

    # -- rejected batches ----------------------------------------------------

    @property
    def _folder(self) -> Path:
        return self._state.with_name("aside")

    def rejected_batches(self) -> "Deferred[list[RejectedBatch]]":
        """The batches that were rejected, oldest first."""
        return self._threads.run(list_rejected, self._folder)

    def resend_rejected(self, key: str) -> "Deferred[UploadOutcome]":
        """Send one of them again, under its old key; forgotten when it is taken."""
        return self._slots.run(self._resend_rejected, key)

    async def discard_rejected(self, key: str) -> RejectedBatch:
        """Drop one of them with its lines; gives what it was."""
        aside = await self._known_batch(key)
        await self._threads.run(drop_rejected, self._folder, key)
        self.rejected_count = len(await self.rejected_batches())
        return aside

    async def _known_batch(self, key: str) -> RejectedBatch:
        for aside in await self.rejected_batches():
            if aside.key == key:
                return aside
        raise UploadFailed(
            self._reader.device,
            f"no rejected batch {key!r}",
            f"list them with `tsadmin logs {self._reader.device} --rejected`",
            kind=Kind.REFUSED,
        )

    async def _resend_rejected(self, key: str) -> UploadOutcome:
        aside = await self._known_batch(key)
        selected = await self._threads.run(read_rejected, self._folder, key)
        part = Part(key=key, start=aside.start, end=aside.end, encoding=self._encoding)
        content = await self._threads.run(pack, selected, aside.lines, part.encoding)
        await self._threads.run(self._exchanges.run, self.receiver.send, part, content)
        await self._threads.run(drop_rejected, self._folder, key)
        self.rejected_count = len(await self.rejected_batches())
        return UploadOutcome(batches=1, lines=content.lines, bytes=len(content.data))

    # -- what is shown --------------------------------------------------------

    def figures(self) -> UploadFigures:
        """Where the uploads stand."""
        now, position, trouble = (
            self._reactor.seconds(),
            self._reader.position,
            self._reading.trouble,
        )
        to_wall = wall_seconds(self._reactor) - now
        return UploadFigures(
            state=self._doing,
            sentence=self._sentence(now),
            backlog_bytes=max(0, self._reader.end - position.offset),
            sent=position.sent,
            not_selected=position.not_selected,
            expired=position.expired,
            batches=self._total.batches,
            sent_bytes=self._total.bytes,
            repeats_known=self._known,
            rejected_batches=self.rejected_count,
            batch=self._parts[0].key if self._parts else None,
            encoding=self._encoding or "none",
            last_upload_at=self._last_upload_at,
            failures=trouble.failures,
            failing_since=trouble.since,
            retry_at=None if trouble.retry_at is None else trouble.retry_at + to_wall,
            last_error=trouble.last_error,
            last_error_at=trouble.last_error_at,
        )

    @property
    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as failures, last error and rejected batches of `figures` stay."""
        return self._reading.trouble, self.rejected_count

    def _sentence(self, now: float) -> str:
        said = self._status_text(now)
        if self.rejected_count:
            batches = many(self.rejected_count, "batch was", "batches were")
            said += f"; {batches} rejected"
        return said

    def _status_text(self, now: float) -> str:
        if self._doing is UploadState.WAITING and self._reading.resting:
            return self._reading.trouble.sentence("lines are kept on disk", now)
        if self._doing is UploadState.SENDING:
            return "upload in progress"
        if self._last_upload_at is None:
            before = self._reader.position.sent
            earlier = f"; {many(before, 'line', 'lines')} were before" if before else ""
            return (
                "nothing was uploaded since the manager started or its settings last "
                f"changed{earlier}"
            )
        expired = self._reader.position.expired
        but = f" except {many(expired, 'line', 'lines')} that expired" if expired else ""
        return f"all policy lines of rotated segments are uploaded{but}"
