"""
From the log to a sink: nothing is lost, nothing is confirmed that the sink has not acknowledged.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, DeferredSemaphore, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent

from tests.memory_log import MemoryLog
from tscm.settings.sinks import SinkSettings
from tscm.sinks.outcome import Failed, Outcome, Refused, Taken
from tscm.sinks.records import Records
from tscm.sinks.service import Outlet, SinkService, bytes_of_lines

SINK = SinkSettings(
    name="siem", type="loki", url="https://loki.example", batch_kb=16, linger_seconds=1.0
)
FOLDER = Path("/nowhere")


@pytest.fixture(autouse=True)
def number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has a number; there is no file."""
    monkeypatch.setattr("tscm.sinks.service.log_number", lambda _: "00c0ffee")


@define(eq=False)
class Inline:
    """Threads whose calls end at once, or once `release` is called."""

    hold: bool = False
    _held: list[tuple[Deferred[Any], Callable[[], Any]]] = field(factory=list, init=False)

    def run(self, call: Any, *args: Any) -> Deferred[Any]:
        if not self.hold:
            return maybeDeferred(call, *args)
        waiting: Deferred[Any] = Deferred()
        self._held.append((waiting, lambda: call(*args)))
        return waiting

    def release(self) -> None:
        held, self._held = self._held, []
        for waiting, call in held:
            waiting.callback(call())


@define(eq=False)
class Scripted:
    """A sink that answers what *script* says of a batch's lines."""

    script: Callable[[list[str]], Outcome]
    got: list[str] = field(factory=list)
    batches: list[int] = field(factory=list)

    def send(self, records: Records) -> Outcome:
        lines = [one.text for one in records.lines]
        self.batches.append(len(lines))
        outcome = self.script(lines)
        if isinstance(outcome, Taken):
            self.got += lines
        return outcome

    def close(self) -> None:
        pass


@define
class Bench:
    clock: Clock
    log: MemoryLog
    sink: Scripted
    service: SinkService
    threads: Inline

    def go(self, seconds: float) -> None:
        self.clock.pump([0.5] * int(seconds * 2))


def bench(script: Callable[[list[str]], Outcome], *, hold: bool = False) -> Bench:
    clock, log, sink, threads = Clock(), MemoryLog(name="sink-siem"), Scripted(script), Inline(hold)
    outlet = Outlet(SINK, sink, DeferredSemaphore(2))
    service = SinkService(clock, threads, log, outlet, FOLDER, chance=lambda: 1.0)  # type: ignore[arg-type]
    return Bench(clock, log, sink, service, threads)


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"<166>%%ASA-6-302013: Built %06d\n" % at for at in range(first, first + count)]


def texts(*given: bytes) -> list[str]:
    return [one.decode().rstrip("\n") for one in given]


def test_what_waits_goes_in_batches_and_what_comes_is_gathered_for_a_moment() -> None:
    made = bench(lambda _: Taken())
    made.log.append(*lines(1000))
    made.service.startService()
    made.go(3)
    assert made.log.position.sent == 1000
    assert len(made.sink.batches) < 5  # 16 KB each
    before = len(made.sink.batches)
    for at in range(10):
        made.log.append(*lines(1, 1000 + at))
    made.go(3)
    assert made.sink.got == texts(*lines(1010))
    assert len(made.sink.batches) == before + 1
    figures = made.service.figures()
    assert (figures.state, figures.sent, figures.backlog_bytes) == ("connected", 1010, 0)
    assert figures.sentence == "all lines sent to sink siem (loki at loki.example)"
    made.service.stopService()
    assert made.service.figures().state == "off"


def test_while_the_sink_is_away_the_log_is_the_queue() -> None:
    away = [True]
    made = bench(lambda _: Failed("is unreachable: refused") if away[0] else Taken())
    made.log.append(*lines(10))
    made.service.startService()
    made.go(5)
    assert made.log.position.offset == 0
    assert "is unreachable: refused; lines are kept on disk" in made.service.figures().sentence
    tries = len(made.sink.batches)
    made.go(60)
    assert len(made.sink.batches) - tries < 8  # it waits longer each time
    away[0] = False
    made.go(130)
    assert made.sink.got == texts(*lines(10))
    assert made.service.figures().failures == 0
    assert made.service.figures().repeated == 10 * (len(made.sink.batches) - 1)


def test_a_sink_that_asks_for_rest_is_given_it() -> None:
    made = bench(lambda _: Failed("answered 429", 30.0))
    made.log.append(*lines(1))
    made.service.startService()
    made.go(29)
    assert len(made.sink.batches) == 1
    made.go(2)
    assert len(made.sink.batches) == 2


def test_a_line_that_the_sink_does_not_take_is_rejected_and_the_others_go() -> None:
    made = bench(lambda given: Refused("400") if any("bad" in one for one in given) else Taken())
    made.log.append(*lines(20), b"bad\n", *lines(20, 20))
    made.service.startService()
    made.go(30)
    position, figures = made.log.position, made.service.figures()
    assert (position.sent, position.not_selected) == (40, 1)
    assert figures.rejected == 1
    assert "except 1 line that it rejected" in figures.sentence
    assert sorted(set(made.sink.got)) == texts(*lines(40))
    assert figures.repeated == len(made.sink.got) - 40 == 1  # the newest went ahead once


def test_a_sink_that_refuses_all_rejects_nothing() -> None:
    made = bench(lambda _: Refused("answered 400: no such index"))
    made.log.append(*lines(50))
    made.service.startService()
    made.go(300)
    assert made.log.position.offset == 0
    assert made.service.figures().rejected == 0
    assert "no such index" in made.service.figures().sentence


def test_a_stop_confirms_what_was_under_way_and_nothing_else() -> None:
    made = bench(lambda _: Taken(), hold=True)
    made.log.append(*lines(3))
    made.service.startService()
    ended: list[object] = []
    stopped = made.service.stopService()
    assert stopped is not None
    stopped.addCallback(ended.append)
    assert not ended
    made.threads.release()
    assert ended
    assert made.log.position.sent == 3
    assert not made.clock.getDelayedCalls()


def test_what_waits_for_a_slot_of_the_sink_has_read_nothing_and_ends_at_once() -> None:
    made = bench(lambda _: Taken(), hold=True)
    outlet = Outlet(SINK, made.sink, DeferredSemaphore(1))
    logs, services = [], []
    for device in ("fw1", "fw2", "fw3"):
        log = MemoryLog(device=device, name="sink-siem")
        log.append(*lines(3))
        logs.append(log)
        services.append(SinkService(made.clock, made.threads, log, outlet, FOLDER))  # type: ignore[arg-type]
    reads = [0]
    read = logs[2].read

    def counted(*args: Any, **more: Any) -> Any:
        reads[0] += 1
        return read(*args, **more)

    logs[2].read = counted  # type: ignore[method-assign]
    for service in services:
        service.startService()
    assert not reads[0]
    ended: list[object] = []
    stopped = services[1].stopService()
    assert stopped is not None
    stopped.addCallback(ended.append)
    assert ended
    made.threads.release()
    made.threads.release()
    assert [log.position.sent for log in logs] == [3, 0, 3]
    for service in (services[0], services[2]):
        service.stopService()
    assert outlet.slots.tokens == 1


def test_an_error_of_ours_ends_nothing(logged_failures: list[LogEvent]) -> None:
    times = [0]

    def script(_: list[str]) -> Outcome:
        times[0] += 1
        if times[0] < 3:
            raise RuntimeError("a fault")
        return Taken()

    made = bench(script)
    made.log.append(*lines(3))
    made.service.startService()
    made.go(30)
    assert made.log.position.sent == 3
    assert len(logged_failures) == 2
    logged_failures.clear()


@given(st.lists(st.sampled_from(["take", "fail", "refuse", "part"]), max_size=30))
def test_whatever_the_sink_does_each_line_is_there_or_counted(script: list[str]) -> None:
    left = list(script)

    def answer(given: list[str]) -> Outcome:
        match left.pop(0) if left else "take":
            case "fail":
                return Failed("away")
            case "refuse":
                return Refused("no")
            case "part" if len(given) > 1:
                return Taken(rejected=1, cause="bad")
        return Taken()

    made = bench(answer)
    made.log.append(*lines(300))
    made.service.startService()
    made.go(3000)
    position = made.log.position
    assert position.offset == made.log.end
    assert position.sent + position.not_selected == 300
    assert position.not_selected == made.service.figures().rejected
    missing = set(texts(*lines(300))) - set(made.sink.got)
    assert len(missing) <= position.not_selected


@given(st.lists(st.binary(max_size=9).filter(lambda one: b"\n" not in one), min_size=1), st.data())
def test_the_first_lines_end_at_a_line_s_end(given_lines: list[bytes], data: Any) -> None:
    text = b"".join(one + b"\n" for one in given_lines)
    count = data.draw(st.integers(0, len(given_lines)))
    assert text[: bytes_of_lines(text, count)] == b"".join(
        one + b"\n" for one in given_lines[:count]
    )
