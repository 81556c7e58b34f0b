"""
Generations of many devices: one that holds what another holds is made ready once.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tscm.events import worker
from tscm.events.judge import BLOCKED
from tscm.events.worker import ForceTable
from tscm.policy.cidr import Entries
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, decode_entries, pack
from tscm.store.policies import Policies

NAMES = ("b.example", "a.example")
DEVICES = [f"fw{number}" for number in range(40)]


def generation(*texts: str, applied_at: float = 500.0) -> Generation:
    return Generation(
        applied_at=applied_at,
        block_entries=len(texts),
        allow_entries=0,
        block=pack(Entries.of(texts)),
        allow=pack(Entries()),
    )


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was unpacked by the worker."""
    found: list[bytes] = []

    def noting(data: bytes) -> Entries:
        found.append(data)
        return decode_entries(data)

    monkeypatch.setattr(worker, "decode_entries", noting)
    return found


@pytest.fixture
def table_of(tmp_path: Path) -> Iterator[Callable[[list[Generation]], ForceTable]]:
    """A table over a database where each device has one of the generations."""
    opened = []

    def make(generations: list[Generation]) -> ForceTable:
        store = Store(tmp_path / "tscm.db")
        store.open()
        for name, one in zip(DEVICES, generations, strict=True):
            Policies(store).save_generation(name, one)
        store.close()
        opened.append(open_database(str(tmp_path / "tscm.db")))
        return ForceTable(opened[-1])

    yield make
    for connection in opened:
        connection.close()


def ask(table: ForceTable) -> None:
    for name in DEVICES:
        (force,) = table.between(name, NAMES, 600.0, 600.0)
        force.judged.look_up({b"203.0.113.7"})
        assert force.judged.found(BLOCKED)[b"203.0.113.7"] == "203.0.113.0/24"


def test_many_devices_with_one_list_share_it(
    table_of: Callable[[list[Generation]], ForceTable], unpacked: list[bytes]
) -> None:
    table = table_of([generation("203.0.113.0/24")] * len(DEVICES))
    ask(table)
    ask(table)
    assert len(unpacked) == 2  # block and allow list, once


def test_many_devices_with_lists_of_their_own_keep_them(
    table_of: Callable[[list[Generation]], ForceTable], unpacked: list[bytes]
) -> None:
    lists = [generation("203.0.113.0/24", f"198.51.100.{n}/32") for n in range(len(DEVICES))]
    table = table_of(lists)
    ask(table)
    assert len(unpacked) == 2 * len(DEVICES)
    ask(table)
    assert len(unpacked) == 2 * len(DEVICES)


def test_what_is_kept_ready_is_bounded(
    table_of: Callable[[list[Generation]], ForceTable],
    unpacked: list[bytes],
) -> None:
    lists = [generation("203.0.113.0/24", f"198.51.100.{n}/32") for n in range(len(DEVICES))]
    table = table_of(lists)
    table.entries_kept = 20
    ask(table)
    ask(table)
    assert len(unpacked) == 4 * len(DEVICES)
    assert len(table._ready) == 10


def test_a_device_made_anew_has_its_own_list(
    table_of: Callable[[list[Generation]], ForceTable],
) -> None:
    table = table_of([generation("203.0.113.0/24")] * len(DEVICES))
    ask(table)
    connection = table._connection
    connection.execute("DELETE FROM generations WHERE device = 'fw0'")
    connection.execute(
        "INSERT INTO generations (device, number, applied_at, note, block_entries, allow_entries, block, allow) "
        "VALUES ('fw0', 1, 550, '', 1, 0, ?, ?)",
        (pack(Entries.of(["192.0.2.0/24"])), pack(Entries())),
    )
    (force,) = table.between("fw0", NAMES, 600.0, 600.0)
    force.judged.look_up({b"203.0.113.7", b"192.0.2.1"})
    assert force.judged.found(BLOCKED)[b"203.0.113.7"] is None
    assert force.judged.found(BLOCKED)[b"192.0.2.1"] == "192.0.2.0/24"
