"""
Streams that the caller closed, and ^C.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Add, Start


def closed(number: int, root: Path, environment: dict[str, str], *words: str) -> tuple[int, str]:
    """The status of `tsadmin` begun with a stream closed, and what it said on the others."""
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f'exec "$@" {number}>&-',
            "sh",
            sys.executable,
            "-m",
            "tscm",
            "--root",
            str(root),
            *words,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        timeout=120,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("portal", "list"), 0),
        (("list", "--json"), 0),
        (("remove", "office"), 1),
        (("portal", "remove", "office"), 2),
        (("nosuch",), 2),
    ],
)
def test_a_closed_stream_is_no_traceback(
    root: Path, environment: dict[str, str], number: int, words: tuple[str, ...], status: int
) -> None:
    closed(1, root, environment, "portal", "add", "office", "--address", "192.0.2.1")
    found, said = closed(number, root, environment, *words)
    assert "Traceback" not in said
    assert found == status


def test_what_is_said_into_a_closed_stream_goes_into_no_file(
    root: Path, environment: dict[str, str]
) -> None:
    status, _ = closed(1, root, environment, "portal", "add", "office", "--address", "192.0.2.1")
    assert status == 0
    for path in root.rglob("*"):
        if path.is_file():
            assert b"[INFO ]" not in path.read_bytes(), path


def test_an_interrupt_ends_tail_without_a_word(start: "Start", add: "Add", root: Path) -> None:
    add()
    live = root / "var/log/threatstop/devices/tstest/syslog"
    live.parent.mkdir(parents=True, exist_ok=True)
    live.write_bytes(b"first line\n")
    child = start("tail", "tstest")
    child.expect("first line")
    child.sendintr()
    rest = child.read()
    child.close()
    assert "ERROR" not in rest
    assert "interrupted" not in rest
    assert child.exitstatus == 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demonstration_that_is_interrupted_says_so(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tscm", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        try:
            assert demo.stdout.readline()
            os.kill(demo.pid, number)
            _, said = demo.communicate(timeout=120)
        finally:
            if demo.poll() is None:
                demo.kill()
    assert demo.returncode == status
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert not list(tmp_path.glob("tscm-demo-*"))
