"""
`tsadmin doctor` by the control interface of a running manager, and without one.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.manager.manager_process import Manager, send_udp


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    one.write_device("fw", rest_url="https://127.0.0.1:1/api", send_logs=False)
    one.start()
    yield one
    one.stop()


def doctor(manager: Manager, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tscm", "--root", str(manager.layout.root), "doctor", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout) if "--json" in words else {}
    every = [
        *told.get("node", ()),
        *(one for many in told.get("devices", {}).values() for one in many),
    ]
    return done.returncode, {one["link"]: one for one in every}


def test_a_running_manager_tells_what_it_knows(manager: Manager) -> None:
    send_udp(manager.port("udp"), b"<166>%ASA-6-302013: Built", source="127.0.0.1")
    manager.when_lines("fw", 1)
    status, found = doctor(manager, "fw", "--json")
    assert status == 1
    assert found["manager"]["verdict"] == "ok"
    assert found["lines arriving"]["verdict"] == "ok"
    assert found["reachability"]["verdict"] == found["policy service"]["verdict"] == "failed"
    assert found["groups"]["verdict"] == "not checked"


def test_a_device_that_there_is_not_is_told_in_a_sentence(manager: Manager) -> None:
    assert doctor(manager, "nobody")[0] == 1


def test_without_a_manager_that_is_the_first_finding(manager: Manager) -> None:
    manager.stop()
    status, found = doctor(manager, "--json")
    assert status == 1
    assert next(iter(found)) == "manager"
    assert found["manager"]["verdict"] == found["lines arriving"]["verdict"] == "failed"


def test_a_damaged_device_file_is_a_finding_of_that_device(manager: Manager) -> None:
    manager.stop()
    manager.layout.device_file("bad").write_text("device = [")
    status, found = doctor(manager, "bad", "--json")
    assert status == 1
    assert "bad.toml" in found["settings"]["sentence"]
    assert "tsadmin remove bad" in found["settings"]["remedy"]
    manager.start()
    status, found = doctor(manager, "--json")
    assert status == 1
    assert found["manager"]["verdict"] == "ok"
    assert found["settings"]["verdict"] == "failed"
    assert "reachability" in found  # the other device is walked all the same
