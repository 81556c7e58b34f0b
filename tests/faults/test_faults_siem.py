"""
A SIEM that misbehaves, and a name that does not resolve: lines wait on the disk and lose nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, StubbornSiem, World
from tests.faults.probes import thorough
from tests.manager.manager_process import Manager
from tests.soak.players import Siem


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, LISTEN)
    yield one
    one.stop()


def test_a_siem_that_resets_again_and_again_gets_every_line_in_the_end(manager: Manager) -> None:
    siem = StubbornSiem(of_no_use=2, bites=20_000)
    siem.come()
    world = World(manager)
    world.add("fw-one", siem.port)
    manager.start()
    try:
        world.send("fw-one", 2000)
        manager.when_lines("fw-one", 2000)
        world.until(lambda: siem.accepted > 2)
        world.send("fw-one", 100)
        world.settle()
        world.until(lambda: set(manager.lines("fw-one")) <= set(siem.lines))
        assert world.verdict(siem.lines, siem.broken) == ()
        assert world.ledger()["balanced"]
        assert siem.broken >= 2
    finally:
        siem.away()


@thorough
def test_a_siem_that_never_reads_holds_up_nobody_and_is_named(manager: Manager) -> None:
    stubborn, good = StubbornSiem(of_no_use=1000, bites=0), Siem()
    stubborn.come()
    good.come()
    world = World(manager)
    world.add("fw-one", stubborn.port)
    world.add("fw-two", good.port)
    manager.start()
    try:
        for _ in range(8):  # well over what the two kernels hold
            world.send("fw-one", 2500)
        manager.when_lines("fw-one", 20_000)
        world.send("fw-two", 200)
        world.until(lambda: len(good.lines) == 200, 5)
        world.until(lambda: "has taken nothing for" in world.forward_of("fw-one")["sentence"], 30)
        found = world.ledger()
        assert found["balanced"]
        assert found["devices"]["fw-one"]["readers"]["forward"]["waiting"] > 0
        stubborn.relent()
        world.settle()
        world.until(lambda: set(manager.lines("fw-one")) <= set(stubborn.lines))
        assert world.verdict(stubborn.lines + good.lines, stubborn.broken) == ()
    finally:
        stubborn.away()
        good.away()


@thorough
def test_a_siem_that_never_reads_is_given_up_and_the_next_connection_gets_all(
    manager: Manager,
) -> None:
    siem = StubbornSiem(of_no_use=1, bites=0)
    siem.come()
    world = World(manager)
    world.add("fw-one", siem.port, forward_resend_kb=8192)
    manager.start()
    try:
        for _ in range(8):
            world.send("fw-one", 2500)
        manager.when_lines("fw-one", 20_000)
        world.until(lambda: siem.accepted > 1, 150)
        world.settle()
        world.until(lambda: len(set(siem.lines)) >= 19_000)
        missing = set(manager.lines("fw-one")) - set(siem.lines)
        # What the SIEM's kernel had acknowledged long before is out of the window of 30 s.
        assert len(missing) < 2000
        assert world.ledger()["balanced"]
        fresh = world.send("fw-one", 1)
        world.until(lambda: fresh[0] in siem.lines)
    finally:
        siem.away()


def test_a_name_that_does_not_resolve_is_told_and_lines_wait(manager: Manager) -> None:
    good = Siem()
    good.come()
    world = World(manager)
    world.add("fw-one", good.port, forward_address="siem.invalid")
    world.add("fw-two", good.port)
    manager.start()
    try:
        world.send("fw-one", 200)
        world.send("fw-two", 200)
        world.until(lambda: len(good.lines) == 200, 10)
        world.until(lambda: "does not resolve" in world.forward_of("fw-one")["sentence"], 20)
        assert world.ledger()["devices"]["fw-one"]["readers"]["forward"]["waiting"] == 200
        issued = world.issued["fw-one"]
        world.add("fw-one", good.port)  # under an address that needs no name
        world.issued["fw-one"] = issued
        world.send("fw-one", 1)
        world.until(lambda: set(manager.lines("fw-one")) <= set(good.lines))
        world.settle()
        assert world.verdict(good.lines, good.broken) == ()
        assert world.ledger()["balanced"]
    finally:
        good.away()
