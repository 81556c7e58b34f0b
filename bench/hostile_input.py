"""
What strangers, and devices that have gone wrong, can send to each listener: one turn of each kind a call.
"""

import json
import random
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from hashlib import sha256

import zstandard
from attrs import frozen

Attack = Callable[[], None]
_SECONDS = 2.0
_HEADER = struct.Struct(">6H")
_LONGEST = b"\1a" * 126 + b"\0"
_POINTER = b"\xc0\x0c"
_SOA, _MX, _RP, _PX = 6, 15, 17, 26
_NUMBERS = b"\0" * 20
_NAMES = {_RP: _POINTER * 2, _MX: b"\0\1" + _POINTER, _PX: b"\0\1" + _POINTER * 2}
_NAMES[_SOA] = _POINTER * 2 + _NUMBERS


@frozen(kw_only=True)
class Target:
    """Where the listeners are, who is known there, and by what key."""

    stranger: str
    known: str
    dns: int
    logs: int
    udp: int
    tcp: int
    tls: int
    metrics: int
    control: str
    device_id: str
    device_key: str
    lists: int
    list_path: str
    page: int
    session: str
    """A viewer's, as his browser keeps it."""
    key: str
    """An operator's, for the API."""
    pairing: int
    token: str
    """Of the manager that follows *device_id*."""


def say(source: str, port: int, *pieces: bytes, tls: bool = False, hear: bool = True) -> None:
    """Send all, and take what comes first; what breaks is what was wanted."""
    with suppress(OSError), ExitStack() as stack:
        one = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), _SECONDS, (source, 0))
        )
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            one = stack.enter_context(context.wrap_socket(one))
        for piece in pieces:
            one.sendall(piece)
        if hear:
            one.recv(65536)


def _framed(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def costly_question(kind: int, octets: int) -> bytes:
    """A question of the longest name, and records whose names all point at it."""
    record = _POINTER + struct.pack(">HHIH", kind, 1, 0, len(_NAMES[kind])) + _NAMES[kind]
    head = len(_LONGEST) + 16
    count = (octets - head) // len(record)
    counts = _HEADER.pack(7, 0, 1, 0, 0, count)
    return _framed(counts + _LONGEST + b"\0\6\0\1" + record * count)


def policy(target: Target) -> Sequence[Attack]:
    """Costly messages of strangers and of registered addresses, many at once, and slow ones."""
    plain = _framed(_HEADER.pack(7, 0, 1, 0, 0, 0) + b"\5block\7example\0\0\6\0\1")
    made: list[Attack] = []
    for source in (target.stranger, target.known):
        made += [
            partial(say, source, target.dns, costly_question(kind, octets))
            for kind in _NAMES
            for octets in (1000, 65_000)
        ]
        made.append(partial(say, source, target.dns, plain * 3000))
        made.append(partial(say, source, target.dns, random.Random(1).randbytes(60_000)))
        made.append(partial(say, source, target.dns, plain[:9], hear=False))
    made.append(partial(many, target.stranger, target.dns))
    return made


def many(source: str, port: int) -> None:
    """A few hundred bare connections."""
    with suppress(OSError):
        held = [
            socket.create_connection(("127.0.0.1", port), _SECONDS, (source, 0)) for _ in range(300)
        ]
        for one in held:
            one.close()


def _upload_head(target: Target, content: bytes, encoding: str, key: str) -> bytes:
    account = b64encode(f"{target.device_id}:{key}".encode()).decode()
    digest = b64encode(sha256(content).digest()).decode()
    batch = random.Random().randbytes(8).hex()
    return (
        "POST /v1/logs HTTP/1.1\r\nHost: logs\r\n"
        f'Authorization: Basic {account}\r\nIdempotency-Key: "{batch}"\r\n'
        f"Content-Digest: sha-256=:{digest}:\r\nContent-Encoding: {encoding}\r\n"
        f"Tscm-Device-Id: {target.device_id}\r\nTscm-Lines: 1\r\nTscm-Batch-Range: 0-1\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode()


def _upload(target: Target, content: bytes, encoding: str, key: str) -> None:
    head = _upload_head(target, content, encoding, key)
    say(target.stranger, target.logs, head, content, tls=True)


def logs(target: Target) -> Sequence[Attack]:
    """Bare connections, heads of all kinds, contents of strangers, and bombs of a known device."""
    bomb = zstandard.compress(b"\n" * (256 << 20))
    empty = zstandard.compress(b"") * 500_000
    far = b"\x28\xb5\x2f\xfd\0" + bytes([27 - 10 << 3]) + (5 << 3 | 3).to_bytes(3, "little") + b"\n"
    head = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\n"
    to_logs = partial(say, target.stranger, target.logs)
    return [
        partial(many, target.stranger, target.logs),
        partial(to_logs, random.Random(2).randbytes(20_000)),
        partial(to_logs, head, tls=True, hear=False),
        partial(to_logs, head + b"a: b\r\n" * 3000 + b"\r\n", tls=True),
        partial(to_logs, head + b"Content-Length: " + b"9" * 9000 + b"\r\n\r\n", tls=True),
        partial(
            to_logs, head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 20_000, tls=True
        ),
        partial(_upload, target, b"x" * (4 << 20), "", "wrong"),
        partial(_upload, target, bomb, "zstd", target.device_key),
        partial(_upload, target, empty[: 4 << 20], "zstd", target.device_key),
        partial(_upload, target, far, "zstd", target.device_key),
    ]


LINE = b"<166>Apr 15 2026 09:36:50: %ASA-6-106100: access-list a denied tcp o/198.51.100.7(1) -> i/10.0.0.9(4)"
STREAMS = (
    b"\n" * 100_000,
    b"\0" * 100_000,
    b"x" * 1_000_000,
    b"1 a" * 50_000,
    b"99999999 " * 20_000,
    b"9" * 200_000,
    (b" " * 50 + b"1 a") * 5000,
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" * 5000,
    (LINE + b"\n") * 5000,
    b"\x10\x10\n\r" * 50_000,
    random.Random(3).randbytes(400_000),
)
"""Line ends alone, none at all, counts of one and of millions, padding, headers of proxies, escapes, noise."""


def streams(target: Target, *, tls: bool) -> Sequence[Attack]:
    """Each of `STREAMS` of a stranger and of a known device; bare connections, broken handshakes."""
    port = target.tls if tls else target.tcp
    made: list[Attack] = [
        partial(say, source, port, stream, tls=tls, hear=False)
        for stream in STREAMS
        for source in (target.stranger, target.known)
    ]
    made.append(partial(many, target.stranger, port))
    if tls:
        made.append(partial(say, target.stranger, port, random.Random(4).randbytes(20_000)))
        made.append(partial(say, target.stranger, port, b"\x16\3\1\2\0\1\0\1\xfc\3\3", hear=False))
    return made


def datagrams(target: Target) -> Sequence[Attack]:
    """Bursts from thousands of addresses, and the largest there are of all kinds."""

    def burst() -> None:
        chosen = random.Random()
        for _ in range(300):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.bind((f"127.{chosen.randrange(1, 250)}.{chosen.randrange(250)}.7", 0))
                one.sendto(LINE, ("127.0.0.1", target.udp))

    def large(source: str, content: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((source, 0))
            for _ in range(200):
                one.sendto(content[:65_000], ("127.0.0.1", target.udp))

    sources = (target.stranger, target.known)
    return [burst, *(partial(large, source, one) for one in (*STREAMS, LINE) for source in sources)]


def http_heads() -> Sequence[bytes]:
    """Requests, many at once, bodies in chunks, heads without end, noise."""
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    chunked = b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return (
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500,
        chunked + chunk * 30,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 3000 + b"\r\n",
        b"POST /metrics HTTP/1.1\r\nContent-Length: " + b"9" * 9000 + b"\r\n\r\n",
        random.Random(5).randbytes(60_000),
    )


def metrics(target: Target) -> Sequence[Attack]:
    """Bodies, long heads, many requests at once, bare connections."""
    made: list[Attack] = [
        partial(say, target.stranger, target.metrics, head) for head in http_heads()
    ]
    return [*made, partial(many, target.stranger, target.metrics)]


def control(target: Target) -> Sequence[Attack]:
    """Bodies that nest, that are long, that are no JSON; heads as for the metrics."""
    bodies = [
        b"[" * 200_000,
        b'{"settings": ' * 1000 + b"1" + b"}" * 1000,
        b'{"generation": ' + b"9" * 4000 + b"}",
        json.dumps({"settings": {f"name{n}": "x" * 90 for n in range(9000)}}).encode(),
        b"x" * 4_000_000,
    ]
    posts = [
        b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(one) + one
        for one in bodies
    ]

    def send(data: bytes) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.settimeout(_SECONDS)
            one.connect(target.control)
            with suppress(OSError):
                one.sendall(data)
            one.recv(65536)

    return [partial(send, data) for data in (*posts, *http_heads())]
