"""
What the worker makes of one request for many devices: one transaction, and no fault but one's own.
"""

import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define

from tscm.events.rollups import Rollups
from tscm.events.worker import ForceTable, Worker, serve
from tscm.model import Json
from tscm.policy.cidr import Entries
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies

DEVICES = ("one", "two", "three")
LINE = (
    b"<166>Nov 23 2026 10:00:00: %ASA-6-106100: access-list g denied tcp outside/203.0.113.7(40001)"
    b" -> inside/10.0.0.1(443) hit-cnt 1 first hit [0x1, 0x0]\n"
)


@define
class World:
    connection: sqlite3.Connection
    worker: Worker

    def lines(self) -> list[int]:
        """What is counted of each device."""
        rollups = Rollups(self.connection)
        return [rollups.totals(name).get("blocked", {}).get("lines", 0) for name in DEVICES]

    def offsets(self) -> list[int]:
        return [Rollups(self.connection).position(name).offset for name in DEVICES]

    def ask(self, *parts: Json) -> list[Json]:
        data = b"".join(LINE for part in parts if part["kind"] == "block")
        found: list[Json] = self.worker.answer({"kind": "many", "parts": list(parts)}, data)[
            "parts"
        ]
        return found

    def refuse(self, name: str, how: str) -> None:
        """Have the database refuse the position of one device."""
        (number,) = self.connection.execute(
            "SELECT id FROM words WHERE text = ?", (name,)
        ).fetchone()
        self.connection.execute(
            f"CREATE TRIGGER refused BEFORE INSERT ON event_readers WHEN NEW.device = {number} "
            f"BEGIN SELECT RAISE({how}, 'no such luck'); END"
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    for name in DEVICES:
        Policies(store).save_generation(
            name,
            Generation(
                applied_at=500.0,
                block_entries=1,
                allow_entries=0,
                block=pack(Entries.of(["203.0.113.0/24"])),
                allow=pack(Entries.of([])),
            ),
        )
    store.close()
    connection = open_database(str(tmp_path / "tscm.db"))
    yield World(connection, Worker(Rollups(connection), ForceTable(connection)))
    connection.close()


def block(name: str, start: int = 0, **changed: object) -> Json:
    return {
        "kind": "block",
        "device": name,
        "size": len(LINE),
        "start": start,
        "end": start + len(LINE),
        "lines": 1,
        "escaped": False,
        "origins": [(start, start + len(LINE), 1000.0)],
        "block_list": "block",
        "allow_list": "allow",
        **changed,
    }


def test_blocks_of_several_devices_are_one_transaction(world: World) -> None:
    begun: list[str] = []
    world.connection.set_trace_callback(begun.append)
    answers = world.ask(*map(block, DEVICES))
    world.connection.set_trace_callback(None)
    assert [one["answer"]["sent"] for one in answers] == [1, 1, 1]
    assert world.lines() == [1, 1, 1]
    assert len([one for one in begun if one.startswith("BEGIN")]) == 1


def test_nothing_is_parsed_while_the_database_is_locked(world: World) -> None:
    begun: list[str] = []
    world.connection.set_trace_callback(begun.append)
    world.ask(*map(block, DEVICES))
    world.connection.set_trace_callback(None)
    started = next(at for at, one in enumerate(begun) if one.startswith("BEGIN"))
    assert not any("generations" in one for one in begun[started:])


def test_positions_and_blocks_may_come_together(world: World) -> None:
    answers = world.ask(
        block("one"),
        {"kind": "position", "device": "two", "size": 0},
        {"kind": "move", "device": "three", "size": 0, "offset": 7, "sent": 1, "not_selected": 2},
    )
    assert [one["answer"]["offset"] for one in answers] == [len(LINE), 0, 7]
    assert world.offsets() == [len(LINE), 0, 7]


@pytest.mark.parametrize("at", range(3))
def test_a_part_that_cannot_be_understood_spoils_no_other(world: World, at: int) -> None:
    parts = list(map(block, DEVICES))
    del parts[at]["origins"]
    answers = world.ask(*parts)
    assert ["error" in one for one in answers] == [number == at for number in range(3)]
    assert world.lines() == [number != at for number in range(3)]


@pytest.mark.parametrize("name", DEVICES)
def test_a_part_that_the_database_refuses_spoils_no_other(world: World, name: str) -> None:
    world.ask(*map(block, DEVICES))
    world.refuse(name, "ABORT")
    answers = world.ask(*[block(one, len(LINE)) for one in DEVICES])
    for one, answer, lines, offset in zip(
        DEVICES, answers, world.lines(), world.offsets(), strict=True
    ):
        assert lines == (1 if one == name else 2)
        assert offset == lines * len(LINE)
        assert ("no such luck" in answer.get("error", "")) == (one == name)
    world.connection.execute("DROP TRIGGER refused")
    world.ask(
        *[block(one, lines * len(LINE)) for one, lines in zip(DEVICES, world.lines(), strict=True)]
    )
    assert world.lines() == [2 if one == name else 3 for one in DEVICES]


def test_what_was_new_in_a_part_that_was_taken_back_is_given_its_number_anew(world: World) -> None:
    world.ask(block("two"))
    world.refuse("two", "ABORT")
    inside = LINE.replace(b"10.0.0.1", b"10.0.0.2")
    parts = [block("two", len(LINE)), block("three")]
    world.worker.answer({"kind": "many", "parts": parts}, inside + inside)
    found = [hit.inside for _, hit, _ in Rollups(world.connection).every("three")]
    assert found == ["10.0.0.2"]


def test_a_transaction_that_the_database_ended_counts_for_nobody(world: World) -> None:
    world.ask(*map(block, DEVICES))
    world.refuse("two", "ROLLBACK")
    with pytest.raises(sqlite3.Error, match="no such luck"):
        world.ask(*[block(one, len(LINE)) for one in DEVICES])
    assert not world.connection.in_transaction
    assert world.lines() == [1, 1, 1]
    assert world.offsets() == [len(LINE)] * 3
    world.connection.execute("DROP TRIGGER refused")
    world.ask(*[block(one, len(LINE)) for one in DEVICES])
    assert world.lines() == [2, 2, 2]


def test_what_is_counted_already_is_not_counted_again(world: World) -> None:
    world.ask(*map(block, DEVICES))
    answers = world.ask(*map(block, DEVICES))
    assert [one["answer"]["offset"] for one in answers] == [len(LINE)] * 3
    assert world.lines() == [1, 1, 1]


def test_a_request_that_takes_too_much_memory_is_answered_and_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(_self: Worker, _request: Json, _data: bytes) -> Json:
        raise MemoryError

    monkeypatch.setattr(Worker, "answer", too_much)
    store = Store(tmp_path / "tscm.db")
    store.open()
    store.close()
    answers = io.BytesIO()
    serve(str(tmp_path / "tscm.db"), io.BytesIO(b'{"kind": "pack"}\n{"kind": "pack"}\n'), answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [
        {"error": "it would take more than 512 MB of memory"}
    ]
