"""
`tsadmin status`, metrics and health from figures in memory: the database is asked after a change alone.
"""

import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families

from tests.doctor.doctor_world import HERE, World
from tscm.base.clock import told_time
from tscm.errors import TscmError
from tscm.events.judge import Tally, by_list, joined
from tscm.intake.figures import IntakeFigures, StreamFigures, TlsFigures
from tscm.manager import health
from tscm.metrics.families import families
from tscm.model import Cidr, Json, Run
from tscm.operations import rows
from tscm.operations.arguments import Address, Device, Holding, Nothing, Push
from tscm.operations.bodies import RequestFaulty
from tscm.operations.table.fleet import FLEET
from tscm.operations.table.policies import HOLD, RESUME, UPDATE, WHY
from tscm.standing import Judged, judge
from tscm.state import DeviceState, Watched
from tscm.store.database import Store, StoreUnusable

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


@pytest_twisted.async_yield_fixture()
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    try:
        await made.add()
        await made.push()
        yield made
    finally:
        await made.end()


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the database, and who opens it."""
    seen: list[str] = []
    transaction, connect = Store.transaction, sqlite3.connect

    def counted(store: Store) -> Any:
        seen.append("transaction")
        return transaction(store)

    def opened(*args: Any, **keywords: Any) -> Any:
        seen.append("connect")
        return connect(*args, **keywords)

    monkeypatch.setattr(Store, "transaction", counted)
    monkeypatch.setattr(sqlite3, "connect", opened)
    return seen


async def status(world: World) -> Json:
    (row,) = await world.ask(FLEET, Nothing())
    found: Json = row
    return found


@pytest_twisted.ensureDeferred
async def test_no_face_asks_the_database_of_what_did_not_change(
    world: World, queries: list[str]
) -> None:
    before = await status(world)
    queries.clear()
    assert (await status(world))["verdict"] == before["verdict"]
    await health.figures(world.node.calls.node)
    await health.wrong(world.node.calls.node)
    assert queries == []


@pytest_twisted.ensureDeferred
async def test_a_device_is_judged_once_for_each_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[float] = []

    def counted(state: DeviceState, now: float, interval: float) -> Judged:
        judged.append(now)
        return judge(state, now, interval)

    monkeypatch.setattr(rows, "judge", counted)
    node = world.node.calls.node
    rows.row(node, "fw")
    judged.clear()
    before = rows.row(node, "fw").backlog_lines
    account = world.node.intake._delivery.of_device("fw")
    await world.node.events.leave("fw")  # or it reads the lines
    for _ in range(3):
        world.node.spool.append("fw", [Run(HERE, b"a line\n", 1)], time.time())
        account.received += 1
        account.stored += 1
        assert rows.row(node, "fw").causes == rows.row(node, "fw").causes
    after = rows.row(node, "fw").backlog_lines
    assert after["events"] == before["events"] + 3
    assert len(judged) <= 1  # the first line ends "no line yet"

    judged.clear()
    account.stored -= 1
    assert any("does not balance" in one for one in rows.row(node, "fw").causes)
    account.stored += 1
    assert not any("does not balance" in one for one in rows.row(node, "fw").causes)
    await world.ask(HOLD, Holding(name="fw"))
    assert rows.row(node, "fw").verdict == "held"
    assert len(judged) == 3


@pytest_twisted.ensureDeferred
async def test_what_changed_is_seen_at_once(world: World) -> None:
    assert (await status(world))["verdict"] == "new"
    await world.ask(HOLD, Holding(name="fw", reason="change freeze"))
    held = await status(world)
    assert held["verdict"] == "held"
    assert "change freeze" in held["causes"][0]
    await world.ask(RESUME, Device(name="fw"))
    assert (await status(world))["verdict"] == "new"
    world.publish("20.9.9.9", "20.9.9.11")
    await world.ask(UPDATE, Push(name="fw"))
    assert (await status(world))["entries"] == 3


@pytest_twisted.ensureDeferred
async def test_a_database_that_fails_is_asked_again_until_it_is_good(
    world: World, queries: list[str]
) -> None:
    await status(world)
    world.node.store.trouble = StoreUnusable("tscm.db", "disk I/O error")
    queries.clear()
    assert (await status(world))["verdict"] == "new"
    assert queries
    queries.clear()
    await status(world)
    assert queries == []


def value(page: Watched, name: str, **labels: str) -> float:
    """One figure of all families; 0 where there is none."""
    found = [
        sample.value
        for family in families(page)
        for read in text_string_to_metric_families(family.text())
        for sample in read.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2, (name, labels)
    return found[0] if found else 0.0


@pytest_twisted.ensureDeferred
async def test_health_and_metrics_say_what_status_says(world: World) -> None:
    node = world.node.calls.node
    await world.hit()
    page = await health.figures(node)
    assert value(page, "tscm_device_verdict", device="fw", verdict="ok") == 1
    assert value(page, "tscm_policy_held", device="fw", cause="operator") == 0
    hits = {"device": "fw", "action": "blocked", "list": "block.example"}
    assert value(page, "tscm_hits_total", **hits) == 1
    assert await health.noted(node) == []

    await world.ask(HOLD, Holding(name="fw", reason="change \x1b[31m"))
    page = await health.figures(node)
    assert value(page, "tscm_device_verdict", device="fw", verdict="held") == 1
    assert value(page, "tscm_policy_held", device="fw", cause="operator") == 1
    (note,) = await health.noted(node)
    assert note.startswith("held: fw: updates are held by tester: change")
    assert not any("held" in one for one in await health.wrong(node))


@pytest_twisted.ensureDeferred
async def test_a_hold_is_told_beside_what_an_address_did(world: World) -> None:
    await world.hit()
    await world.ask(HOLD, Holding(name="fw", reason="change freeze"))
    found = await world.ask(WHY, Address(name="fw", address="20.9.9.9"))
    assert found["held"].endswith("by tester: change freeze")
    assert found["verdict"] == "blocked"
    await world.ask(RESUME, Device(name="fw"))
    assert (await world.ask(WHY, Address(name="fw", address="20.9.9.9")))["held"] is None


@pytest_twisted.ensureDeferred
async def test_what_was_cut_and_refused_is_told(world: World) -> None:
    node = world.node.calls.node
    await world.change(max_policy_size=2)
    world.publish("20.9.9.9", "20.9.9.11", "20.9.9.13")
    await world.ask(UPDATE, Push(name="fw"))
    page = await health.figures(node)
    assert value(page, "tscm_policy_cut_entries", device="fw", list="block") == 2
    assert any("2 entries cut" in one for one in await health.noted(node))

    world.publish()
    with pytest.raises(TscmError):
        await world.ask(UPDATE, Push(name="fw"))
    page = await health.figures(node)
    assert value(page, "tscm_policy_result", device="fw", result="refused") == 1
    assert any("rejected by the guard" in one for one in await health.noted(node))


def test_a_certificate_that_ends_is_told_in_days() -> None:
    figures = IntakeFigures(
        listeners={
            "tls 1": StreamFigures(tls=TlsFigures(certificate="x", expires_at=10 * 86400.0)),
            "tcp 1": StreamFigures(),
        }
    )
    assert health.certificates(figures) == {"tls 1": 10 * 86400.0}


def test_hits_are_counted_by_action_and_list() -> None:
    raw = ("blocked", "inbound", "b.list", Cidr("20.0.0.1/32"), b"i", b"o", b"tcp", b"80")
    other = ("allowed", "inbound", "a.list", Cidr("20.0.0.2/32"), b"i", b"o", b"tcp", b"80")
    tallies = [
        Tally(sums={raw: joined(3, 1200)}),
        Tally(sums={raw: joined(1, 5), other: joined(2, 2)}),
    ]
    assert by_list(tallies) == {"blocked": {"b.list": 1205}, "allowed": {"a.list": 2}}


@pytest_twisted.ensureDeferred
async def test_an_end_that_is_over_is_told_as_times_of_the_managers_clock(world: World) -> None:
    with pytest.raises(RequestFaulty) as caught:
        await world.ask(HOLD, Holding(name="fw", until=1_000_000_000.0))
    said = str(caught.value)
    assert told_time(1_000_000_000.0) in said
    assert "by the manager's clock" in said
