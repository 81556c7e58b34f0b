"""
A UDP receiver given by name that moves: nothing but its name tells where it is.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.forward.test_forward_away import SocketClock
from tests.memory_log import MemoryLog
from tscm.forward.link import Address
from tscm.forward.service import ForwardService
from tscm.forward.target import Target


class Places:
    """The same port at two addresses of this host."""

    def __init__(self) -> None:
        self.old = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.old.bind(("127.0.0.1", 0))
        self.port: int = self.old.getsockname()[1]
        self.new = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.new.bind(("127.0.0.2", self.port))
        for one in (self.old, self.new):
            one.setblocking(False)

    def at(self, text: str) -> Address:
        return (socket.AF_INET, (text, self.port))


@pytest.fixture
def places() -> Iterator[Places]:
    one = Places()
    yield one
    one.old.close()
    one.new.close()


class Names:
    """A resolver whose answer moves."""

    def __init__(
        self, clock: SocketClock, answer: Callable[[], Deferred[Sequence[Address]]]
    ) -> None:
        self.reactor: Any = clock
        self.answer = answer
        self.asked = 0

    def addresses(self, *_: object) -> Deferred[Sequence[Address]]:
        self.asked += 1
        return self.answer()


def heard(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(1 << 16))
        except BlockingIOError:
            return found


def forward(clock: SocketClock, log: MemoryLog, names: Names, port: int) -> ForwardService:
    target = Target(address="siem.example", port=port, protocol="UDP")
    service = ForwardService(
        cast(Any, clock),
        cast(Any, None),
        log,
        target,
        cast(Any, names),
        chance=lambda: 0.0,
        resolve_seconds=60.0,
    )
    service.startService()
    return service


def passing(clock: SocketClock, seconds: float) -> None:
    clock.pump([0.05] * int(seconds * 20))


def ended(clock: SocketClock, service: ForwardService) -> None:
    service.stopService()
    passing(clock, 3)
    assert clock.getDelayedCalls() == []


def test_lines_follow_a_name_that_moves(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    names = Names(clock, lambda: succeed([places.at("127.0.0.1")]))
    service = forward(clock, log, names, places.port)
    log.append(b"one\n")
    passing(clock, 2)
    assert heard(places.old) == [b"one"]
    names.answer = lambda: succeed([places.at("127.0.0.2")])
    passing(clock, 61)
    log.append(b"two\n", b"three\n")
    passing(clock, 2)
    assert (heard(places.old), heard(places.new)) == ([], [b"two", b"three"])
    figures = service.figures()
    assert (figures.address, figures.failures) == ("127.0.0.2", 0)
    assert log.position.sent == 3
    ended(clock, service)


def test_what_is_on_its_way_when_the_name_moves_is_not_lost(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    answer: list[Deferred[Sequence[Address]]] = []

    def later() -> Deferred[Sequence[Address]]:
        answer.append(Deferred())
        return answer[-1]

    names = Names(clock, lambda: succeed([places.at("127.0.0.1")]))
    service = forward(clock, log, names, places.port)
    log.append(b"one\n")
    passing(clock, 2)
    names.answer = later
    passing(clock, 61)
    log.append(*[b"%03d\n" % number for number in range(100)])
    clock.pump([0.02, 0.002])
    (asked,) = answer
    names.answer = lambda: succeed([places.at("127.0.0.2")])
    asked.callback([places.at("127.0.0.2")])
    passing(clock, 3)
    assert heard(places.new) == [b"%03d" % number for number in range(100)]
    ended(clock, service)


def test_a_name_with_several_addresses_is_not_left_for_their_order(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    both = [places.at("127.0.0.1"), places.at("127.0.0.2")]
    names = Names(clock, lambda: succeed(both))
    service = forward(clock, log, names, places.port)
    log.append(b"one\n")
    passing(clock, 2)
    both.reverse()
    passing(clock, 200)
    assert names.asked >= 4
    log.append(b"two\n")
    passing(clock, 2)
    assert heard(places.old) == [b"one", b"two"]
    assert service.figures().connections == 1
    ended(clock, service)


def test_a_look_up_that_fails_keeps_the_last_address_and_is_told(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    names = Names(clock, lambda: succeed([places.at("127.0.0.1")]))
    service = forward(clock, log, names, places.port)
    log.append(b"one\n")
    passing(clock, 2)
    names.answer = lambda: fail(OSError(-2, "Name or service not known"))
    passing(clock, 200)
    log.append(b"two\n")
    passing(clock, 2)
    assert heard(places.old) == [b"one", b"two"]
    figures = service.figures()
    assert figures.name_fault == "Name or service not known"
    assert "; its name does not resolve" in figures.sentence
    assert "last address 127.0.0.1 remains in use" in figures.sentence
    names.answer = lambda: succeed([places.at("127.0.0.1")])
    passing(clock, 61)
    assert service.figures().name_fault is None
    assert service.figures().sentence.startswith("all lines sent to")
    ended(clock, service)


def test_a_name_server_that_does_not_answer_holds_nothing_up(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    names = Names(clock, lambda: succeed([places.at("127.0.0.1")]))
    service = forward(clock, log, names, places.port)
    log.append(b"one\n")
    passing(clock, 2)
    names.answer = Deferred
    passing(clock, 200)
    assert names.asked == 2
    log.append(b"two\n")
    passing(clock, 2)
    assert heard(places.old) == [b"one", b"two"]
    ended(clock, service)


def test_an_address_is_never_looked_up(places: Places) -> None:
    clock, log = SocketClock(), MemoryLog()
    names = Names(clock, Deferred)
    target = Target(address="127.0.0.1", port=places.port, protocol="UDP")
    service = ForwardService(
        cast(Any, clock), cast(Any, None), log, target, cast(Any, names), resolve_seconds=60.0
    )
    service.startService()
    passing(clock, 200)
    assert names.asked == 0
    ended(clock, service)
