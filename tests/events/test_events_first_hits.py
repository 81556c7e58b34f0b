"""
A packet is counted once: the first interval line of a flow says its first hit again.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tscm.events import first_hits as module
from tscm.events.first_hits import KEPT_SECONDS, FirstHits
from tscm.events.rollups import Rollups
from tscm.events.worker import ForceTable, Worker
from tscm.model import Json
from tscm.policy.cidr import Entries
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies
from tscm.syslog.asa_bulk import Row, policy_rows

HOUR = 3600.0


def line(
    port: int, hits: int, when: str, *, address: str = "203.0.113.7", head: str = "<166>"
) -> bytes:
    return (
        f"{head}%ASA-6-106100: access-list g denied tcp outside/{address}({port})"
        f" -> inside/10.0.0.1(443) hit-cnt {hits} {when} [0x1, 0x0]\n"
    ).encode()


FIRST, INTERVAL = "first hit", "300-second interval"


def settled(known: FirstHits, block: bytes, at: float) -> list[int]:
    return [int(row[7]) for row in known.settle(policy_rows(block), at)]


def test_a_first_hit_and_twenty_more_are_twenty_one() -> None:
    known = FirstHits()
    block = line(1, 1, FIRST) + line(2, 1, FIRST)
    assert settled(known, block, 1000.0) == [1, 1]
    assert settled(known, line(1, 21, INTERVAL), 1300.0) == [20]
    assert settled(known, line(1, 5, INTERVAL), 1600.0) == [5]
    assert settled(known, line(1, 1, FIRST) + line(1, 1, INTERVAL), 1900.0) == [1, 0]


def test_an_interval_line_whose_first_hit_is_not_known_counts_in_full() -> None:
    known = FirstHits()
    assert settled(known, line(1, 21, INTERVAL), 1000.0) == [21]
    settled(known, line(2, 1, FIRST), 1000.0)
    assert settled(known, line(2, 9, INTERVAL), 1000.0 + 601.0) == [9]  # the second interval of it
    settled(known, line(3, 1, FIRST), 1000.0)
    assert settled(known, line(3, 9, "600-second interval"), 1000.0 + KEPT_SECONDS) == [8]


def test_forms_that_relays_make_are_of_the_same_flow() -> None:
    known = FirstHits()
    text = line(1, 1, FIRST)[len(b"<166>%ASA-6-106100: ") :]
    block = b"<166>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-6-106100 - - - " + text
    assert settled(known, block, 1000.0) == [1]
    repeated = line(1, 21, INTERVAL, head="<166>fw1 : message repeated 2 times: [ ")
    assert settled(known, repeated, 1300.0) == [41]


def rows_by_chance(chance: Random, count: int) -> list[tuple[float, list[Row]]]:
    """Stretches of few flows, mostly close together, with pauses that let some grow old."""
    at = 1e9
    found = []
    for _ in range(count):
        at += chance.choice([0.0, 0.5, 20.0, 200.0, 700.0])
        lines = [
            line(chance.randrange(30), chance.randrange(1, 9), chance.choice([FIRST, INTERVAL]))
            for _ in range(chance.randrange(6))
        ]
        found.append((at, policy_rows(b"".join(lines))))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_cuts_and_restarts_change_nothing(seed: int) -> None:
    small = {"kept_flows": 9, "room": 3, "most_journals": 5}
    chance = Random(seed)
    stretches = rows_by_chance(chance, 200)
    whole, journals = FirstHits(**small), list[tuple[bytes, bytes]]()
    part = FirstHits(**small)
    for at, rows in stretches:
        assert part.settle(rows, at) == whole.settle(rows, at)
        if chance.random() < 0.5:  # the end of a block
            journal = part.take_journal()
            if journal is not None:
                journals = [] if journal.whole else journals
                if journal.flows:
                    journals.append((journal.flows, journal.times))
            if chance.random() < 0.5:  # a restart
                part = FirstHits.of(journals, **small)
    assert len(journals) <= 6


def test_what_is_remembered_is_bounded() -> None:
    known = FirstHits()
    kept: list[tuple[bytes, bytes]] = []
    for n in range(40):
        block = b"".join(line(port, 1, FIRST, address=f"203.0.{n}.7") for port in range(1000))
        known.settle(policy_rows(block), 1000.0 + n / 100)
        journal = known.take_journal()
        assert journal is not None
        kept = [] if journal.whole else kept
        kept.append((journal.flows, journal.times))
    assert len(known._held) <= module.KEPT_FLOWS + module._ROOM
    assert sum(len(times) for _, times in kept) <= 8 * (3 * module.KEPT_FLOWS + module._ROOM + 1000)
    old = line(5, 2, INTERVAL, address="203.0.0.7")
    assert settled(known, old, 1001.0) == [2]
    assert settled(known, line(5, 2, INTERVAL, address="203.0.39.7"), 1001.0) == [1]


# -- in the worker ----------------------------------------------------------------


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=0.5,
            block_entries=1,
            allow_entries=0,
            block=pack(Entries.of(["203.0.113.0/24"])),
            allow=pack(Entries.of([])),
        ),
    )
    store.close()
    opened = open_database(str(tmp_path / "tscm.db"))
    yield opened
    opened.close()


def request(kind: str, start: int, data: bytes, at: float, **more: object) -> Json:
    return {
        "kind": kind, "device": "fw", "size": len(data), "start": start, "end": start + len(data),
        "lines": data.count(b"\n"), "escaped": False, "origins": [(start, start + len(data), at)],
        "block_list": "block", "allow_list": "allow", **more,
    }  # fmt: skip


def hits(connection: sqlite3.Connection) -> int:
    return int(Rollups(connection).totals("fw").get("blocked", {}).get("hits", 0))


def test_a_restart_and_counting_anew_give_the_same(connection: sqlite3.Connection) -> None:
    """The first hit in one hour and process, its interval line in the next."""
    blocks = [
        (line(1, 1, FIRST) + line(2, 1, FIRST), 2 * HOUR - 100),
        (line(1, 21, INTERVAL), 2 * HOUR + 200),
        (line(2, 4, INTERVAL) + line(1, 6, INTERVAL), 2 * HOUR + 500),
    ]
    offset = 0
    for data, at in blocks:
        worker = Worker(Rollups(connection), ForceTable(connection))
        parts = [request("block", offset, data, at)]
        (answer,) = worker.answer({"kind": "many", "parts": parts}, data)["parts"]
        assert "error" not in answer
        offset += len(data)
    assert hits(connection) == 2 + 20 + 4 + 6  # that of flow 2 came too late to be its first
    worker = Worker(Rollups(connection), ForceTable(connection))
    worker.answer({"kind": "coverage", "device": "fw"}, b"")
    offset = 0
    for data, at in blocks:
        worker.answer(request("recount", offset, data, at, first_hour=1), data)
        offset += len(data)
    worker.answer({"kind": "recounted", "device": "fw"}, b"")
    assert hits(connection) == 32


def test_what_the_database_refused_is_not_remembered(connection: sqlite3.Connection) -> None:
    worker = Worker(Rollups(connection), ForceTable(connection))
    connection.execute(
        "CREATE TRIGGER refused BEFORE INSERT ON event_readers BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    data = line(1, 1, FIRST) + line(1, 21, INTERVAL)
    asked = {"kind": "many", "parts": [request("block", 0, data, 7200.0)]}
    assert "error" in worker.answer(asked, data)["parts"][0]
    connection.execute("DROP TRIGGER refused")
    assert "error" not in worker.answer(asked, data)["parts"][0]
    assert hits(connection) == 21


def test_a_device_that_is_forgotten_leaves_no_first_hits(connection: sqlite3.Connection) -> None:
    worker = Worker(Rollups(connection), ForceTable(connection))
    data = line(1, 1, FIRST)
    worker.answer({"kind": "many", "parts": [request("block", 0, data, 7200.0)]}, data)
    assert connection.execute("SELECT COUNT(*) FROM first_hits").fetchone() == (1,)
    worker.answer({"kind": "forget", "device": "fw"}, b"")
    assert connection.execute("SELECT COUNT(*) FROM first_hits").fetchone() == (0,)


# -- what else counts and what does not ---------------------------------------------


def counted(connection: sqlite3.Connection, data: bytes, **more: object) -> Json:
    worker = Worker(Rollups(connection), ForceTable(connection))
    parts = [request("block", 0, data, 7200.0, **more)]
    (part,) = worker.answer({"kind": "many", "parts": parts}, data)["parts"]
    answer: Json = part["answer"]
    return answer


def test_only_lines_of_the_access_lists_that_are_named_can_be_hits(
    connection: sqlite3.Connection,
) -> None:
    data = line(1, 1, FIRST) + line(2, 1, FIRST).replace(b"access-list g", b"access-list h")
    found = counted(connection, data, access_lists=["h", "i"])
    assert (found["sent"], found["not_selected"], found["others"]) == (1, 1, 1)
    assert hits(connection) == 1


def test_policy_lines_whose_ends_cannot_be_read_are_counted_as_such(
    connection: sqlite3.Connection,
) -> None:
    data = (
        line(1, 1, FIRST)
        + b"<166>%ASA-6-106100: access-list g denied by decree\n<166>%ASA-6-302013: x\n"
    )
    found = counted(connection, data)
    assert (found["sent"], found["not_selected"], found["others"], found["unread"]) == (1, 2, 0, 1)
    assert Rollups(connection).position("fw").unread == 1
