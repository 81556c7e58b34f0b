"""
A sink gone wrong: every answer that a server for batches can give, one after the other, to lines that a device sends.
"""

import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count

from bench.hostile_input import Attack, Target

_LINE = b"<166>Jul 12 2026 08:11:50: %ASA-6-302013: Built inbound TCP connection 1"
_TYPES = ("opensearch", "loki")
_EACH = 4
_SIZE = (4 << 20) - 1000
_SECONDS = 10.0
_GOOD = b'{"errors":false,"code":0}'


def _answer(body: bytes, status: str = "200 OK", *headers: bytes) -> bytes:
    head = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(head) + body


def _answers() -> Sequence[bytes]:
    within = b'{"errors":true,"code":5,"items":[%s0]}'
    chunk = b"1\r\nx\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return (
        _answer(_GOOD),
        _answer(within % (b"[]," * (_SIZE // 3))),
        _answer(within % (b"{}," * (_SIZE // 3))),
        _answer(within % (b'{"create":{"status":201}},' * (_SIZE // 26))),
        _answer(within % (b'"a",' * (_SIZE // 4))),
        _answer(within % ((b"9" * 4000 + b",") * (_SIZE // 4001))),
        _answer(b"[" * _SIZE),
        _answer(b'"' + b"\\ud800" * (_SIZE // 6) + b'"', "400 Bad Request"),
        _answer(b"\x1b[2J" * (_SIZE // 4), "503 Busy", b"Retry-After: 0"),
        _answer(b"x" * (64 << 20)),
        chunked + chunk * 500_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"x" * 8_000_000,
        random.Random(9).randbytes(1_000_000),
    )


@contextmanager
def sink() -> Iterator[int]:
    """The port where it listens."""
    answers, turn = _answers(), count()

    def serve(one: socket.socket) -> None:
        with suppress(OSError), one:
            one.settimeout(_SECONDS)
            while piece := one.recv(1 << 20):
                if piece.startswith(b"POST"):
                    one.sendall(answers[next(turn) % len(answers)])

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                one, _ = listener.accept()
                threading.Thread(target=serve, args=(one,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def tables(port: int) -> str:
    """Several sinks at that port, so that some send while others wait after a failure."""
    found = []
    for kind in _TYPES:
        index = 'index = "asa"\n' if kind == "opensearch" else ""
        found += [
            f'[[sink]]\nname = "{kind}{number}"\ntype = "{kind}"\nurl = "http://127.0.0.1:{port}"\n'
            f"tls = false\nlinger_seconds = 0\ncompress = false\n{index}"
            for number in range(_EACH)
        ]
    return "".join(found)


def lines(target: Target) -> Sequence[Attack]:
    """What the sinks are sent; the attacks are their answers."""

    def some() -> None:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((target.known, 0))
            for _ in range(20):
                one.sendto(_LINE, ("127.0.0.1", target.udp))
        time.sleep(0.02)

    return [some]
