"""
A manager with two devices that forward, and what the faults are made of.
"""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.faults.probes import done
from tests.manager.manager_process import Manager, wait_for
from tests.ports import held_port
from tests.soak.oracle import Evidence, judge
from tests.soak.players import line

SETTLE_SECONDS = 90.0
LONGEST_LINE = 300
LISTEN = '[listen]\nudp = ["127.0.0.1:0"]\ntcp = ["127.0.0.1:0"]\n'
SOURCES = {"fw-one": "127.0.0.2", "fw-two": "127.0.0.3"}


@define(eq=False, repr=False)
class World:
    """
    The manager and the lines that were issued to it, by device.
    """

    manager: Manager
    issued: dict[str, list[bytes]] = field(factory=dict)

    def add(self, name: str, siem_port: int | None, **changes: Any) -> None:
        """A device that sends from its own address of loopback."""
        forward: dict[str, Any] = {}
        if siem_port is not None:
            forward = {
                "syslog_forward": True,
                "forward_address": "127.0.0.1",
                "forward_port": siem_port,
                "forward_protocol": "TCP",
            }
        self.manager.write_device(name, **{"device": SOURCES[name], **forward, **changes})
        self.issued[name] = []

    def send(self, name: str, count: int) -> list[bytes]:
        """Issue *count* more numbered lines by UDP, paced so that no socket buffer runs over."""
        first = len(self.issued[name])
        lines = [line(name, first + n) for n in range(count)]
        self.issued[name] += lines
        port = self.manager.port("udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((SOURCES[name], 0))
            for at, one in enumerate(lines):
                out.sendto(one, ("127.0.0.1", port))
                if at % 50 == 49:
                    time.sleep(0.005)
        return lines

    def connect(self, name: str) -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.manager.port("tcp")), 5, source_address=(SOURCES[name], 0)
        )

    def ledger(self) -> Any:
        return self.manager.ask("/v1/ledger")

    def log_of(self, name: str) -> Any:
        return self.manager.ask(f"/v1/devices/{name}")["state"]["log"]

    def forward_of(self, name: str) -> Any:
        return self.manager.ask(f"/v1/devices/{name}")["state"]["forward"]

    def when_received(self, count: int) -> None:
        """Until so many lines in all were received, stored or not."""
        wait_for(lambda: self.ledger()["received"] >= count, lambda: json.dumps(self.ledger()))

    def settle(self) -> None:
        """Until the SIEM has been sent everything."""
        self.until(
            lambda: all(
                one["readers"]["forward"]["waiting"] == 0
                for one in self.ledger()["devices"].values()
                if "forward" in one["readers"]
            )
        )

    def until(self, good: Callable[[], bool], seconds: float = SETTLE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not good():
            assert time.monotonic() < deadline, (
                json.dumps(self.ledger(), indent=1)
                + json.dumps([self.forward_of(name) for name in self.issued], indent=1)
                + self.manager.said()[-3000:]
            )
            time.sleep(0.1)

    def verdict(self, forwarded: list[bytes], broken: int = 0) -> tuple[str, ...]:
        """The oracle's faults; nothing is uploaded here."""
        return judge(
            Evidence(
                issued=frozenset(one for lines in self.issued.values() for one in lines),
                stored=tuple(one for name in self.issued for one in self.manager.lines(name)),
                forwarded=tuple(forwarded),
                uploaded=(),
                policy=frozenset(),
                broken_out=broken,
            )
        ).faults


@define(eq=False)
class Disk:
    """
    A small tmpfs at *place*, which can be filled, emptied, and made read-only.
    """

    place: Path
    megabytes: int = 4

    def mount(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        size = f"size={self.megabytes}m"
        assert done("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.place)) == ""

    def unmount(self) -> None:
        done("umount", "-l", str(self.place))

    @property
    def _filling(self) -> Path:
        return self.place / "filling"

    def fill(self) -> None:
        with self._filling.open("wb", buffering=0) as out:
            try:
                while True:
                    out.write(b"\0" * 4096)
            except OSError:
                pass

    def give_back(self) -> None:
        self._filling.unlink()

    def remount(self, how: str) -> None:
        assert done("mount", "-o", f"remount,{how}", str(self.place)) == ""


@define(eq=False)
class StubbornSiem:
    """
    Accepts; *of_no_use* connections are reset after *bites* bytes, or never read where that is 0.
    """

    of_no_use: int
    bites: int
    lines: list[bytes] = field(factory=list)
    broken: int = 0
    accepted: int = 0
    port: int = 0
    _kept: list[socket.socket] = field(factory=list)
    _listening: socket.socket = field(init=False)
    _lock: Any = field(factory=threading.Lock)

    def come(self) -> None:
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.port = self.port or held_port()  # it may go away, and come again
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def relent(self) -> None:
        """From now on every connection is read, also those that were not."""
        with self._lock:
            self.of_no_use = 0
            kept, self._kept = self._kept, []
        for one in kept:
            threading.Thread(target=self._read, args=(one, None), daemon=True).start()

    def held(self) -> list[bytes]:
        """What the kernel has for connections that were never read, the cut last line with it."""
        found: list[bytes] = []
        for one in self._kept:
            data = b""
            one.setblocking(False)
            with contextlib.suppress(OSError):  # in the end that the connection was given up
                while more := one.recv(65536):
                    data += more
            found += [line for line in data.split(b"\n") if line]
        return found

    def away(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._kept:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                useless = self.accepted <= self.of_no_use
                if useless and not self.bites:
                    self._kept.append(one)
                    continue
            limit = self.bites if useless else None
            threading.Thread(target=self._read, args=(one, limit), daemon=True).start()

    def _read(self, one: socket.socket, limit: int | None) -> None:
        rest, taken = b"", 0
        try:
            while limit is None or taken < limit:
                data = one.recv(8192)
                if not data:
                    break
                taken += len(data)
                *lines, rest = (rest + data).split(b"\n")
                self.lines += lines
        except OSError:
            pass
        with self._lock:
            self.broken += 1
            if rest:
                self.lines.append(rest)
        # Linger 0 closes with a reset.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()


@define(eq=False)
class SlowSiem:
    """
    A SIEM in a process of its own that reads no more bytes of its one connection than it may.
    """

    folder: Path
    port: int
    _allowed: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    def come(self) -> None:
        self.allow(0)
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(Path(__file__).with_name("siem_process.py"))),
                *("127.0.0.1", str(self.port), str(self._got), str(self._allowance)),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def allow(self, count: int) -> None:
        """So many bytes more."""
        self._allowed += count
        self._say(self._allowed)

    def allow_all(self) -> None:
        self._say(-1)

    def _say(self, allowed: int) -> None:
        new = self._allowance.with_suffix(".new")
        new.write_text(str(allowed))
        new.replace(self._allowance)

    @property
    def _allowance(self) -> Path:
        return self.folder / "siem.allowance"

    @property
    def _got(self) -> Path:
        return self.folder / "siem.got"

    def lines(self) -> list[bytes]:
        if not self._got.exists():
            return []
        return [one.partition(b" ")[2] for one in self._got.read_bytes().split(b"\n")[:-1]]

    def has_read_all_it_may(self) -> bool:
        """But for the line that it is in the midst of."""
        read = sum(len(one) + 1 for one in self.lines())
        return self._allowed - read < LONGEST_LINE
