"""
What waits for a UDP receiver is spread, so that a buffer of the kernel's default size holds it.
"""

import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forward.test_forward_away import SocketClock
from tests.memory_log import MemoryLog
from tscm.forward.datagram import pace
from tscm.forward.service import ForwardService
from tscm.forward.target import Target

STEP = 0.001
TRIAL = 300  # steps until the first datagram of a connection has proven itself


@pytest.fixture
def sink() -> Iterator[socket.socket]:
    """A receiver with the kernel's default buffer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 212_992 // 2)  # the kernel doubles it
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
        yield one


def heard(sink: socket.socket, most: int = 1 << 20) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < most:
        try:
            found.append(sink.recv(1 << 16))
        except BlockingIOError:
            break
    return found


def lines(count: int, first: int = 0) -> list[bytes]:
    text = b"<166>Jul 12 2026 08:11:50: %%ASA-6-302013: Built outbound TCP connection %07d"
    tail = b" for outside:203.0.113.9/443 (203.0.113.9/443) to inside:192.0.2.2/40000\n"
    return [text % at + tail for at in range(first, first + count)]


def forward(clock: SocketClock, log: MemoryLog, sink: socket.socket, limit: int) -> ForwardService:
    target = Target(
        address="127.0.0.1",
        port=sink.getsockname()[1],
        protocol="UDP",
        lines_per_second=limit,
    )
    service = ForwardService(cast(Any, clock), cast(Any, None), log, target)
    service.startService()
    return service


def proven(clock: SocketClock, log: MemoryLog, sink: socket.socket, limit: int) -> ForwardService:
    """A forwarder whose first datagram, on trial, has been taken."""
    service = forward(clock, log, sink, limit)
    log.append(*lines(1))
    for _ in range(TRIAL):
        clock.advance(STEP)
    assert len(heard(sink)) == 1
    return service


@pytest.mark.parametrize("limit", [20_000, 0])
def test_a_burst_is_spread_so_that_a_default_buffer_loses_none_of_it(
    sink: socket.socket, limit: int
) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = proven(clock, log, sink, limit)
    for first in (1, 1531):  # the second one follows idle time
        log.append(*lines(1530, first))
        came: list[int] = []
        for _ in range(600):
            clock.advance(STEP)
            came.append(len(heard(sink)))
        assert sum(came) == 1530, "each step reads what came in a millisecond"
        spread = [at for at, count in enumerate(came) if count]
        assert max(came) <= 32
        assert 300 <= spread[-1] - spread[0] <= 450
    service.stopService()
    clock.advance(3)


def test_a_few_lines_wait_for_a_tenth_of_a_second(sink: socket.socket) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = proven(clock, log, sink, 20_000)
    log.append(*lines(390, 1))
    came = 0
    for _ in range(130):  # the reader of the log lets lines that come together go together
        clock.advance(STEP)
        came += len(heard(sink))
    assert came == 390
    service.stopService()
    clock.advance(3)


@pytest.mark.parametrize("burst", [400, 1530, 3900])
def test_a_receiver_that_works_on_each_line_loses_none_of_a_burst(
    sink: socket.socket, burst: int
) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = proven(clock, log, sink, 20_000)
    log.append(*lines(burst, 1))
    came: list[bytes] = []
    for _ in range(1200):
        clock.advance(STEP)
        came += heard(sink, 5)  # 0.2 ms for each line
    assert came == [line[:-1] for line in lines(burst, 1)]
    service.stopService()
    clock.advance(3)


def test_a_flow_above_the_easy_rate_goes_on_evenly(sink: socket.socket) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = proven(clock, log, sink, 20_000)
    came: list[bytes] = []
    for step in range(5000):
        log.append(*lines(6, 1 + 6 * step))
        clock.advance(STEP)
        came += heard(sink, 7)
    late = 30_000 - len(came)
    assert late <= 6000 * 1.1, "about a second at most"
    assert came == [line[:-1] for line in lines(len(came), 1)]
    service.stopService()
    clock.advance(3)


def test_a_receiver_that_is_looked_at_every_five_milliseconds_loses_none(
    sink: socket.socket,
) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = proven(clock, log, sink, 20_000)
    log.append(*lines(1530, 1))
    came: list[bytes] = []
    for step in range(600):
        clock.advance(STEP)
        if step % 5 == 4:
            came += heard(sink)
    assert came == [line[:-1] for line in lines(1530, 1)]
    service.stopService()
    clock.advance(3)


def test_a_backlog_goes_at_the_whole_rate_and_not_beyond(sink: socket.socket) -> None:
    clock, log = SocketClock(), MemoryLog()
    log.append(*lines(30_000))
    service = forward(clock, log, sink, 20_000)
    for _ in range(TRIAL):
        clock.advance(STEP)
        heard(sink)
    came = 0
    for _ in range(1000):
        clock.advance(STEP)
        came += len(heard(sink))
    assert 19_000 <= came <= 20_200
    service.stopService()
    clock.advance(3)


def test_a_reactor_that_was_late_does_not_make_up_for_all_of_it_at_once(
    sink: socket.socket,
) -> None:
    clock, log = SocketClock(), MemoryLog()
    log.append(*lines(30_000))
    service = forward(clock, log, sink, 20_000)
    for _ in range(TRIAL):
        clock.advance(STEP)
        heard(sink)
    clock.advance(0.5)
    assert len(heard(sink)) <= 64
    late = 0
    for _ in range(10):
        clock.advance(STEP)
        late += len(heard(sink))
    assert late <= 20_000 * 0.01 * 2 + 128
    service.stopService()
    clock.advance(3)


def test_a_line_alone_goes_at_once(sink: socket.socket) -> None:
    clock, log = SocketClock(), MemoryLog()
    service = forward(clock, log, sink, 20_000)
    log.append(*lines(1))
    for _ in range(TRIAL):
        clock.advance(STEP)
    heard(sink)
    log.append(*lines(1, 1))
    clock.pump([0.02, STEP])
    assert len(heard(sink)) == 1
    service.stopService()
    clock.advance(3)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**7), st.floats(0, 1e7), st.integers(0, 10**6))
def test_the_pace_keeps_to_its_bounds(waiting: int, before: float, limit: int) -> None:
    rate, burst = pace(waiting, before, limit)
    assert 1 <= burst <= 256
    assert rate > 0
    if limit:
        assert rate <= limit
        assert burst <= max(64, limit * 0.05, 1)
    else:
        assert rate >= before
