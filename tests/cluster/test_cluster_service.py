"""
From the log to the stream: every line once and in order, whatever answers are lost.
"""

from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred, succeed
from twisted.internet.task import Clock

from tests.memory_log import MemoryLog
from tscm.cluster.answers import Found, Held, OutOfStep, Stored
from tscm.cluster.message import EXPECTED, MESSAGE_ID, Last, read_stretch, unpack
from tscm.cluster.service import ClusterService, Site
from tscm.model import Position
from tscm.spool.log_number import log_number

STORED, LOST, REFUSED, DUPLICATE = "stored", "stored, answer lost", "refused", "known by its id"


@define(eq=False)
class TwinStream:
    """A stream as JetStream keeps it, whose next answers are given by *faults*."""

    messages: dict[str, list[tuple[int, dict[str, str], bytes]]] = field(factory=dict)
    sequence: int = 0
    faults: list[str] = field(factory=list)
    asked: int = 0

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str]
    ) -> Stored | OutOfStep | Held:
        fault = self.faults.pop(0) if self.faults else STORED
        kept = self.messages.setdefault(subject, [])
        if fault == REFUSED:
            return Held("is full")
        if fault == DUPLICATE and any(one[1][MESSAGE_ID] == headers[MESSAGE_ID] for one in kept):
            return OutOfStep()
        if int(headers[EXPECTED]) != (kept[-1][0] if kept else 0):
            return OutOfStep()
        self.sequence += 1
        kept.append((self.sequence, headers, payload))
        return Held("gave no answer within 2 s") if fault == LOST else Stored(self.sequence)

    async def last(self, subject: str) -> Found | Held:
        self.asked += 1
        kept = self.messages.get(subject)
        if not kept:
            return Found(None)
        sequence, headers, _ = kept[-1]
        return Found(Last(sequence=sequence, stretch=read_stretch(headers)))

    def lines(self) -> list[bytes]:
        """All lines, of one log after the other."""
        found: list[bytes] = []
        for kept in self.messages.values():
            for _, headers, payload in kept:
                block, _ = unpack(payload, "fw", read_stretch(headers))
                found += block.data.splitlines(keepends=True)
        return found


@define(eq=False)
class TwinBroker:
    """Answers at once, or never while *silent*."""

    stream: TwinStream
    silent: bool = False
    given: list[Deferred[Any]] = field(factory=list)

    def run(self, ask: Any) -> Deferred[Any]:
        if self.silent:
            self.given.append(Deferred())
            return self.given[-1]
        try:
            # `Connection.last` and `publish` are called with the twin in the place of the connection.
            work = ask(self.stream)
            work.send(None)
        except StopIteration as over:
            return succeed(over.value)
        raise AssertionError("the twin waits for nothing")


class Inline:
    def run(self, call: Any, *args: Any) -> Deferred[Any]:
        return maybeDeferred(call, *args)


@define(eq=False)
class Bench:
    folder: Path
    clock: Clock = field(factory=Clock)
    log: MemoryLog = field(factory=lambda: MemoryLog(name="cluster"))
    stream: TwinStream = field(factory=TwinStream)
    service: Any = None
    broker: Any = None

    def start(self) -> None:
        self.broker = TwinBroker(self.stream)
        site = Site("cluster (NATS at twin)", "m1", self.broker, DeferredSemaphore(2))
        self.service = ClusterService(
            self.clock,
            Inline(),  # type: ignore[arg-type]
            self.log,
            site,
            self.folder,
            chance=lambda: 1.0,
        )
        self.service.startService()

    def restart(self) -> None:
        self.service.stopService()
        self.start()

    def go(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))


def bench(folder: Path) -> Bench:
    (folder / ".spool").mkdir(parents=True, exist_ok=True)
    made = Bench(folder)
    made.start()
    return made


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d\n" % at for at in range(first, first + count)]


def test_blocks_follow_each_other_and_what_comes_is_gathered_for_a_moment(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.log.append(*lines(20_000))
    made.go(5)
    assert made.stream.lines() == lines(20_000)
    assert made.stream.sequence == 3  # of 256 KB
    for at in range(10):
        made.log.append(*lines(1, 20_000 + at))
    made.go(3)
    assert made.stream.lines() == lines(20_010)
    assert made.stream.sequence == 4
    assert made.stream.asked == 1  # at the start
    figures = made.service.figures()
    assert (figures.state, figures.sent, figures.backlog_bytes) == ("connected", 20_010, 0)


events = st.lists(
    st.one_of(
        st.integers(1, 30),
        st.sampled_from([STORED, LOST, REFUSED, DUPLICATE, "restart", "kill", "wait"]),
    ),
    max_size=40,
)


@given(events)
@settings(max_examples=60)
def test_every_line_is_in_the_stream_once_and_in_order(
    tmp_path_factory: Any, happened: list[int | str]
) -> None:
    made = bench(tmp_path_factory.mktemp("log"))
    count = 0
    for one in happened:
        if isinstance(one, int):
            made.log.append(*lines(one, count))
            count += one
        elif one == "restart":
            made.restart()
        elif one == "kill":  # the answer to what was on its way never comes
            made.broker.silent = True
            made.go(1)
            made.restart()
        elif one == "wait":
            made.go(3)
        else:
            made.stream.faults.append(one)
    made.stream.faults.clear()
    made.go(300)

    assert made.stream.lines() == lines(count)
    position = made.log.position
    assert (position.sent, position.offset) == (count, made.log.end)
    made.service.stopService()


def test_while_there_are_no_servers_the_log_is_the_queue(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.stream.faults = [REFUSED] * 5
    made.log.append(*lines(10))
    made.go(10)
    assert made.log.position.offset == 0
    sentence = made.service.figures().sentence
    assert "cluster (NATS at twin) is full; lines are kept on disk" in sentence
    made.go(120)
    assert made.stream.lines() == lines(10)
    assert made.service.figures().failures == 0


def test_a_log_that_was_set_back_and_grew_again_goes_on_as_another(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.log.append(*lines(30))
    made.go(3)
    number = log_number(tmp_path)
    made.service.stopService()
    made.log = MemoryLog(name="cluster")  # as an older copy of the host has it
    made.log.append(*lines(10))
    made.log.position = Position(offset=made.log.end, sent=10)
    other = [b"<166>%%ASA-6-302013: Other %06d\n" % at for at in range(30)]
    made.log.append(*other)
    made.start()
    made.go(5)

    assert made.stream.lines() == lines(30) + other
    assert len(made.stream.messages) == 2
    assert log_number(tmp_path) != number


def test_expired_lines_leave_a_hole_that_the_headers_tell_of(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.stream.faults = [REFUSED]
    made.log.append(*lines(10))
    made.go(0.5)
    made.log.expire(len(b"".join(lines(4))))
    made.go(60)

    ((_, headers, _),) = next(iter(made.stream.messages.values()))
    stretch = read_stretch(headers)
    assert made.stream.lines() == lines(6, 4)
    assert (stretch.before, stretch.lines) == (4, 6)


def test_a_stop_waits_for_no_server(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.go(1)
    made.broker.silent = True
    made.log.append(*lines(10))
    made.go(3)
    stopped: list[Any] = []
    made.service.stopService().addCallback(stopped.append)

    assert stopped == [None]
    assert made.log.position == evolve(made.log.position, offset=0, sent=0)


def test_a_request_that_was_given_up_does_not_end_the_publishing(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.go(1)
    made.broker.silent = True
    made.log.append(*lines(10))
    made.go(2)
    made.broker.given[-1].cancel()
    assert made.service.figures().sentence is not None
    made.broker.silent = False
    made.go(5)

    assert made.stream.lines() == lines(10)
