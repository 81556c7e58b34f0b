"""
A SIEM that misbehaves, and a name that does not resolve: lines wait on the disk and lose nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, SlowSiem, StubbornSiem, World
from tests.faults.probes import thorough
from tests.manager.manager_process import Manager
from tests.ports import held_port
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
        world.until(lambda: len(good.lines) == 200)
        world.until(lambda: "has accepted nothing for" in world.forward_of("fw-one")["sentence"])
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
    """
    All that its kernel acknowledged it did at once, so it is in the window, and the window holds
    it: by what docs/operate/limits.md says not one line may be missing.
    """
    siem = StubbornSiem(of_no_use=1, bites=0, port=held_port())
    world = World(manager)
    world.add("fw-one", siem.port, forward_resend_kb=8192)
    manager.start()
    try:
        world.send("fw-one", 20_000)  # well over what the two kernels hold
        manager.when_lines("fw-one", 20_000)
        siem.come()
        world.until(lambda: siem.accepted > 1, 150)
        world.settle()
        world.until(lambda: set(manager.lines("fw-one")) <= set(siem.lines))
        assert world.verdict(siem.lines, siem.broken) == ()
        assert world.ledger()["balanced"]
        fresh = world.send("fw-one", 1)
        world.until(lambda: fresh[0] in siem.lines)
    finally:
        siem.away()


@thorough
def test_without_a_window_what_a_kernel_held_is_all_that_a_siem_misses(manager: Manager) -> None:
    siem = StubbornSiem(of_no_use=1, bites=0, port=held_port())
    world = World(manager)
    world.add("fw-one", siem.port, forward_resend_kb=0)
    manager.start()
    try:
        world.send("fw-one", 20_000)
        manager.when_lines("fw-one", 20_000)
        siem.come()
        world.until(lambda: siem.accepted > 1, 150)
        world.settle()
        world.until(lambda: manager.lines("fw-one")[-1] in siem.lines)
        stored, held = manager.lines("fw-one"), siem.held()
        missing = [one for one in stored if one not in set(siem.lines)]
        # What goes again is whole pieces: the kernel may have had a part of the first of them.
        assert missing == held[: len(missing)]
        assert world.verdict(siem.lines + held, siem.broken + 1) == ()
        assert world.ledger()["balanced"]
    finally:
        siem.away()


def test_a_siem_that_comes_back_at_half_speed_gets_every_line_once_and_in_order(
    manager: Manager, tmp_path: Path
) -> None:
    """It was away for long; then it reads one byte for two that come, and at last all it can."""
    slow, good = SlowSiem(tmp_path, held_port()), Siem()
    good.come()
    world = World(manager)
    world.add("fw-one", slow.port)
    world.add("fw-two", good.port)
    manager.start()
    try:
        issued = world.send("fw-one", 25_000)  # over what the kernels hold for a slow reader
        manager.when_lines("fw-one", 25_000)
        slow.come()
        backlog = []
        for _ in range(10):
            more = world.send("fw-one", 1000)
            issued += more
            manager.when_lines("fw-one", len(issued))
            slow.allow(sum(len(one) + 1 for one in more) // 2)
            world.until(slow.has_read_all_it_may)
            backlog.append(len(issued) - len(slow.lines()))
            world.send("fw-two", 20)
        assert backlog == sorted(set(backlog))  # at half speed it grows with every thousand
        assert backlog[-1] - backlog[0] > 9 * 400
        world.until(lambda: len(good.lines) == 200)  # nobody else waits for it
        found = world.ledger()
        assert found["balanced"]
        assert found["devices"]["fw-one"]["readers"]["forward"]["waiting"] > 10_000
        slow.allow_all()
        world.settle()
        world.until(lambda: len(slow.lines()) >= len(issued))
        assert slow.lines() == manager.lines("fw-one")  # no repeat, for nothing broke
        assert world.verdict(slow.lines() + good.lines) == ()
        assert world.ledger()["balanced"]
        fresh = world.send("fw-one", 1)
        world.until(lambda: slow.lines()[-1] == fresh[0])
    finally:
        slow.end()
        good.away()


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
        world.until(lambda: len(good.lines) == 200)
        world.until(lambda: "does not resolve" in world.forward_of("fw-one")["sentence"])
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
