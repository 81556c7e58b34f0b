"""
A target or a name server that is away for long: time by a clock of the tests' own.
"""

import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.memory_log import MemoryLog
from tests.ports import held_port
from tscm.forward.link import Address
from tscm.forward.resolve import Whereabouts
from tscm.forward.service import ForwardService
from tscm.forward.target import Target
from tscm.model import Block


class SocketClock(Clock):
    """A clock that takes descriptors too; nothing ever happens to them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None: ...

    def removeWriter(self, writer: Any) -> None: ...


def test_a_siem_away_for_a_day_costs_a_try_a_minute_and_no_memory() -> None:
    clock = SocketClock()
    log = MemoryLog()
    target = Target(address="127.0.0.1", port=held_port(), protocol="TCP")
    nobody: Any = None
    reactor: Any = clock
    service = ForwardService(reactor, nobody, log, target, chance=lambda: 1.0)
    reads: list[int] = []
    real = log.read

    def read(offset: int, max_bytes: int, *, sealed_only: bool = False) -> Block | None:
        reads.append(offset)
        return real(offset, max_bytes, sealed_only=sealed_only)

    log.read = read  # type: ignore[method-assign]
    service.startService()
    for minute in range(24 * 60):
        log.append(b"<14>line %d\n" % minute)
        clock.pump([10] * 6)
    figures = service.figures()
    assert 24 * 50 <= figures.failures <= 24 * 60 + 10
    assert reads == [], "nothing is read for a target that is away"
    assert figures.backlog_lines == 24 * 60
    assert len(clock.readers) <= 1
    assert len(clock.getDelayedCalls()) <= 2
    service.stopService()
    assert clock.readers == set()
    assert clock.getDelayedCalls() == []


class Names:
    """A name server for `Whereabouts`; *answer* makes what it says."""

    def __init__(self, reactor: Clock) -> None:
        self.reactor: Any = reactor
        self.answer: Callable[[], Deferred[Sequence[Address]]] = Deferred
        self.asked = 0

    def addresses(self, _host: str, port: int, _kind: int) -> Deferred[Sequence[Address]]:
        self.asked += 1
        return self.answer()


def at(text: str) -> Address:
    return (socket.AF_INET, (text, 514))


def whereabouts(clock: Clock) -> tuple[Whereabouts, Names]:
    names = Names(clock)
    target = Target(address="siem.example", port=514, protocol="TCP")
    return Whereabouts(target, names), names  # type: ignore[arg-type]


def result(found: Deferred[Address]) -> list[Any]:
    seen: list[Any] = []
    found.addBoth(seen.append)
    return seen


def test_a_dead_name_server_does_not_keep_a_known_address_back() -> None:
    clock = Clock()
    where, names = whereabouts(clock)
    names.answer = lambda: succeed([at("192.0.2.1")])
    assert result(where.next_address()) == [at("192.0.2.1")]
    names.answer = Deferred
    seen = result(where.next_address())
    assert seen == []
    clock.advance(3)
    assert seen == [at("192.0.2.1")]
    clock.advance(1)
    again = result(where.next_address())
    clock.advance(3)
    assert again == [at("192.0.2.1")]
    assert names.asked == 2, "one look-up at a time, however long it takes"
    assert clock.getDelayedCalls() == []


def test_a_failed_look_up_keeps_the_last_good_address() -> None:
    clock = Clock()
    where, names = whereabouts(clock)
    names.answer = lambda: succeed([at("192.0.2.1")])
    result(where.next_address())
    names.answer = lambda: fail(OSError(-2, "Name or service not known"))
    assert result(where.next_address()) == [at("192.0.2.1")]


def test_a_late_answer_counts_for_the_next_try() -> None:
    clock = Clock()
    where, names = whereabouts(clock)
    names.answer = lambda: succeed([at("192.0.2.1")])
    result(where.next_address())
    late: Deferred[Sequence[Address]] = Deferred()
    names.answer = lambda: late
    seen = result(where.next_address())
    clock.advance(3)
    late.callback([at("192.0.2.2")])
    names.answer = lambda: fail(OSError("gone again"))
    assert seen == [at("192.0.2.1")]
    assert result(where.next_address()) == [at("192.0.2.2")]


def test_several_addresses_take_turns() -> None:
    clock = Clock()
    where, names = whereabouts(clock)
    names.answer = lambda: succeed([at("192.0.2.1"), at("192.0.2.2")])
    found = [result(where.next_address())[0] for _ in range(4)]
    assert found == [at("192.0.2.1"), at("192.0.2.2")] * 2


def test_without_any_address_the_cause_is_told() -> None:
    where, names = whereabouts(Clock())
    names.answer = lambda: fail(OSError(-2, "Name or service not known"))
    (failure,) = result(where.next_address())
    assert failure.check(OSError)
    assert "Name or service not known" in str(failure.value)
