"""
`tsadmin status`, metrics and health from figures in memory: the database is asked after a change alone.
"""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.doctor.doctor_world import World
from tscm import health
from tscm.model import Json
from tscm.operations.arguments import Device, Holding, Nothing, Push
from tscm.operations.table import FLEET, HOLD, RESUME, UPDATE
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
