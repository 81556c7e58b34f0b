"""
Lines of one device to one sink, for as long as the manager runs.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.deadline import Scope
from tscm.base.threads import Threads
from tscm.consumers.lag import Rate
from tscm.consumers.rounds import Rounds
from tscm.forward.figures import ForwardFigures, ForwardState, with_reader
from tscm.forward.sentences import sinking
from tscm.model import Block, LogReader
from tscm.plural import many
from tscm.settings.sinks import SinkSettings
from tscm.sinks.outcome import Failed, Outcome, Refused, Taken
from tscm.sinks.pace import Next, Pace
from tscm.sinks.records import Piece, Records, records_of
from tscm.spool.log_number import log_number

_BLOCK_BYTES = 64 << 10
_STOP_SECONDS = 2.0


class Sender(Protocol):
    """What carries batches to a sink."""

    def send(self, records: Records) -> Outcome:
        """Send one batch.  Blocking and bounded; raises nothing that is foreseen."""

    def close(self) -> None:
        """Let connections go."""


@frozen
class Outlet:
    """
    One sink, as all devices share it.
    """

    settings: SinkSettings
    sender: Sender
    slots: DeferredSemaphore


@frozen
class _Batch:
    """Pieces of the log from *start* up to *end*."""

    pieces: Sequence[Piece]
    start: int
    end: int
    lines: int


@define(eq=False)
class SinkService(Service):
    """
    Reads the log from its cursor on and sends batches; the cursor moves once the sink has acknowledged one.

    One batch at a time, so that lines keep their order.  While the sink is away nothing is read and nothing is held
    in memory: the log is the queue.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    _reader: LogReader
    _outlet: Outlet
    _folder: Path
    """Of the log."""
    _chance: Callable[[], float] = random.random
    _rounds: Rounds = field(init=False)
    _scope: Scope = field(factory=Scope, init=False)
    _pace: Pace = field(factory=Pace, init=False)
    _run: Deferred[None] | None = field(default=None, init=False)
    _sending: bool = field(default=False, init=False)
    _state: ForwardState = field(default=ForwardState.OFF, init=False)
    _sent: int = field(default=0, init=False)
    _repeated: int = field(default=0, init=False)
    _altered: int = field(default=0, init=False)
    _rejected: int = field(default=0, init=False)
    _acknowledged_at: float | None = field(default=None, init=False)
    _rate: Rate = field(factory=Rate, init=False)
    _asked_until: int = field(default=0, init=False)
    """What lies before it was sent once, and may have arrived."""

    def __attrs_post_init__(self) -> None:
        self._rounds = Rounds(
            self._reactor,
            self._reader,
            self._outlet.settings.linger_seconds,
            self._round,
            self._few,
            self._chance,
        )

    # -- life -----------------------------------------------------------------

    def startService(self) -> None:
        """Begin with what waits."""
        super().startService()
        self._state = ForwardState.CONNECTING
        self._run = self._rounds.start()
        self._run.addErrback(self._broke)
        self._run.addCallback(self._ended)

    def stopService(self) -> Deferred[None] | None:
        """Fires when no batch is in progress; one that takes longer than a moment is cut off, and sent again later."""
        super().stopService()
        self._rounds.stop()
        if self._sending:
            cut = self._reactor.callLater(_STOP_SECONDS, self._scope.cut)
            assert self._run is not None
            self._run.addBoth(lambda _: cut.cancel() if cut.active() else None)
        return self._run

    def _ended(self, _: None) -> None:
        self._state = ForwardState.OFF

    def _broke(self, failure: Failure) -> None:
        self._log.failure(
            "{sink}: sending the lines of {device} stopped: internal error",
            failure,
            sink=str(self._outlet.settings),
            device=self._reader.device,
        )

    def _few(self) -> bool:
        return not self._pace.probing and self._rounds.backlog < self._bytes

    # -- batches --------------------------------------------------------------

    async def _round(self) -> bool | None:
        """
        Send one batch; whether to go on without a rest, None where nothing waits.

        It is read once there is a slot for it: hundreds of devices wait for those of a sink that does not answer.
        """
        await self._rounds.awaited(self._outlet.slots.acquire())
        try:
            batch = self._next_batch(self._reader.position.offset, self._pace.limit)
            return None if batch is None else await self._once(batch)
        finally:
            self._outlet.slots.release()

    async def _once(self, batch: _Batch) -> bool:
        """Send *batch* and do what its outcome asks for; whether to go on without a rest."""
        outcome = await self._sent_to_sink(batch)
        newest = None
        if isinstance(outcome, Refused) and batch.lines == 1:
            newest = self._newest(batch.end)
        self._pace, what = self._pace.after(outcome, batch.lines, newer=newest is not None)
        if what is Next.PROBE and newest is not None and self.running:
            assert isinstance(outcome, Refused)
            refusal = outcome.sentence
            outcome = await self._sent_to_sink(newest, ahead=True)
            self._pace, what = self._pace.after(outcome, newest.lines, newer=False)
            if what is Next.REJECT:
                outcome = Taken(rejected=1, cause=refusal)
        match outcome:
            case Taken() as taken:
                return self._confirm(batch, taken)
            case Refused() if what is Next.AGAIN:
                return True
            case Refused() | Failed():
                self._failed(outcome)
                return False

    async def _sent_to_sink(self, batch: _Batch, *, ahead: bool = False) -> Outcome:
        self._sending = True
        try:
            outcome, altered = await self._in_thread(batch.pieces)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - nothing may end the sending for good
            self._log.failure(
                "{sink}: internal error with lines of {device}",
                sink=str(self._outlet.settings),
                device=self._reader.device,
            )
            return Failed(f"had an internal error, {type(error).__name__}; see the manager's log")
        finally:
            self._sending = False
        if ahead:  # the line comes again in its turn
            self._repeated += isinstance(outcome, Taken)
            return outcome
        self._altered += altered
        self._repeated += sum(lines_before(one.block, self._asked_until) for one in batch.pieces)
        if isinstance(outcome, Failed):  # it may have them all the same
            self._asked_until = max(self._asked_until, batch.end)
        return outcome

    def _in_thread(self, pieces: Sequence[Piece]) -> Deferred[tuple[Outcome, int]]:
        sender, now = self._outlet.sender, wall_seconds(self._reactor)
        send = partial(_send, sender, self._reader.device, pieces, now, self._folder)
        return self._threads.run(self._scope.run, send)

    def _confirm(self, batch: _Batch, taken: Taken) -> bool:
        sent = batch.lines - taken.rejected
        try:
            self._reader.confirm(batch.end, sent=sent, not_selected=taken.rejected)
        except OSError as error:
            self._state = ForwardState.WAITING
            self._rounds.reading.failed(
                "has the lines, but this host cannot save its position: "
                f"{error.strerror or error}; check the disk of the logs"
            )
            return False
        self._sent += sent
        self._rate.note(self._sent, self._reactor.seconds())
        self._acknowledged_at = wall_seconds(self._reactor)
        self._state = ForwardState.CONNECTED
        self._rounds.reading.trouble = self._rounds.reading.trouble.over()
        if taken.rejected:
            self._note_rejected(taken)
        return True

    def _note_rejected(self, taken: Taken) -> None:
        """Told for the first and each hundredth: a sink that rejects much would fill the log with it."""
        before, self._rejected = self._rejected, self._rejected + taken.rejected
        if not before or before // 100 != self._rejected // 100:
            self._log.warn(
                "{sink} rejected {lines} of {device}: {cause}; they stay in the device's log",
                sink=str(self._outlet.settings),
                lines=many(self._rejected, "line", "lines"),
                device=self._reader.device,
                cause=taken.cause,
            )

    def _failed(self, why: Refused | Failed) -> None:
        self._state = ForwardState.WAITING
        self._rounds.reading.failed(why.sentence)
        self._rounds.least_rest_seconds = why.wait_seconds if isinstance(why, Failed) else 0.0
        if self._rounds.reading.trouble.failures == 1 and self.running:
            self._log.warn(
                "{sink} {sentence}; lines of {device} are kept on disk",
                sink=str(self._outlet.settings),
                sentence=why.sentence,
                device=self._reader.device,
            )

    # -- what is read -----------------------------------------------------------

    @property
    def _bytes(self) -> int:
        return self._outlet.settings.batch_kb << 10

    def _next_batch(self, offset: int, most_lines: int) -> _Batch | None:
        """Whole lines from *offset* on, up to the bounds of a batch."""
        pieces: list[Piece] = []
        lines, size, at = 0, 0, offset
        while lines < most_lines and size < self._bytes:
            block = self._read(at, min(_BLOCK_BYTES, self._bytes - size), most_lines - lines)
            if block is None or (pieces and block.start != at):
                break
            pieces.append(Piece(block, self._reader.origins(block.start, block.end)))
            lines, size, at = lines + block.lines, size + len(block.data), block.end
        if not pieces:
            return None
        return _Batch(pieces, pieces[0].block.start, pieces[-1].block.end, lines)

    def _read(self, offset: int, most_bytes: int, most_lines: int) -> Block | None:
        """A block of *most_lines* at most: read again to its end, for a log knows positions that it gave itself."""
        block = self._reader.read(offset, most_bytes)
        if block is None or block.lines <= most_lines:
            return block
        return self._reader.read(block.start, bytes_of_lines(block.data, most_lines))

    def _newest(self, behind: int) -> _Batch | None:
        """The last line of the log, or the next one behind *behind*; None where there is none."""
        block = self._reader.last_line()
        if block is None or block.start < behind:
            block = self._read(behind, 1, 1)
        if block is None:
            return None
        return _Batch(
            [Piece(block, self._reader.origins(block.start, block.end))], block.start, block.end, 1
        )

    # -- what is shown ------------------------------------------------------------

    def figures(self) -> ForwardFigures:
        """Where the sink stands."""
        now, trouble = self._reactor.seconds(), self._rounds.reading.trouble
        sink = self._outlet.settings
        figures = ForwardFigures(
            target=str(sink),
            mode=sink.type,
            state=self._state,
            connected_at=self._acknowledged_at,
            lines_per_second=round(self._rate.per_second(self._sent, now), 1),
            sent=self._sent,
            repeated=self._repeated,
            altered=self._altered,
            rejected=self._rejected,
        )
        figures = with_reader(figures, self._reader, trouble)
        return evolve(figures, sentence=sinking(figures, trouble, now))

    @property
    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as failures and last error of `figures` stay."""
        return self._rounds.reading.trouble, self._state is ForwardState.CONNECTED


def bytes_of_lines(data: bytes, lines: int) -> int:
    """How many bytes the first *lines* of *data* have, their LF included."""
    at = 0
    for _ in range(lines):
        at = data.index(b"\n", at) + 1
    return at


def lines_before(block: Block, offset: int) -> int:
    """How many lines of *block* begin before *offset* of the log."""
    if block.end <= offset:
        return block.lines
    return block.data.count(b"\n", 0, max(0, offset - block.start))


def _send(
    sender: Sender, device: str, pieces: Sequence[Piece], now: float, folder: Path
) -> tuple[Outcome, int]:
    """For a thread: from the bytes of the log to the sink's answer, and how many lines were altered for it."""
    try:
        log = log_number(folder)
    except OSError as error:
        why = error.strerror or str(error)
        return Failed(f"was sent nothing: {folder}: {why}; check the disk of the logs"), 0
    records = records_of(device, pieces, now, log)
    return sender.send(records), records.altered
