"""
The page started by a socket: it serves what was waiting, goes when nobody looks, and comes again.
"""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.faces.web.test_web_process import TWISTD, get, settings
from tests.waiting import PATIENCE_SECONDS

ETC = Path(__file__).parent.parent.parent.parent / "etc"
AS_SYSTEMD = """
import os, sys
descriptor = int(sys.argv[1])
os.dup2(descriptor, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="tscm-web.socket")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""sd_listen_fds(3): the socket as descriptor 3, and the process itself named in the environment."""


def started_by_socket(root: Path, listening: socket.socket) -> "subprocess.Popen[bytes]":
    with (root / "tscm-web.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-c", AS_SYSTEMD, str(listening.fileno())),
                *(*TWISTD, "--nodaemon", "--pidfile=", "tscm-web", "--root", str(root)),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[listening.fileno()],
            cwd=root,
        )


def test_it_goes_when_nobody_looks_and_comes_with_the_next_request(tmp_path: Path) -> None:
    settings(tmp_path, '[web]\nlisten = ["127.0.0.1:1"]\nidle_exit_seconds = 1\n')
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        port = listening.getsockname()[1]
        for _ in range(2):
            # systemd starts it when the first connection waits in the socket's queue
            process = started_by_socket(tmp_path, listening)
            try:
                assert "One-time code" in get(port, "/setup")
                assert process.wait(PATIENCE_SECONDS) == 0
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait(PATIENCE_SECONDS)
    said = (tmp_path / "tscm-web.log").read_text("utf-8")
    assert said.count("the next one starts this process again") == 2
    assert "Traceback" not in said


def test_it_stays_while_somebody_is_connected(tmp_path: Path) -> None:
    settings(tmp_path, "[web]\nidle_exit_seconds = 1\n")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as listening,
        socket.create_connection(listening.getsockname(), PATIENCE_SECONDS),
    ):
        process = started_by_socket(tmp_path, listening)
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            log = tmp_path / "tscm-web.log"
            while "the page is at" not in log.read_text("utf-8"):
                assert time.monotonic() < end
                time.sleep(0.1)
            time.sleep(2.5)  # longer than it would stay alone, and shorter than a head may take
            assert process.poll() is None
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)


def test_what_is_no_listening_socket_is_told(tmp_path: Path) -> None:
    settings(tmp_path, "")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        process = started_by_socket(tmp_path, datagrams)
        assert process.wait(PATIENCE_SECONDS) == 4
    said = (tmp_path / "tscm-web.log").read_text("utf-8")
    assert "it is not a listening TCP socket" in said
    assert "Traceback" not in said


def test_the_units_belong_together() -> None:
    unit, service = (
        (ETC / name).read_text("utf-8").splitlines()
        for name in ("tscm-web.socket", "tscm-web.service")
    )
    assert "Service=tscm-web.service" in unit
    assert "ListenStream=127.0.0.1:9443" in unit  # the default of [web] listen
    assert "Restart=on-failure" in service  # `always` would start it again at once
