"""
Which lines are uploaded: those with an end on the lists as they stood then.
"""

import sqlite3
from pathlib import Path

import pytest

from tscm.events.judge import LATE_SECONDS
from tscm.events.selection import ListedLines
from tscm.policy.cidr import CidrSet
from tscm.store.database import Store
from tscm.store.generations import Generation, pack
from tscm.store.policies import GENERATIONS_KEPT, Policies

BLOCKED, ALLOWED, NEW, OTHER = "203.0.113.7", "198.51.100.7", "192.0.2.7", "10.9.9.9"


def listed(source: str, destination: str = "10.0.0.1", action: str = "denied") -> bytes:
    return (
        f"<166>%ASA-6-106100: access-list g {action} tcp outside/{source}(4) -> inside/{destination}(443) "
        f"hit-cnt 1 first hit [0x1, 0x0]\n"
    ).encode()


def denied(source: str) -> bytes:
    return (
        f'<164>%ASA-4-106023: Deny tcp src outside:{source}/4 dst inside:10.0.0.1/443 by access-group "g" '
        f"[0x1, 0x0]\n"
    ).encode()


BUILT = b"<166>%ASA-6-302013: Built outbound TCP connection 1\n"
CUT_OFF = b"<166>%ASA-6-106100: access-list g denied tcp outs\n"


def generation(path: Path, applied_at: float, block: list[str], allow: list[str]) -> None:
    store = Store(path)
    store.open()
    sets = CidrSet.of_texts(block), CidrSet.of_texts(allow)
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=applied_at,
            block_entries=len(block),
            allow_entries=len(allow),
            block=pack(sets[0].entries),
            allow=pack(sets[1].entries),
        ),
    )
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "tscm.db"
    generation(found, 10_000.0, [BLOCKED, "2001:db8::/32"], [ALLOWED])
    return found


def taken(selection: ListedLines, at: float, *lines: bytes) -> list[bytes]:
    data, count = selection(b"".join(lines), at)
    found = data.splitlines(keepends=True)
    assert len(found) == count
    return found


def test_an_end_on_either_list_is_taken_whatever_its_direction(path: Path) -> None:
    good = [
        listed(BLOCKED),
        listed("10.0.0.1", BLOCKED),
        denied(BLOCKED),
        listed("2001:DB8:0::5", "2001:db9::1"),
        listed(ALLOWED, action="permitted"),
        listed("10.0.0.1", ALLOWED, action="est-allowed"),
    ]
    bad = [listed(OTHER), denied(OTHER), denied("SERVER1"), BUILT]
    mixed = [line for pair in zip(good, bad * 2, strict=False) for line in pair]
    assert taken(ListedLines(path, "fw"), 20_000.0, *mixed) == good


def test_a_line_whose_ends_cannot_be_read_is_taken(path: Path) -> None:
    assert taken(ListedLines(path, "fw"), 20_000.0, CUT_OFF, BUILT, listed(OTHER)) == [CUT_OFF]


def test_late_lines_and_those_of_a_push_under_way_are_taken(path: Path) -> None:
    generation(path, 50_000.0, [NEW], [])
    selection = ListedLines(path, "fw")
    both = [listed(BLOCKED), listed(NEW)]
    assert taken(selection, 30_000.0, *both) == both[:1]
    assert taken(selection, 50_000.0 - LATE_SECONDS + 1, *both) == both
    assert taken(selection, 50_000.0 + LATE_SECONDS - 1, *both) == both
    assert taken(selection, 50_000.0 + LATE_SECONDS + 1, *both) == both[1:]


def test_before_the_first_generation_the_message_ids_decide(path: Path) -> None:
    lines = [listed(OTHER), denied(OTHER)]
    assert taken(ListedLines(path, "fw"), 1_000.0, BUILT, *lines) == lines
    assert taken(ListedLines(path, "fw"), 0.0, BUILT, *lines) == lines
    assert taken(ListedLines(path, "new"), 20_000.0, BUILT, *lines) == lines
    assert taken(ListedLines(path.with_name("absent"), "fw"), 2e4, BUILT, *lines) == lines


def test_a_new_generation_is_seen_at_the_next_look(path: Path) -> None:
    now = [0.0]
    selection = ListedLines(path, "fw", clock=lambda: now[0])
    assert taken(selection, 60_000.0, listed(NEW)) == []
    generation(path, 50_000.0, [NEW], [])
    now[0] += 2
    assert taken(selection, 60_000.0, listed(NEW)) == [listed(NEW)]


def test_generations_that_were_taken_away_leave_the_message_ids(path: Path) -> None:
    selection = ListedLines(path, "fw", clock=lambda: 0.0)
    assert taken(selection, 20_000.0, listed(OTHER)) == []
    for n in range(GENERATIONS_KEPT):
        generation(path, 50_000.0 + n * 5_000, [NEW], [])
    fresh = ListedLines(path, "fw")
    assert taken(fresh, 20_000.0, listed(OTHER)) == [listed(OTHER)]


def test_a_database_that_cannot_be_read_holds_nothing_back(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE generations SET block = x'00'")
    connection.close()
    assert taken(ListedLines(path, "fw"), 20_000.0, listed(OTHER)) == [listed(OTHER)]
    path.write_bytes(b"no database at all" * 1000)
    assert taken(ListedLines(path, "fw"), 20_000.0, listed(OTHER)) == [listed(OTHER)]


def test_no_more_than_a_few_generations_are_held(path: Path) -> None:
    for n in range(10):
        generation(path, 20_000.0 + n * 5_000, [NEW, BLOCKED], [])
    selection = ListedLines(path, "fw")
    for n in range(10):
        assert taken(selection, 20_001.0 + n * 5_000, listed(NEW)) == [listed(NEW)]
    assert len(selection._held) <= 3


def test_lines_of_another_firewall_are_chosen_by_its_own_form(path: Path) -> None:
    line = '<188>type="traffic" srcip={} srcport=5 dstip=10.0.0.1 dstport=443 proto=6 action="{}"\n'
    hit, other, open_ = (
        line.format(*one).encode()
        for one in ((BLOCKED, "deny"), (OTHER, "deny"), (OTHER, "unknown"))
    )
    selection = ListedLines(path, "fw", "fortinet")
    assert taken(selection, 20_000.0, hit, other, open_, BUILT, listed(BLOCKED)) == [hit, open_]
