"""
The one way in for rooms that only read the database: any path, one state, faults as sentences.
"""

import ast
import os
import sqlite3
import time
from pathlib import Path

import pytest

from tscm.doctor.probe_database import damage
from tscm.events.explain import Explainer
from tscm.events.history import look_back
from tscm.events.recent import recent_hits
from tscm.events.report import ask, read_question
from tscm.events.selection import ListedLines
from tscm.model import Cidr
from tscm.policy.cidr import CidrSet
from tscm.policy.entries import Entries
from tscm.policy.standing import Some, Standing
from tscm.store.database import Store, StoreUnusable
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies
from tscm.store.reading import known_groups, open_read_only, read_only

SOURCE = Path(__file__).parent.parent.parent / "tscm"
ODD = ["a#b", "a?mode=rwc", "a%25b", "a%3Fb", "two words", "ü", "a&b=c;d", "{a}", "'a\"b"]
LISTED = (
    b"<164>%ASA-4-106023: Deny tcp src outside:203.0.113.7/4 dst inside:10.0.0.1/443 "
    b'by access-group "g" [0x1, 0x0]\n'
)
NONE = Some(cidrs=(), count=0)
STANDING = [
    Standing(
        kind=kind,
        list_name=kind[0],
        asked=Cidr("203.0.113.7/32"),
        covered="all",
        in_force=NONE,
        published=NONE,
        waiting=NONE,
        left_out=(),
    )
    for kind in ("block", "allow")
]
OTHER = LISTED.replace(b"203.0.113.7", b"198.51.100.9")


def made(path: Path) -> Path:
    store = Store(path)
    store.open()
    entries = pack(CidrSet.of_texts(["203.0.113.0/24"]).entries)
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=0.0,
            block_entries=1,
            allow_entries=0,
            block=entries,
            allow=pack(Entries.of([])),
        ),
    )
    store.close()
    return path


@pytest.fixture(params=ODD)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    folder.mkdir()
    return made(folder / "tscm.db")


def test_every_reader_finds_the_database_whatever_its_path(database: Path, tmp_path: Path) -> None:
    now = time.time()
    assert ask(database, read_question("fw", {}, now)).hits == 0
    (told, *_), _ = look_back(database, "fw", STANDING)
    assert told.since is not None
    assert told.since.generation == 1
    assert recent_hits(database, "fw", now)(Entries.of(["203.0.113.7"])).tolist() == [0]
    assert ListedLines(database, "fw")(LISTED + OTHER, 9e9) == (LISTED, 1)
    (explained,) = Explainer(database, "fw", ("b", "a")).explain(LISTED, 9e9)
    assert explained.hit is not None
    assert explained.hit.entry == "203.0.113.0/24"
    fortinet = b'type="traffic" srcip=203.0.113.7 dstip=10.0.0.1 proto=6 action="deny"'
    (explained,) = Explainer(database, "fw", ("b", "a"), "fortinet").explain(fortinet + b"\n", 9e9)
    assert explained.line == fortinet
    assert explained.hit is not None
    assert damage(database) is None
    assert [one.name for one in tmp_path.iterdir()] == [database.parent.name], "a stray file"
    assert {one.name for one in database.parent.iterdir()} <= {
        "tscm.db",
        "tscm.db-wal",
        "tscm.db-shm",
    }


def test_one_state_is_read_while_somebody_writes(tmp_path: Path) -> None:
    path = made(tmp_path / "tscm.db")
    query = "SELECT COUNT(*) FROM generations"
    with read_only(path) as reading:
        before = reading.execute(query).fetchone()
        with sqlite3.connect(path) as writing:
            writing.execute("DELETE FROM generations")
        writing.close()
        assert reading.execute(query).fetchone() == before == (1,)
    with read_only(path) as reading:
        assert reading.execute(query).fetchone() == (0,)


def test_nothing_is_written_or_made(tmp_path: Path) -> None:
    path = made(tmp_path / "tscm.db")
    with pytest.raises(StoreUnusable, match="readonly"), read_only(path) as reading:
        reading.execute("DELETE FROM generations")
    with pytest.raises(StoreUnusable, match="unable to open"):
        open_read_only(tmp_path / "absent.db")
    assert not (tmp_path / "absent.db").exists()


def test_a_damaged_database_is_a_sentence_for_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "tscm.db"
    path.write_bytes(b"this is no database, and it is long enough to be looked at" * 100)
    now = time.time()
    for call in (
        lambda: ask(path, read_question("fw", {}, now)),
        lambda: look_back(path, "fw", STANDING),
        lambda: recent_hits(path, "fw", now)(Entries.of(["203.0.113.7"])),
        lambda: list(Explainer(path, "fw", ("b", "a")).explain(LISTED, now)),
    ):
        with pytest.raises(StoreUnusable, match="file is not a database"):
            call()
    assert ListedLines(path, "fw")(LISTED + OTHER, now) == (LISTED + OTHER, 2), "not judged: taken"
    assert damage(path) == "file is not a database"


def test_only_the_store_opens_the_database() -> None:
    own = SOURCE / "faces/web/database.py"  # a database of the page alone
    opened = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] != "store" and path != own
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "connect"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sqlite3"
    ]
    assert not opened


def test_groups_of_a_device_are_read_as_the_last_update_left_them(tmp_path: Path) -> None:
    database = tmp_path / "tscm.db"
    assert known_groups(database, "fw") == []
    store = Store(database)
    store.open()
    assert known_groups(database, "fw") == []
    Policies(store).save_memory("fw", {"groups": ["P-Block", "P-Block-1", 7]})
    Policies(store).save_memory("other", {"groups": 3})
    assert known_groups(database, "fw") == ["P-Block", "P-Block-1"]
    assert known_groups(database, "other") == []
    store.close()


def test_a_pipe_in_the_place_of_the_database_lets_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tscm.db")
    with pytest.raises(StoreUnusable, match="it is a named pipe"):
        open_read_only(tmp_path / "tscm.db")
    with pytest.raises(StoreUnusable, match="it is a named pipe"):
        Store(tmp_path / "tscm.db").open()
