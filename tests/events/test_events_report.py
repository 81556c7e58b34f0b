"""
Reports, held against counting by hand; and what may be asked.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve

from tests.events.by_hand import FIRST, HOUR, KEYS, fits
from tscm.errors import SettingsFaulty
from tscm.events.judge import Force, Hit, Sum, judge
from tscm.events.report import BY, Question, ask, ask_several, read_question
from tscm.events.rollups import EventPosition, Rollups
from tscm.policy.cidr import CidrSet, Entries
from tscm.store.database import Store, open_database
from tscm.syslog.asa_bulk import Row

PAIRS = (("hour", "action"), ("list", "outside"), ("inside", "port"), ("action", "hour"))
HOURS = range(FIRST, FIRST + 72)


@pytest.fixture(scope="module", params=[0, 40, 72], ids=["in rows", "in part packed", "packed"])
def counted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[int, Hit, Sum]]]:
    path = tmp_path_factory.mktemp("report") / "tscm.db"
    store = Store(path)
    store.open()
    store.close()
    random = Random(7)
    block = [f"203.0.113.{n}" for n in range(20)] + ["203.0.113.0/24", "2001:db8::/32"]
    force = Force.of(
        1, 0.0, ("b.example", Entries.of(block)), ("a.example", Entries.of(["198.51.100.0/24"]))
    )
    connection = open_database(str(path))
    rollups = Rollups(connection)
    for hour in HOURS:
        rows: list[Row] = []
        for _ in range(random.randrange(12)):
            far = random.choice(
                [
                    f"203.0.113.{random.randrange(40)}",
                    "2001:db8::5",
                    f"198.51.100.{random.randrange(9)}",
                ]
            )
            near = f"10.0.{random.randrange(3)}.{random.randrange(6)}"
            ends = (far, near) if random.random() < 0.6 else (near, far)
            action = "permitted" if far.startswith("198") else "denied"
            port = random.choice([b"443", b"80", b"53", b""])
            rows.append(
                (b"", b"acl", action.encode(), random.choice([b"tcp", b"udp"]), ends[0].encode(),
                 ends[1].encode(), port, str(random.randrange(1, 9)).encode(), b"")
            )  # fmt: skip
        rollups.add("fw", {hour: judge(rows, [force])}, EventPosition(offset=hour, low=3))
        rollups.add("other", {hour: judge(rows[:1], [force])}, EventPosition(offset=hour))
    every = list(rollups.every("fw"))
    for device, day in rollups.days_to_pack(FIRST + request.param):
        while rollups.pack(device, day, FIRST + request.param):
            pass
    connection.close()
    assert len(every) > 200
    return path, every


@pytest.mark.parametrize("text", ["-3", "0", "100001", "9" * 30])
def test_a_number_out_of_range_is_not_called_no_number(text: str) -> None:
    with pytest.raises(SettingsFaulty, match="out of range; allowed: a whole number from 1"):
        read_question("fw", {"top": text}, 0.0)


def test_every_report_is_what_counting_by_hand_gives(
    counted: tuple[Path, list[tuple[int, Hit, Sum]]],
) -> None:
    path, every = counted
    random = Random(3)
    groupings = [(one,) for one in KEYS] + [*PAIRS]
    answered = 0
    for n in range(300):
        first = FIRST + random.choice([0, 24, 5, 30])
        asked = Question(
            device="fw",
            since=first * HOUR + random.choice([0, 1800]),
            until=random.choice([FIRST + 71, FIRST + 47, FIRST + 40, FIRST + 33, FIRST + 500])
            * HOUR,
            by=",".join(by := groupings[n % len(groupings)]),
            top=random.choice([3, 1000]),
            action=random.choice([None, None, "blocked", "allowed"]),
            direction=random.choice([None, None, "inbound"]),
            list=random.choice([None, None, "b.example", "nobody.example"]),
            entry=random.choice([None, None, None, "203.0.113.0/24"]),
            inside=random.choice([None, None, "10.0.1.2", "10.0.0.0/23"]),
            outside=random.choice(
                [
                    None,
                    None,
                    "203.0.113.0/28",
                    "2001:db8::/40",
                    "203.0.113.30",
                    "203.0.113.0/27",
                    "0.0.0.0/0",
                ]
            ),
            ports=random.choice([(), (), (443, 53)]),
            not_ports=random.choice([(), (), (80,)]),
        )
        hits: Counter[Any] = Counter()
        lines: Counter[Any] = Counter()
        for hour, hit, total in every:
            if fits(asked, hour, hit):
                key = tuple(KEYS[one](hour, hit) for one in by)
                hits[key] += total.hits
                lines[key] += total.lines
        answer = ask(path, asked)
        assert (answer.hits, answer.lines) == (hits.total(), lines.total())
        assert answer.groups == len(hits)
        assert len(answer.rows) == min(asked.top, len(hits))
        for row in answer.rows:
            key = tuple(row[one] for one in by)
            assert (row["hits"], row["lines"]) == (hits[key], lines[key])
        if by[0] == "hour":
            assert [*answer.rows] == sorted(answer.rows, key=lambda row: row["hour"])
        else:
            told = [row["hits"] for row in answer.rows]
            assert told == sorted(hits.values(), reverse=True)[: len(told)]
        answered += bool(hits)
        assert answer.counts_are_low == 3
    assert answered > 100


@pytest.mark.parametrize("by", [*BY, *(",".join(pair) for pair in PAIRS)])
def test_several_devices_together_are_the_sum_of_each(
    counted: tuple[Path, list[tuple[int, Hit, Sum]]], by: str
) -> None:
    path, _ = counted
    names = ("fw", "other", "never counted")
    questions = [
        Question(device=name, since=FIRST * HOUR, until=HOURS[-1] * HOUR, by=by, top=1000)
        for name in names
    ]
    together, each = ask_several(path, questions)
    alone = [ask(path, question) for question in questions]
    sums: dict[Any, list[int]] = {}
    for answer in alone:
        for row in answer.rows:
            found = sums.setdefault(tuple(row[one] for one in by.split(",")), [0, 0])
            found[0] += row["hits"]
            found[1] += row["lines"]
    assert {
        tuple(row[one] for one in by.split(",")): [row["hits"], row["lines"]]
        for row in together.rows
    } == sums
    assert (together.hits, together.lines) == tuple(
        sum(getattr(one, what) for one in alone) for what in ("hits", "lines")
    )
    assert [(one.hits, one.lines) for one in each] == [(one.hits, one.lines) for one in alone]
    assert together.counts_are_low == sum(one.counts_are_low for one in alone)
    hits = [row["hits"] for row in together.rows]
    assert by.startswith("hour") or hits == sorted(hits, reverse=True)


def test_a_report_of_networks_counts_the_hits_on_their_addresses_alone(
    counted: tuple[Path, list[tuple[int, Hit, Sum]]],
) -> None:
    path, every = counted
    asked = Question(device="fw", since=0.0, until=(FIRST + 500) * HOUR, by="outside", top=1000)
    everywhere = ask(path, asked)
    networks = CidrSet.of_texts(["203.0.113.0/28", "2001:db8::/40"])
    found = ask(path, evolve(asked, listed=networks))
    wanted = [row for row in everywhere.rows if networks.covers(row["outside"])]
    assert 0 < len(wanted) < len(everywhere.rows)
    assert sorted(map(str, found.rows)) == sorted(map(str, wanted))
    none = ask(path, evolve(asked, listed=CidrSet.of_texts([])))
    assert (none.hits, none.lines) == (0, 0)
    assert every


def test_nothing_counted_is_an_answer(tmp_path: Path) -> None:
    asked = Question(device="fw", since=0, until=1)
    assert ask(tmp_path / "absent.db", asked).rows == ()


def test_a_device_that_was_never_counted_has_no_rows(
    counted: tuple[Path, list[tuple[int, Hit, Sum]]],
) -> None:
    path, _ = counted
    assert ask(path, Question(device="'; DROP TABLE hits; --", since=0, until=9e9)).hits == 0
    assert ask(path, Question(device="fw", since=0, until=9e9)).hits > 0


def test_every_fault_of_a_question_is_told_at_once() -> None:
    with pytest.raises(SettingsFaulty) as caught:
        read_question(
            "fw",
            {
                "since": "yesterday-ish",
                "by": "colour",
                "top": "0",
                "direction": "sideways",
                "inside": "10.0.0.0/99",
                "port": "80,99999",
            },
            1e9,
        )
    assert {fault.where for fault in caught.value.faults} == {
        "--since", "--by", "--top", "--direction", "--inside", "--port"
    }  # fmt: skip
    with pytest.raises(SettingsFaulty, match="earlier than --since"):
        read_question("fw", {"since": 2e8, "until": "1e8"}, 1e9)


@pytest.mark.parametrize("by", ["hour,hour", "hour,", "entry,list,port", "entry, colour", ","])
def test_a_grouping_is_by_one_column_or_by_two_that_differ(by: str) -> None:
    assert read_question("fw", {"by": "hour, action"}, 1e9).by == "hour,action"
    with pytest.raises(SettingsFaulty, match="--by"):
        read_question("fw", {"by": by}, 1e9)


def test_defaults_ask_for_the_last_day_by_entry() -> None:
    asked = read_question("fw", {"port": "443, 80", "outside": "203.0.113.0/24"}, 1e9)
    assert (asked.since, asked.until, asked.by, asked.top) == (1e9 - 86400, 1e9, "entry", 20)
    assert asked.ports == (443, 80)
