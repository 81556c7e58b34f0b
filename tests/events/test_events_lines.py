"""
Lines that fit a filter: searched for in all that is kept, and judged as they come; what is left out is counted.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, run_of
from tscm.errors import SettingsFaulty
from tscm.events.answers import FoundLines
from tscm.events.judge import Hit
from tscm.events.line_filter import LineFilter, spans
from tscm.events.lines import LINE_SHOWN, Bounds, Gathering, LogOf, by_hour, judged, search
from tscm.events.shared_table import SharedTable
from tscm.model import Cidr, Json
from tscm.policy.cidr import Entries
from tscm.spool.index import IndexedRun
from tscm.spool.service import SpoolService
from tscm.spool.tools_export import Passage
from tscm.store.database import Store
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies

START = 1_800_000_000.0
HOUR = 3600.0
LOG = LogOf(device="fw", lists=("block", "allow"))


def line(source: str, port: int = 443, access_list: str = "g", hits: int = 1) -> bytes:
    return (
        f"<166>%ASA-6-106100: access-list {access_list} denied tcp outside/{source}(40001) -> "
        f"inside/10.0.0.1({port}) hit-cnt {hits} first hit [0x1, 0x0]"
    ).encode()


@define
class World:
    folder: Path
    clock: Clock
    spool: SpoolService
    at: float = START
    ticks: list[float] = field(factory=list)

    def store(
        self, *lines: bytes, device: str = "fw", hours: float = 0.0, seal: bool = False
    ) -> None:
        self.at += hours * HOUR
        self.spool.append(device, [run_of(*lines)], self.at)
        if seal:
            self.spool.seal(device)

    def gathering(self, options: Json, lines: int = 100, **more: Any) -> Gathering:
        bounds = Bounds(**{"octets": 1 << 20, "seconds": 5.0, "lines": lines, **more})
        newest = bool(options.pop("newest", False))
        return Gathering(
            LineFilter.read(options),
            bounds,
            self.folder / "tscm.db",
            self.at,
            clock=lambda: self.ticks.pop(0) if self.ticks else 0.0,
            newest=newest,
        )

    def search(self, logs: Sequence[LogOf] = (LOG,), *, since: float | None = None,
               until: float | None = None, lines: int = 100, octets: int = 1 << 20, **options: Any) -> FoundLines:  # fmt: skip
        for name in self.spool.devices():
            self.spool._devices[name].live.flush_index()
        gathering = self.gathering(options, lines, octets=octets)
        return search(self.folder / "logs", logs, gathering, since, until)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    for at, entries in (
        (START - HOUR, ["203.0.113.0/24"]),
        (START + 10 * HOUR, ["198.51.100.0/24"]),
    ):
        Policies(store).save_generation(
            "fw",
            Generation(
                applied_at=at,
                block_entries=1,
                allow_entries=0,
                block=pack(Entries.of(entries)),
                allow=pack(Entries.of([])),
            ),
        )
    store.close()
    clock = Clock()
    spool = make_spool(tmp_path / "logs", clock)
    for name in ("fw", "other"):
        spool.open_device(name, 1 << 20)
    yield World(tmp_path, clock, spool)
    spool.stopService()


def texts(found: FoundLines) -> list[str]:
    return [one.line for one in found.lines]


def test_a_text_is_found_in_all_that_is_kept_the_oldest_first(world: World) -> None:
    world.store(b"one needle", b"hay", seal=True)
    world.store(b"two NEEDLE", hours=1, seal=True)
    world.store(b"three needle", hours=1)
    found = world.search(text="needle")
    assert texts(found) == ["one needle", "three needle"]
    assert [one.received_at for one in found.lines] == [START, START + 2 * HOUR]
    assert {one.sender for one in found.lines} == {"192.0.2.1"}
    assert (found.fitting, found.left_out, found.read_lines, found.ended) == (2, 0, 4, None)
    assert len(world.search(text="needle", ignore_case=True).lines) == 3
    late = world.search(text="needle", since=START + HOUR, until=START + 3 * HOUR)
    assert texts(late) == ["three needle"]


def test_lines_about_hits_are_those_that_a_report_counts(world: World) -> None:
    world.store(line("203.0.113.7"), line("192.0.2.1"), b"hay", seal=True)
    world.store(line("203.0.113.9", port=22), hours=1, seal=True)
    world.store(line("203.0.113.7"), line("198.51.100.7", hits=4), hours=11)
    found = world.search(hits=True)
    assert [one.hit.outside for one in found.lines if one.hit] == [
        "203.0.113.7",
        "203.0.113.9",
        "198.51.100.7",
    ], "each by the list that was in force at its hour"
    assert [one.hit.hits for one in found.lines if one.hit] == [1, 1, 4]
    assert len(world.search(entry="203.0.113.0/24").lines) == 2
    assert len(world.search(port="22").lines) == 1
    assert len(world.search(not_port="22").lines) == 2
    assert len(world.search(outside="203.0.113.0/28").lines) == 2
    assert (
        len(world.search(outside="203.0.113.7", inside="10.0.0.1", direction="inbound").lines) == 1
    )
    assert not world.search(action="allowed").lines
    assert len(world.search(hits=True, text="198.51.100.7").lines) == 1
    only = evolve(LOG, access_lists=("elsewhere",))
    assert not world.search([only], hits=True).lines


def test_what_a_bound_leaves_out_is_counted(world: World) -> None:
    for number in range(30):
        world.store(f"needle {number}".encode(), hours=0.01)
    found = world.search(text="needle", lines=5)
    assert texts(found) == [f"needle {number}" for number in range(5)]
    assert (found.fitting, found.left_out) == (30, 25)
    newest = world.search(text="needle", lines=5, newest=True)
    assert texts(newest) == [f"needle {number}" for number in range(25, 30)]
    world.store(b"needle x", device="other")
    short = world.search([LOG, evolve(LOG, device="other")], text="needle", octets=295)
    assert short.ended is not None
    assert "reads no more than that at a time" in short.ended
    world.ticks = [0.0, 1.0, 9.0]
    late = world.search([LOG, evolve(LOG, device="other")], text="needle")
    assert late.ended == "the search took longer than 5 seconds"
    assert late.fitting == 30


def test_several_devices_are_one_row_of_time(world: World) -> None:
    world.store(b"needle 1")
    world.store(b"needle 2", device="other", hours=1)
    world.store(b"needle 3", hours=1)
    both = [LOG, evolve(LOG, device="other"), evolve(LOG, device="never")]
    assert [one.device for one in world.search(both, text="needle").lines] == ["fw", "other", "fw"]


def test_a_long_line_is_cut_and_says_so(world: World) -> None:
    world.store(b"needle" + b"x" * 60_000)
    (one,) = world.search(text="needle").lines
    assert (len(one.line), one.cut) == (LINE_SHOWN, 60_006 - LINE_SHOWN)


def test_lines_that_come_are_judged_by_lists_that_stay_ready(world: World) -> None:
    table = SharedTable()
    for round_ in range(2):
        world.store(line("203.0.113.7"), b"hay")
        block, origins = world.spool.peek("fw", 0, 1 << 16) or pytest.fail("nothing")
        runs = [IndexedRun(one.start, one.end - one.start, 0, one.received_at, one.sender, escaped=True)
                for one in origins]  # fmt: skip
        passage = Passage(offset=block.start, data=block.data, runs=runs, base=0)
        found = judged(table, [(LOG, passage)], world.gathering({"hits": True}))
        assert [one.hit.entry for one in found.lines if one.hit] == ["203.0.113.0/24"] * (
            round_ + 1
        )


def test_who_peeks_leaves_nothing_behind(world: World) -> None:
    for number in range(3):
        world.store(f"line {number}".encode(), seal=True)
    end, before = world.spool.positions("fw")
    at, seen = 0, b""
    while at < end:
        block, _ = world.spool.peek("fw", at, 1 << 16) or pytest.fail("nothing")
        seen, at = seen + block.data, block.end
    assert seen == b"line 0\nline 1\nline 2\n"
    assert world.spool.positions("fw") == (end, before)
    assert not list((world.folder / "logs" / "fw" / ".spool").glob("*cursor*"))


@pytest.mark.parametrize(
    "options", [{"text": 3}, {"text": "x" * 201}, {"port": "a"}, {"entry": "no"}]
)
def test_a_filter_that_cannot_be_meant_is_told(options: Json) -> None:
    with pytest.raises(SettingsFaulty):
        LineFilter.read(options)


@given(st.lists(st.text("ab\x1b<", max_size=6), max_size=8), st.text("ab<", min_size=1, max_size=2))
def test_spans_are_the_lines_that_hold_the_text(lines: list[str], text: str) -> None:
    pattern = LineFilter.read({"text": text}).pattern
    assert pattern is not None
    block = "".join(f"{one}\n" for one in lines).encode()
    found = [block[start:end].decode() for start, end in spans(pattern, block)]
    assert found == [one for one in lines if text in one]


HITS = st.builds(
    Hit,
    action=st.sampled_from(["blocked", "allowed"]),
    direction=st.sampled_from(["inbound", "outbound"]),
    list=st.sampled_from(["l1", "l2"]),
    entry=st.sampled_from([Cidr("192.0.2.0/24"), Cidr("2001:db8::/32")]),
    inside=st.sampled_from(["10.0.0.1", "a name", "2001:db8::1"]),
    outside=st.sampled_from(["192.0.2.1", "192.0.2.200"]),
    protocol=st.just("tcp"),
    port=st.sampled_from([-1, 22, 443]),
)


@given(HITS)
def test_a_hit_fits_its_own_values(hit: Hit) -> None:
    asked = {name: str(value) for name, value in hit._asdict().items() if name != "protocol"}
    if hit.port < 0:
        del asked["port"]
    assert LineFilter.read(asked).fits(hit)
    assert not LineFilter.read({**asked, "list": "another"}).fits(hit)
    assert not LineFilter.read({"outside": "198.51.100.0/24"}).fits(hit)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.0, START, START + HOUR])), max_size=8)
)
def test_parts_by_the_hour_are_the_whole(runs: list[tuple[int, float]]) -> None:
    indexed, at, data = [], 0, b""
    for lines, received in runs:
        size = 3 * lines
        indexed.append(IndexedRun(at, size, lines, received, "192.0.2.1", escaped=False))
        data += b"ab\n" * lines
        at += size
    passage = Passage(offset=700, data=data, runs=indexed, base=700)
    parts = list(by_hour(passage))
    assert b"".join(part.data for _, part in parts) == data
    assert [part.offset for _, part in parts] == sorted(part.offset for _, part in parts)
