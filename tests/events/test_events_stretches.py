"""
The worker reads the log itself: what it counts is what it would count of lines that are brought to it.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.spool.spool_room import make_spool, run_of
from tscm.events import worker as events_worker
from tscm.events.process import WorkerFailed
from tscm.events.rollups import Rollups
from tscm.events.rounds import Followed, Rounds
from tscm.events.worker import ForceTable, Worker
from tscm.model import Json
from tscm.policy.cidr import Entries
from tscm.spool.service import SpoolService
from tscm.spool.text import read_stretch
from tscm.store.database import Store, open_database
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies

OTHER = b"<166>fw : %ASA-6-302013: Built outbound TCP connection 1 (50 % of 106100)"
HIT = (
    b"<166>fw : %ASA-6-106100: access-list g denied tcp outside/203.0.113.7(40001)"
    b" -> inside/10.0.0.1(443) hit-cnt 1 first hit [0x1, 0x0]"
)
PING = (
    b"<166>fw : %ASA-4-106023: Deny icmp src outside:203.0.113.9 dst inside:10.0.0.2 (type 8, code 0)"
    b' by access-group "g" [0x0, 0x0]'
)
MISS = b'<166>fw : %ASA-4-106023: Deny udp src a:192.0.2.1/5 dst b:192.0.2.2/53 by access-group "g"'
LOW = b"<166>fw : %ASA-1-106101: Number of cached deny-flows has reached limit (4096)"
LINES = (OTHER, OTHER, HIT, PING, MISS, LOW)


@define(eq=False)
class AtOnceWorker:
    """The worker in this process; what came through the pipe is noted."""

    worker: Worker
    carried: int = field(default=0)

    def ask(self, request: Json, data: bytes = b"") -> Deferred[Json]:
        self.carried += len(data)
        try:
            return succeed(self.worker.answer(request, data))
        except Exception as error:
            return fail(WorkerFailed(str(error)))


@define(eq=False)
class World:
    clock: Clock
    spool: SpoolService
    worker: AtOnceWorker
    rollups: Rollups
    rounds: Rounds
    followed: Followed


@contextmanager
def world_in(folder: Path) -> Iterator[World]:
    store = Store(folder / "tscm.db")
    store.open()
    generation = Generation(
        applied_at=-10.0,
        block_entries=1,
        allow_entries=0,
        block=pack(Entries.of(["203.0.113.0/24"])),
        allow=pack(Entries()),
    )
    Policies(store).save_generation("asa", generation)
    store.close()
    connection = open_database(str(folder / "tscm.db"))
    clock = Clock()
    spool = make_spool(folder / "logs", clock)
    spool.startService()
    spool.open_device("asa", 1 << 30)
    worker = AtOnceWorker(Worker(Rollups(connection), ForceTable(connection)))
    rounds = Rounds(clock, worker, lambda _: None)  # type: ignore[arg-type]
    followed = rounds.follow(spool.reader("asa", "events"), ("block", "allow"))
    rounds.begin(followed)
    yield World(clock, spool, worker, Rollups(connection), rounds, followed)
    rounds.end(followed)
    spool.stopService()
    connection.close()


def append(world: World, lines: list[bytes]) -> None:
    assert world.spool.append("asa", [run_of(*lines)], world.clock.seconds())


DEEDS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(LINES), min_size=1, max_size=6),
        st.sampled_from(["seal", "second", "second", "aside", "unreadable", "restart"]),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(DEEDS)
def test_it_counts_what_it_would_count_of_lines_that_are_brought(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[Any]
) -> None:
    sent: list[bytes] = []
    refusals = 0

    def unsteady(*asked: Any) -> bytes:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise OSError(errno.EIO, "no such luck")
        return read_stretch(*asked)

    with pytest.MonkeyPatch.context() as patched, world_in(tmp_path_factory.mktemp("w")) as world:
        patched.setattr(events_worker, "read_stretch", unsteady)
        for deed in deeds:
            if isinstance(deed, list):
                append(world, deed)
                sent += deed
            elif deed == "seal":
                world.spool.seal("asa")
            elif deed == "second":
                world.clock.advance(1.0)
            elif deed == "aside":
                world.clock.advance(5.0)
            elif deed == "unreadable":
                refusals = 1
            else:
                world.rounds.end(world.followed)
                world.rounds.begin(world.followed)
        world.clock.pump([1.0] * 8)
        hits = sent.count(HIT) + sent.count(PING)
        assert world.rollups.totals("asa").get("blocked", {}).get("lines", 0) == hits
        found = world.rollups.position("asa")
        assert (found.sent, found.not_selected) == (hits, len(sent) - hits)
        assert (found.others, found.low, found.unread) == (sent.count(MISS), sent.count(LOW), 0)
        figures = world.spool.figures("asa").readers["events"]
        assert (figures.waiting_lines, figures.difference) == (0, 0)


def test_no_line_goes_through_the_pipe(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        for _ in range(20):
            append(world, [OTHER, HIT])
            world.clock.advance(1.0)
        world.spool.seal("asa")
        append(world, [OTHER])
        world.clock.pump([0.5] * 6)
        assert world.rollups.position("asa").sent == 20
        assert world.followed.reader.position.offset == world.followed.reader.end
        assert world.worker.carried == 0


def test_lines_that_the_worker_cannot_read_are_brought_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with world_in(tmp_path) as world:
        append(world, [OTHER, HIT])
        with monkeypatch.context() as patched:
            patched.setattr(events_worker, "read_stretch", refuse)
            world.clock.pump([0.5] * 6)
        assert world.worker.carried == len(OTHER) + len(HIT) + 2
        assert world.followed.reading.trouble.failures == 0
        append(world, [HIT])
        world.clock.pump([0.5] * 6)
        assert world.worker.carried == len(OTHER) + len(HIT) + 2
        assert world.rollups.position("asa").sent == 2
