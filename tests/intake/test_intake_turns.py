"""
How long one turn of the loop may read from connections.
"""

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.tcp import Port, Server

from tscm.intake import turns
from tscm.intake.turns import (
    READ_BYTES,
    TURN_SECONDS,
    Turn,
    connection_paced_by,
    next_size,
    port_paced_by,
    read_now,
)


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was read, and of how many bytes at most; each read takes a third of a turn of `Watch`."""
    done: list[Any] = []

    def read(self: Any) -> None:
        done.append(self.bufferSize)
        self.watch.now += TURN_SECONDS / 3

    monkeypatch.setattr(Server, "doRead", read)
    return done


def connection(turn: Turn, watch: Watch) -> Any:
    made: Any = object.__new__(connection_paced_by(turn))
    made.watch = watch
    return made


def test_an_end_in_a_turn_that_is_over_leaves_no_timer(reads: list[Any]) -> None:
    clock, watch = Clock(), Watch()
    turn = Turn(clock, watch)
    while not turn.is_over():
        connection(turn, watch).doRead()
    turn.close()
    assert clock.getDelayedCalls() == []
    assert not turn.is_over()
    assert reads


def test_a_turn_that_is_over_reads_no_further_and_the_next_goes_on(reads: list[Any]) -> None:
    clock, watch = Clock(), Watch()
    turn = Turn(clock, watch)
    ready = [connection(turn, watch) for _ in range(100)]
    for one in ready:
        assert one.doRead() is None
    first = len(reads)
    assert first in {3, 4}
    assert turn.is_over()
    clock.advance(0)
    for one in ready[first:]:
        one.doRead()
    assert first + 3 <= len(reads) <= 8
    clock.advance(0)
    assert clock.getDelayedCalls() == []


def test_reads_of_many_turns_with_pauses_between_need_no_timer(reads: list[Any]) -> None:
    clock, watch = Clock(), Watch()
    turn = Turn(clock, watch)
    one = connection(turn, watch)
    for _ in range(50):
        one.doRead()
        watch.now += TURN_SECONDS
    assert len(reads) == 50
    assert clock.getDelayedCalls() == []


def test_what_must_be_read_is_read_whatever_the_turn_has_spent(reads: list[Any]) -> None:
    watch = Watch()
    turn = Turn(Clock(), watch)
    one = connection(turn, watch)
    for _ in range(10):
        read_now(one)
    assert len(reads) == 10
    assert turn.is_over()


def test_slow_reads_become_smaller_and_quick_ones_larger() -> None:
    size = READ_BYTES
    for _ in range(10):
        size = next_size(size, 0.02)
    assert size == 4096
    assert next_size(size, 0.002) == size
    for _ in range(10):
        size = next_size(size, 0.0002)
    assert size == READ_BYTES


def test_a_port_takes_a_few_connections_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def accept(self: Any) -> None:
        asked.append(self.numberAccepts)
        self.numberAccepts += 20
        self.watch.now += TURN_SECONDS * 1.5

    monkeypatch.setattr(Port, "doRead", accept)
    clock, watch = Clock(), Watch()
    port: Any = object.__new__(port_paced_by(Turn(clock, watch)))
    port.watch, port.numberAccepts = watch, 100
    port.doRead()
    port.doRead()
    clock.advance(0)
    port.doRead()
    assert asked == [turns._ACCEPTS] * 2
    clock.advance(0)
