"""
A manager as its users start it: twistd in a process of its own, on loopback and free ports.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import PATIENCE_SECONDS
from tscm.base.secrets import Secret, load_key
from tscm.settings.files import write_device
from tscm.settings.layout import Layout
from tscm.settings.shapes import read_options

LIMIT_SECONDS = PATIENCE_SECONDS
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
SETTINGS = """
[listen]
udp = ["127.0.0.1:0", "[::1]:0"]
tcp = ["127.0.0.1:0", "127.0.0.2:0"]
"""


class Manager:
    """
    One root and the process on it; ended by its process id.
    """

    def __init__(self, root: Path, settings: str = SETTINGS) -> None:
        self.layout = Layout(root)
        self.layout.settings_file.parent.mkdir(parents=True, exist_ok=True)
        self.layout.settings_file.write_text(settings)
        self.log = root / "manager.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.prefix: list[str] = []
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *TWISTD, "tscm", "--root", str(self.layout.root)],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.layout.root,
            )
        wait_for(self.answers, self.said)

    def answers(self) -> bool:
        try:
            return bool(self.ask("/v1/status"))
        except httpx.TransportError:
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            return False

    def ask(self, path: str) -> Any:
        with self._client() as client:
            return client.get(path).json()

    def command(self, method: str, path: str, body: Any = None) -> Any:
        """A long call: the last line of its answer."""
        with self._client() as client:
            answer = client.request(method, path, json=body)
            return json.loads(answer.text.strip().splitlines()[-1])

    def _client(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.layout.control_socket))
        return httpx.Client(transport=transport, base_url="http://manager", timeout=LIMIT_SECONDS)

    def port(self, kind: str, at: int = 0) -> int:
        """A port that the kernel chose."""
        place: str = self.ask("/v1/status")["listeners"][kind][at]
        return int(place.rpartition(":")[2])

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        process, self.process = self.process, None
        if process is not None:
            os.kill(process.pid, how)
            process.wait(LIMIT_SECONDS)

    def write_device(self, name: str, **changes: Any) -> None:
        """A device's file, as `tsadmin` writes it; no list and no firewall is asked."""
        settings, faults = read_options(
            {
                "name": name,
                "device_id": f"tdid_{name.replace('-', '').replace('_', '')}",
                "device": "127.0.0.1",
                "block_list": "block.example",
                "allow_list": "allow.example",
                "username": "admin",
                "password": Secret("secret"),
                "policy_updates": False,
                **changes,
            }
        )
        assert settings is not None, faults
        write_device(self.layout, settings, load_key(self.layout.key, create=True))

    def lines(self, name: str) -> list[bytes]:
        """All lines on the device's log, sealed and live, as they stand on the disk."""
        for _ in range(100):
            with contextlib.suppress(FileNotFoundError):  # compressed or sealed meanwhile
                return self._lines(name)
        raise AssertionError(f"the files of {name} never stood still")

    def _lines(self, name: str) -> list[bytes]:
        found: list[bytes] = []
        sealed = sorted(self.layout.device_log(name).glob("syslog.*"))
        for path in sealed:
            data = path.read_bytes()
            if path.suffix == ".zst":
                import zstandard

                data = (
                    zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
                )
            found += data.split(b"\n")[:-1]
        live = self.layout.device_log(name) / "syslog"
        if live.exists():
            found += live.read_bytes().split(b"\n")[:-1]
        if sorted(self.layout.device_log(name).glob("syslog.*")) != sealed:
            raise FileNotFoundError  # what was live has become a segment meanwhile
        return found

    def when_lines(self, name: str, count: int) -> list[bytes]:
        """The lines, once there are *count*."""
        wait_for(
            lambda: len(self.lines(name)) >= count,
            lambda: f"{len(self.lines(name))} of {count} lines; {self.said()}",
        )
        return self.lines(name)


def wait_for(good: Callable[[], bool], told: Callable[[], str]) -> None:
    """Until *good*, for a limited time; then *told* says what there was instead."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not good():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def send_udp(port: int, *payloads: bytes, source: str = "127.0.0.1") -> None:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.bind((source, 0))
        for payload in payloads:
            out.sendto(payload, ("::1" if ":" in source else "127.0.0.1", port))


def start_and_fail(root: Path) -> subprocess.CompletedProcess[str]:
    """Start a manager that is expected to end by itself."""
    return subprocess.run(
        [*TWISTD, "tscm", "--root", str(root)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        cwd=root if root.is_dir() else root.parent,
    )
