"""
Who takes part in the soak: senders that note what they issue, and a SIEM that comes and goes.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from attrs import define, field

POLICY_EVERY = 10


def line(kind: str, number: int) -> bytes:
    """A line with its number; every tenth is the policy's."""
    stamp = b"<166>Nov 23 2026 10:00:00 %s-%08d : " % (kind.encode(), number)
    if number % POLICY_EVERY == 0:
        return stamp + (
            b"%%ASA-6-106100: access-list g denied tcp outside/203.0.113.%d(%d) -> inside/10.0.0.1(443)"
            b" hit-cnt 1 first hit [0x1, 0x0]" % (number % 250, number % 60000)
        )
    return (
        stamp
        + b"%ASA-6-302013: Built outbound TCP connection 1 for outside:192.0.2.1/443 (192.0.2.1/443)"
    )


@define(eq=False)
class Sender:
    """
    Issues numbered lines at a pace until told to stop; *port* is asked anew for each connection.
    """

    kind: str
    source: str
    per_second: int
    port: Callable[[], int]
    issued: list[bytes] = field(factory=list)
    broken: int = 0
    _stop: threading.Event = field(factory=threading.Event)
    _thread: Any = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._udp if self.kind == "udp" else self._tcp)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _batch(self) -> list[bytes]:
        time.sleep(0.05)
        first = len(self.issued)
        lines = [line(self.kind, first + n) for n in range(max(1, self.per_second // 20))]
        self.issued += lines  # noted before it is sent: nothing can arrive that was not issued
        return lines

    def _udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((self.source, 0))
            while not self._stop.is_set():
                for one in self._batch():
                    try:
                        out.sendto(one, ("127.0.0.1", self.port()))
                    except OSError:
                        continue

    def _tcp(self) -> None:
        out: socket.socket | None = None
        while not self._stop.is_set():
            lines = self._batch()
            if out is None:
                out = self._connected()
            if out is None:
                continue
            try:
                out.sendall(b"".join(one + b"\n" for one in lines))
            except OSError:
                out.close()
                out = None
                self.broken += 1
        if out is not None:
            out.close()

    def _connected(self) -> socket.socket | None:
        try:
            return socket.create_connection(
                ("127.0.0.1", self.port()), 2, source_address=(self.source, 0)
            )
        except OSError:
            return None


@define(eq=False)
class Siem:
    """
    Takes lines over TCP; `away` cuts every connection with a reset, what was not read is lost.
    """

    lines: list[bytes] = field(factory=list)
    broken: int = 0
    port: int = 0
    _listening: socket.socket | None = None
    _connections: set[socket.socket] = field(factory=set)
    _lock: Any = field(factory=threading.Lock)

    def come(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def away(self) -> None:
        listening, self._listening = self._listening, None
        if listening is None:
            return
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        with self._lock:
            for one in list(self._connections):
                # Linger 0 closes with a reset, as a program that dies with unread data does.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)
                one.close()
            self._connections.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                one, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(one)
            threading.Thread(target=self._read, args=(one,), daemon=True).start()

    def _read(self, one: socket.socket) -> None:
        rest = b""
        try:
            while data := one.recv(65536):
                *lines, rest = (rest + data).split(b"\n")
                self.lines += lines
        except OSError:
            pass
        if rest:
            self.lines.append(rest)
        self.broken += 1
        with self._lock:
            self._connections.discard(one)
        one.close()
