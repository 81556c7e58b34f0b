"""
Calls of a running manager: who asked, what waits for what, what is withdrawn, and what the audit keeps.
"""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.manager.manager_process import SETTINGS, Manager, wait_for

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A policy server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


@pytest.fixture
def manager(tmp_path: Path, deaf: socket.socket) -> Iterator[Manager]:
    server = f'[policy]\nservers = ["127.0.0.1:{deaf.getsockname()[1]}"]\ntimeout_seconds = 120\n'
    one = Manager(tmp_path, SETTINGS + server)
    one.write_device("fw", policy_updates=False)
    one.write_device("other", device="127.0.0.2", policy_updates=False)
    one.start()
    yield one
    one.stop()


def begun(manager: Manager, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tsadmin(manager: Manager, *words: str) -> subprocess.CompletedProcess[str]:
    child = begun(manager, *words)
    out, err = child.communicate(timeout=120)
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(words, child.returncode, out, err)


def asked(manager: Manager, *words: str) -> Any:
    done = tsadmin(manager, *words, "--json")
    return json.loads(done.stdout)


def states(manager: Manager) -> list[tuple[str, str]]:
    return [(job["operation"], job["state"]) for job in asked(manager, "jobs")]


def test_a_call_that_waits_says_for_what_and_never_begins_when_its_client_is_gone(
    manager: Manager,
) -> None:
    job = asked(manager, "update", "fw", "--detach")
    wait_for(lambda: ("update", "running") in states(manager), manager.said)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        removal = begun(manager, "remove", "fw", "--purge", "--yes")
        try:
            wait_for(lambda: ("purge", "queued") in states(manager), manager.said)
            removal.send_signal(getattr(signal, name))
            out, err = removal.communicate(timeout=60)
        finally:
            removal.kill()
        if name == "SIGINT":
            assert removal.returncode == 130
            assert "is withdrawn, nothing was changed" in err
        said = " ".join(out.split())
        assert "Waiting: an update of fw has been in progress since 20" in said, said
        assert f"requested by {ME}" in said
        wait_for(lambda: ("purge", "queued") not in states(manager), manager.said)
        assert ("purge", "withdrawn") in states(manager)
    assert {row["name"] for row in manager.ask("/v1/devices")} == {"fw", "other"}
    assert tsadmin(manager, "status").returncode == 1
    assert not [name for name, _ in states(manager) if name in {"fleet", "jobs"}], (
        "a look is no job"
    )
    entries = asked(manager, "audit", "fw")
    assert [(one["operation"], one["outcome"]) for one in entries] == []  # none of them has ended
    refused = tsadmin(manager, "jobs", str(job["id"]), "--withdraw")
    assert refused.returncode == 1
    assert "has started and cannot be withdrawn" in refused.stderr
    assert ("update", "running") in states(manager)


def test_what_was_changed_is_in_the_audit_with_who_and_what(manager: Manager) -> None:
    done = tsadmin(manager, "configure", "other", "--log_rotate_size", "512")
    assert done.returncode == 0, done.stderr
    assert tsadmin(manager, "configure", "other", "--log_rotate_size", "x").returncode == 2
    tsadmin(manager, "logs", "other")
    tsadmin(manager, "remove", "other", "--yes")
    entries = asked(manager, "audit", "other")
    assert [(one["operation"], one["outcome"]) for one in entries] == [
        ("change", "done"),
        ("change", "failed"),
        ("logs", "done"),
        ("remove", "done"),
    ]
    assert {one["actor"] for one in entries} == {ME}
    assert {one["uid"] for one in entries} == {os.getuid()}
    assert entries[0]["arguments"]["changes"] == {"log_rotate_size": {"old": 100, "new": 512}}
    log = manager.said()
    assert f"audit: change by {ME}, device other, log_rotate_size: 100 -> 512: done in" in log
    shown = tsadmin(manager, "audit").stdout
    assert "log_rotate_size: 100 -> 512" in shown
    assert tsadmin(manager, "audit", "--since", "0s").stdout.count("change") == 0


def test_no_secret_is_in_the_audit(manager: Manager) -> None:
    file = manager.layout.root / "secret"
    file.write_text("correct horse battery\n")
    proxy = ["--log_proxy=http://127.0.0.1:9", "--log_proxy_user=me"]
    done = tsadmin(manager, "configure", "other", *proxy, f"--log_proxy_password_file={file}")
    assert done.returncode == 0, done.stderr
    (entry,) = asked(manager, "audit")
    assert entry["arguments"]["changes"]["log_proxy_password"]["new"] == "********"
    entries = [entry]
    assert "correct horse" not in json.dumps(entries) + manager.said()
    assert b"correct horse" not in manager.layout.database.read_bytes()


def test_a_stopped_manager_leaves_its_audit_and_what_is_done_without_it_goes_on_there(
    manager: Manager,
) -> None:
    tsadmin(manager, "configure", "other", "--log_rotate_size", "512")
    manager.stop()
    tsadmin(manager, "configure", "other", "--log_rotate_size", "513")
    entries = asked(manager, "audit")
    assert [one["arguments"]["changes"]["log_rotate_size"]["new"] for one in entries] == [512, 513]


def test_the_state_of_all_devices_is_one_line_each(manager: Manager) -> None:
    done = tsadmin(manager, "status")
    assert done.returncode == 1, "paused devices are a warning to a monitor"
    lines = done.stdout.splitlines()
    assert sum("held" in line and "updates are paused" in line for line in lines) == 2
    rows = asked(manager, "status", "fw")
    assert [row["name"] for row in rows] == ["fw"]
    assert rows[0]["causes"] == ["updates are paused", "never updated", "no line yet"]
    assert "no device named 'nobody'" in tsadmin(manager, "status", "nobody").stderr
    (manager.layout.device_file("damaged")).write_text("name = [")
    wait_for(lambda: len(asked(manager, "status")) == 3, manager.said)
    first = asked(manager, "status")[0]
    assert (first["name"], first["standing"]) == ("damaged", "failed")
    assert tsadmin(manager, "status").returncode == 2
