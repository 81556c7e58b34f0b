"""
A manager whose database cannot be used: a collector first, it collects, and says what does not go on.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.manager.manager_process import SETTINGS, Manager, send_udp, wait_for


def newer(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 999")
    connection.close()


def garbage(database: Path) -> None:
    database.write_bytes(b"this is no database\n" * 500)


def folder(database: Path) -> None:
    database.mkdir()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path, SETTINGS + 'metrics = ["127.0.0.1:0"]\n')
    one.layout.database.parent.mkdir(parents=True, exist_ok=True)
    yield one
    one.stop()


def tsadmin(manager: Manager, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (newer, "has schema 999, but this version supports at most"),
        (garbage, "cannot be used: file is not a database"),
        (folder, "cannot be used: it is a directory, not a regular file"),
    ],
)
def test_without_its_database_the_manager_collects_and_refuses_policy_with_the_cause(
    manager: Manager, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(manager.layout.database)
    manager.write_device("fw", policy_updates=True)
    manager.write_device("gone", device="127.0.0.2")
    manager.start()
    send_udp(manager.port("udp"), b"<166>collected")
    assert manager.when_lines("fw", 1) == [b"<166>collected"]
    assert manager.ask("/v1/ledger")["balanced"]

    status = manager.ask("/v1/status")
    assert sentence in status["database"]
    with httpx.Client(base_url=f"http://{status['metrics'][0]}", trust_env=False) as client:
        health = client.get("/healthz")
        assert health.status_code == 503
        assert sentence in health.text
        assert client.get("/metrics").status_code == 200
    state = manager.ask("/v1/devices/fw")["state"]["policy"]
    assert sentence in state["fault"]
    assert state["next_run_at"] is None
    for method, path, body in (
        ("POST", "update", {}),
        ("GET", "plan", None),
        ("POST", "policy/why", {"address": "192.0.2.1"}),
        ("POST", "policy/dropped", {}),
        ("POST", "purge", {}),
    ):
        found = manager.command(method, f"/v1/devices/fw/{path}", body)
        assert sentence in found["error"]["sentence"], path

    done = tsadmin(manager, "update", "fw")
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert f"policies are not updated: database {manager.layout.database}" in " ".join(
        tsadmin(manager, "show", "fw").stdout.split()
    )
    done = tsadmin(manager, "doctor")
    assert "no policy is updated" in " ".join((done.stdout + done.stderr).split())
    assert "error" not in manager.command("DELETE", "/v1/devices/gone")
    assert [row["name"] for row in manager.ask("/v1/devices")] == ["fw"]
    manager.stop()
    assert "Traceback" not in manager.said()


def test_a_database_that_can_be_used_again_is_used_without_a_restart(manager: Manager) -> None:
    garbage(manager.layout.database)
    manager.write_device("fw", policy_updates=True)
    manager.start()
    send_udp(manager.port("udp"), b"<166>before")
    manager.when_lines("fw", 1)
    manager.layout.database.rename(manager.layout.database.with_suffix(".aside"))
    wait_for(lambda: manager.ask("/v1/status")["database"] is None, manager.said)
    state = manager.ask("/v1/devices/fw")["state"]["policy"]
    assert state["fault"] is None
    assert state["next_run_at"] is not None
    found = manager.command("POST", "/v1/devices/fw/update", {})
    assert "no policy server is configured" in found["error"]["sentence"]
    send_udp(manager.port("udp"), b"<166>after")
    assert manager.when_lines("fw", 2) == [b"<166>before", b"<166>after"]
    assert manager.said().count("is not a database") == 1


def test_a_database_that_is_damaged_under_the_running_manager_stands_in_healthz(
    manager: Manager,
) -> None:
    manager.write_device("fw")
    manager.start()
    metrics = manager.ask("/v1/status")["metrics"][0]
    with httpx.Client(base_url=f"http://{metrics}", trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        with closing(sqlite3.connect(manager.layout.database)) as other:
            other.execute("CREATE TABLE other (one)")  # what the manager has in memory is outdated
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        garbage(manager.layout.database)
        assert tsadmin(manager, "policy", "history", "fw").returncode == 1
        health = client.get("/healthz")
    assert health.status_code == 503
    assert "file is not a database" in health.text
    assert manager.process is not None
    assert manager.process.poll() is None
