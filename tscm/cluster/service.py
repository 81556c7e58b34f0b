"""
The lines of one log to the stream, for as long as the manager runs.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.cluster.answers import Found, Held, OutOfStep, Stored
from tscm.cluster.broker import Broker
from tscm.cluster.connection import Connection
from tscm.cluster.message import BLOCK_BYTES, Stretch, headers_of, pack, stretch_of
from tscm.cluster.standing import Confirm, Publish, Renew, next_step, renewed
from tscm.cluster.subjects import LogId
from tscm.consumers.lag import Rate
from tscm.consumers.rounds import Rounds
from tscm.forward.figures import ForwardFigures, ForwardState, with_reader
from tscm.forward.sentences import sinking
from tscm.model import Block, LogReader, Origin
from tscm.spool.log_number import log_number, new_number

LINGER_SECONDS = 1.0
"""For more to come together: a block a second costs less than one for each line."""


@frozen(eq=False)
class Site:
    """
    The cluster as all logs of a manager share it; *slots* are blocks that wait for an answer at a time.
    """

    name: str
    node: str
    broker: Broker
    slots: DeferredSemaphore


@define(eq=False)
class ClusterService(Service):
    """
    Reads the log from its cursor on and publishes block after block; the cursor moves once the servers have one.

    One block is on its way at a time, stored only behind the one before it.  Where an answer is missing, the stream is
    asked for the log's newest message first.  While there are no servers nothing is read: the log is the queue.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    _reader: LogReader
    _site: Site
    _folder: Path
    """Of the log."""
    _chance: Callable[[], float] = random.random
    _rounds: Rounds = field(init=False)
    _run: Deferred[None] | None = field(default=None, init=False)
    _id: LogId | None = field(default=None, init=False)
    _expected: int | None = field(default=None, init=False)
    """The sequence of the log's last message; None where the stream is to be asked."""

    _out_of_step: bool = field(default=False, init=False)
    """The last block was refused because of the one before it."""
    _state: ForwardState = field(default=ForwardState.OFF, init=False)
    _sent: int = field(default=0, init=False)
    _acknowledged_at: float | None = field(default=None, init=False)
    _rate: Rate = field(factory=Rate, init=False)

    def __attrs_post_init__(self) -> None:
        self._rounds = Rounds(
            self._reactor, self._reader, LINGER_SECONDS, self._round, self._few, self._chance
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
        """Fires when no block is on its way; what was not answered is asked for at the next start."""
        super().stopService()
        self._rounds.stop()
        return self._run

    def _ended(self, _: None) -> None:
        self._state = ForwardState.OFF

    def _broke(self, failure: Failure) -> None:
        self._log.failure(
            "{site}: publishing the lines of {device} stopped: internal error",
            failure,
            site=self._site.name,
            device=self._reader.device,
        )

    def _few(self) -> bool:
        return self._rounds.backlog < BLOCK_BYTES

    # -- blocks ---------------------------------------------------------------

    async def _round(self) -> bool | None:
        """Publish one block; whether to go on without a rest, None where nothing waits."""
        if not self._rounds.backlog and self._expected is not None:
            return None
        await self._rounds.awaited(self._site.slots.acquire())
        try:
            if self._expected is None:
                held = await self._find_place()
                if held is not None:
                    return self._failed(held)
            return await self._publish()
        except OSError as error:
            return self._failed(
                "cannot go on, since this host cannot save its position: "
                f"{error.strerror or error}; check the disk of the logs"
            )
        finally:
            self._site.slots.release()

    async def _find_place(self) -> str | None:
        """Learn where the stream stands; gives what hinders.  Raises `OSError`."""
        if self._id is None:
            number = await self._rounds.awaited(self._threads.run(log_number, self._folder))
            self._id = LogId(self._site.node, self._reader.device, number)
        found = await self._ask(partial(_look, subject=self._id.subject))
        if isinstance(found, Held):
            return found.sentence
        assert isinstance(found, Found)
        step = next_step(self._reader.position, self._reader.end, found.last)
        if isinstance(step, Confirm) and found.last is not None:
            step = renewed(found.last, self._block_of(found.last.stretch)) or step
        match step:
            case Publish(expected):
                self._expected = expected
            case Confirm(end=end, lines=lines, expected=expected):
                self._confirm(end, lines)
                self._expected = expected
            case Renew(why):
                self._log.warn(
                    "{device}: the log was set back: {why}; its lines go into the stream as another log",
                    device=self._reader.device,
                    why=why,
                )
                number = await self._rounds.awaited(self._threads.run(new_number, self._folder))
                self._id = evolve(self._id, number=number)
                self._expected = 0
        return None

    def _block_of(self, stretch: Stretch) -> Block | None:
        """What the log has at *stretch*."""
        return self._reader.read(stretch.start, stretch.end - stretch.start)

    async def _publish(self) -> bool | None:
        """The next block.  Raises `OSError` where the position cannot be saved."""
        assert self._id is not None
        block = self._reader.read(self._reader.position.offset, BLOCK_BYTES)
        if block is None:
            return None
        position = self._reader.position  # a read passes what has expired
        before = position.sent + position.not_selected + position.expired
        stretch = stretch_of(block, before)
        expected, self._expected = self._expected, None
        assert expected is not None
        origins = self._reader.origins(block.start, block.end)
        headers = headers_of(self._id, stretch, expected)
        answer = await self._ask(
            partial(_send, subject=self._id.subject, block=block, origins=origins, headers=headers)
        )
        match answer:
            case Stored(sequence):
                self._out_of_step = False
                self._confirm(block.end, block.lines)
                self._expected = sequence
                return True
            case OutOfStep() if not self._out_of_step:  # the stream has more of this log: ask what
                self._out_of_step = True
                return True
            case OutOfStep():
                return self._failed(
                    "has another last message of the log than it tells; if this lasts longer than 2 minutes, "
                    "check that no other manager has this one's node_id"
                )
            case Held(sentence):
                return self._failed(sentence)
        raise AssertionError(answer)

    async def _ask(self, ask: Callable[[Connection], Any]) -> Any:
        try:
            return await self._rounds.awaited(self._site.broker.run(ask))
        except CancelledError:
            if not self.running:
                raise
            return Held("gave up a request")
        except Exception as error:  # noqa: BLE001 - nothing may end the publishing for good
            self._log.failure(
                "{site}: internal error with lines of {device}",
                site=self._site.name,
                device=self._reader.device,
            )
            return Held(f"had an internal error, {type(error).__name__}; see the manager's log")

    def _confirm(self, end: int, lines: int) -> None:
        self._reader.confirm(end, sent=lines)
        self._sent += lines
        self._rate.note(self._sent, self._reactor.seconds())
        self._acknowledged_at = wall_seconds(self._reactor)
        self._state = ForwardState.CONNECTED
        self._rounds.reading.trouble = self._rounds.reading.trouble.over()

    def _failed(self, sentence: str) -> bool:
        self._state = ForwardState.WAITING
        self._rounds.reading.failed(sentence)
        if self._rounds.reading.trouble.failures == 1 and self.running:
            self._log.warn(
                "{site} {sentence}; lines of {device} are kept on disk",
                site=self._site.name,
                sentence=sentence,
                device=self._reader.device,
            )
        return False

    # -- what is shown --------------------------------------------------------

    def figures(self) -> ForwardFigures:
        """Where the publishing stands."""
        now, trouble = self._reactor.seconds(), self._rounds.reading.trouble
        figures = ForwardFigures(
            target=self._site.name,
            mode="cluster",
            state=self._state,
            connected_at=self._acknowledged_at,
            lines_per_second=round(self._rate.per_second(self._sent, now), 1),
            sent=self._sent,
        )
        figures = with_reader(figures, self._reader, trouble)
        return evolve(figures, sentence=sinking(figures, trouble, now))

    @property
    def stamp(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as failures and last error of `figures` stay."""
        return self._rounds.reading.trouble, self._state is ForwardState.CONNECTED


async def _look(connection: Connection, *, subject: str) -> Found | Held:
    return await connection.last(subject)


async def _send(
    connection: Connection,
    *,
    subject: str,
    block: Block,
    origins: Sequence[Origin],
    headers: dict[str, str],
) -> Stored | OutOfStep | Held:
    """In the broker's thread: pack and publish."""
    return await connection.publish(subject, pack(block, origins), headers)
