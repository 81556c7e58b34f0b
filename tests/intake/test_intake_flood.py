"""Datagrams from very many addresses: what they take is bounded, and given back."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tests.intake.receive_buffer import large_buffer
from tscm.base import memory
from tscm.base.memory import give_back
from tscm.intake import senders as sender_room
from tscm.intake import udp
from tscm.intake.drains import open_drain
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService

SENDERS = 400
LARGE = b"<13>" + b"x" * 60_000


def resident_mb() -> float:
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    """Senders from addresses of their own."""
    with ExitStack() as stack:
        made = []
        for number in range(SENDERS):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind((f"127.7.{number // 200}.{number % 200 + 1}", 0))
            made.append(one)
        yield made


@pytest.mark.parametrize("way", ["compiled", "numpy", "plain"])
def test_the_memory_of_a_flood_does_not_stay(crowd: list[socket.socket], way: str) -> None:
    try:
        drain: Any = open_drain(way, 65536)
    except ImportError:
        pytest.skip("the helper was not built here")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        large_buffer(heard, 4 << 20)
        heard.bind(("127.0.0.1", 0))
        drain(heard, 4096, 4 << 20)
        before, lines = resident_mb(), 0
        # Each round another sender of the batch is the one with many octets.
        for number in range(0, SENDERS, 3):
            for one in crowd[:number]:
                one.sendto(b"<13>x", heard.getsockname())
            for _ in range(14):
                crowd[number].sendto(LARGE, heard.getsockname())
            while (batch := drain(heard, 4096, 4 << 20)).datagrams:
                lines += batch.datagrams
        del batch
        give_back()
        assert lines > SENDERS * 14 / 3
        assert resident_mb() - before < 30
        if way == "compiled":
            assert drain.kept_bytes() <= 8 << 20


@pytest_twisted.ensureDeferred
async def test_a_listener_gives_memory_back_behind_a_flood(
    crowd: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr(udp, "give_back", lambda: given_back.append(True))
    monkeypatch.setattr(udp, "_TRIM_SECONDS", 0.01)
    table = SenderTable()
    table.claim("fw1", ["127.0.0.2"])
    service = IntakeService(reactor, listen(udp=(ANY,)), bounds(), MemorySpool(), table)
    service.startService()
    place = target(service.addresses()["udp"][0])
    crowd[0].sendto(b"<13>x", place)
    await until(lambda: table.strangers.lines == 1)
    await pause(0.05)
    assert given_back == []
    for one in crowd:
        one.sendto(b"<13>x", place)
    await until(lambda: table.strangers.lines == 1 + SENDERS)
    await until(lambda: bool(given_back))
    await service.stopService()
    assert balanced(service.figures())


def test_tables_of_addresses_are_bounded() -> None:
    table = SenderTable(routes_kept=64)
    table.claim("fw1", ["192.0.2.1"])
    for number in range(5000):
        address = f"198.18.{number // 250}.{number % 250}"
        assert table.route_of(address) is None
        table.strangers.note(address, 1, b"x\n", 1.0)
    assert len(table._routes) <= 64
    assert len(table.strangers) == table.strangers.max_senders
    assert table.route_of("192.0.2.1") == "fw1"
    assert sender_room.normal_address.cache_info().maxsize == 8192


@pytest_twisted.ensureDeferred
async def test_the_c_library_is_found_before_lines_come_in() -> None:
    """Its declaration's parser takes a tenth of a second to import, in which no line would be taken."""
    memory._library.cache_clear()
    service = IntakeService(reactor, listen(udp=(ANY,)), bounds(), MemorySpool(), SenderTable())
    service.startService()
    assert memory._library.cache_info().currsize == 1
    await service.stopService()
