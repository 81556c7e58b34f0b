"""
A small volume, and lines that come faster than a pass a minute could make room for them.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fault_world import LISTEN, SOURCES, World
from tests.faults.probes import done, need_mounts, thorough
from tests.manager.manager_process import Manager, wait_for

VOLUME_MB, FREE_MB = 200, 50
A_SECOND = 8_000
LINES = 160_000
LINE = b"<166>Jul 12 2026 08:11:50: %%ASA-6-302013: line %08d " + b"x" * 1400 + b"\n"
BOUNDS = f"[spool]\nmin_free_mb = {FREE_MB}\ncompress = false\n"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """All logs lie on a volume of their own."""
    need_mounts()
    one = Manager(tmp_path, LISTEN + BOUNDS)
    logs = one.layout.logs
    logs.mkdir(parents=True, exist_ok=True)
    assert done("mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m", "tmpfs", str(logs)) == ""
    yield one
    one.stop()
    done("umount", "-l", str(logs))


def free_mb(manager: Manager) -> float:
    found = os.statvfs(manager.layout.logs)
    return found.f_bavail * found.f_frsize / (1 << 20)


def send(world: World, name: str, first: int, count: int) -> None:
    """At the rate, over one connection: what is not stored then was not taken by the disk."""
    begun = time.monotonic()
    with world.connect(name) as out:
        for at in range(first, first + count, 80):
            out.sendall(b"".join(LINE % n for n in range(at, at + 80)))
            ahead = (at + 80 - first) / A_SECOND * len(SOURCES) - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(ahead)


@thorough
def test_a_small_volume_keeps_its_free_room_at_8000_lines_a_second(manager: Manager) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, None)
    manager.start()
    each = LINES // len(SOURCES)
    senders = [
        threading.Thread(target=send, args=(world, name, 0, each), daemon=True) for name in SOURCES
    ]
    for one in senders:
        one.start()
    least = free_mb(manager)
    while any(one.is_alive() for one in senders):
        least = min(least, free_mb(manager))
        time.sleep(0.05)
    wait_for(lambda: manager.ask("/v1/ledger")["received"] == LINES, manager.said)
    wait_for(lambda: free_mb(manager) >= FREE_MB, lambda: f"{free_mb(manager)} MB are free")
    found = manager.ask("/v1/ledger")
    assert least > FREE_MB / 2, f"{least} MB were free"
    assert found["dropped"] == 0, found
    assert found["balanced"], found
    for name in SOURCES:
        device = found["devices"][name]
        assert device["stored"] == each
        deleted = device["deleted"]["space"]
        assert deleted > 0, "the oldest lines of both went"
        row = device["readers"]["events"]
        assert row["sent"] + row["not_selected"] + row["waiting"] + row["expired"] == each
        assert len(manager.lines(name)) == each - manager.ask("/v1/ledger")["devices"][name][
            "deleted"
        ].get("space", 0)


@thorough
def test_a_lowered_bound_is_kept_within_seconds(manager: Manager) -> None:
    world = World(manager)
    for name in SOURCES:
        world.add(name, None)
    manager.start()
    send(world, "fw-one", 0, 48_000)
    wait_for(lambda: manager.ask("/v1/ledger")["received"] == 48_000, manager.said)
    text = LISTEN + BOUNDS.replace("compress", "max_mb_per_device = 10\ncompress")
    manager.layout.settings_file.write_text(text)
    wait_for(
        lambda: sum(map(len, manager.lines("fw-one"))) + 48_000 <= (10 << 20) + (200 << 10),
        manager.said,
    )
    assert manager.ask("/v1/ledger")["balanced"]
