"""
`tsadmin demo` that is told to end leaves no process behind, whenever that comes.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.probes import thorough


def children_of(pid: int) -> dict[int, str]:
    """Processes whose parent is *pid*, and what they were started with."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(") ")[2].split()
                if int(stat[1]) == pid:
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def running(pids: dict[int, str]) -> list[str]:
    """Those of them that still are what they were."""
    left = []
    for pid, words in pids.items():
        with contextlib.suppress(OSError):
            if (Path("/proc") / str(pid) / "cmdline").read_text().replace("\0", " ") == words:
                left.append(words)
    return left


@pytest.mark.parametrize(
    "wanted",
    [pytest.param(1, id="early"), pytest.param(5, id="midway", marks=thorough)],
)
def test_a_demonstration_that_is_ended_takes_its_processes_with_it(
    tmp_path: Path, wanted: int
) -> None:
    with (tmp_path / "said").open("wb") as said:
        demo = subprocess.Popen(
            [sys.executable, "-m", "tscm", "demo", "--keep"],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    try:
        seen: dict[int, str] = {}
        deadline = time.monotonic() + 60
        while len(seen) < wanted:
            assert demo.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, seen
            time.sleep(0.1)
            seen |= children_of(demo.pid)
        demo.send_signal(signal.SIGTERM)
        while demo.poll() is None:
            assert time.monotonic() < deadline + 30
            seen |= children_of(demo.pid)
            time.sleep(0.02)
        assert running(seen) == []
        assert "Traceback" not in (tmp_path / "said").read_text()
    finally:
        demo.kill()
        demo.wait()
        for pid, words in seen.items():
            if words in running({pid: words}):
                os.kill(pid, signal.SIGKILL)


@thorough
def test_the_demonstration_that_goes_on_running_ends_by_a_signal(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "tscm", "demo", "--keep"],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    try:
        deadline = time.monotonic() + 480
        while "The demo keeps running" not in said.read_text():
            assert demo.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        seen = children_of(demo.pid)
        assert len(seen) >= 4, seen
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 0, said.read_text()
        assert running(seen) == []
    finally:
        demo.kill()
        demo.wait()
