"""
What strangers, and users who mean harm, can send to the listeners over HTTPS: the lists, pairing, the page, its API.
"""

import json
import random
import socket
import ssl
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from bench.hostile_input import Attack, Target, http_heads, many, say

_SECONDS = 2.0
_COOKIE = "__Host-tscm"
_FORM = "application/x-www-form-urlencoded"


def _request(line: str, *headers: str, body: bytes = b"") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([line, "Host: localhost", *headers, *length, "", ""]).encode() + body


def _get(path: str, *headers: str) -> bytes:
    return _request(f"GET {path} HTTP/1.1", *headers)


def _anywhere(target: Target, port: int) -> list[Attack]:
    """What needs no path: broken handshakes, bare connections, heads and bodies of all kinds."""
    send = partial(say, target.stranger, port)
    made: list[Attack] = [partial(send, head, tls=True) for head in http_heads()]
    made.append(partial(send, random.Random(6).randbytes(20_000)))
    made.append(partial(send, b"\x16\3\1\2\0\1\0\1\xfc\3\3", hear=False))
    made.append(partial(send, b"GET / HTTP/1.1\r\n", tls=True, hear=False))
    made.append(partial(many, target.stranger, port))
    return made


def _unread(source: str, port: int, request: bytes) -> None:
    """Ask with a window of some KB, take the beginning of the answer and leave."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.bind((source, 0))
        plain.settimeout(_SECONDS)
        plain.connect(("127.0.0.1", port))
        with context.wrap_socket(plain) as one:
            one.sendall(request)
            one.recv(100)


def lists(target: Target) -> Sequence[Attack]:
    """
    Guesses at paths and accounts, tags and dates of all kinds, and lists that nobody reads: as a firewall pulls them, and
    by the device key of an entry.
    """
    path, port = target.list_path, target.lists
    guess = path.replace(path.split("/")[-2], "x" * 40)
    tags = ",".join(f'"{number:032x}"' for number in range(400))
    asked = [
        _get(guess),
        _get("/" + "a/" * 7000),
        _get("/" + "%2f" * 5000),
        _get(path, "Authorization: Basic " + "A" * 12_000),
        _get(path, "If-None-Match: " + '"' * 14_001),
        _get(path, f"If-None-Match: {tags}"),
        _get(path, "If-Modified-Since: " + "9" * 14_000),
        _get(path, "If-Modified-Since: Mon, 99 Foo 99999999999999999999 99:99:99 +99999"),
        _get(path, "Accept-Encoding: " + "gzip;q=0," * 1500),
        _get(path, "Range: bytes=" + "0-1," * 3000),
        _get(path + ".md5"),
    ]
    device = (
        "Authorization: Basic "
        + b64encode(f"{target.device_id}:{target.device_key}".encode()).decode()
    )
    own = "/lists/block.example"
    asked += [
        _get(own),
        _get(own, device.replace(target.device_key, "x")),
        _get(own, "Authorization: Basic " + b64encode(b"x:" * 4000).decode()),
        _get("/lists/" + "b" * 240, device),
        _get("/lists/" + "%2e%2e%2f" * 80, device),
        _get(own, device, f"If-None-Match: {tags}"),
        _get(own, device),
        _request(f"POST {own} HTTP/1.1", device, body=b"x" * 60_000),
    ]
    read = [partial(say, target.stranger, port, one, tls=True) for one in asked]
    left = [
        partial(_unread, target.stranger, port, _get(path, f"Accept-Encoding: {coding}"))
        for coding in ("gzip", "identity")
    ]
    left.append(partial(_unread, target.stranger, port, _get(own, device)))
    return [*_anywhere(target, port), *read, *left, *left]


def pairing(target: Target) -> Sequence[Attack]:
    """Guesses at keys and tokens, bodies that nest or hold more than there is, and a manager that asks without end."""

    def post(path: str, body: bytes, *headers: str) -> bytes:
        kind = "Content-Type: application/json"
        return _request(f"POST /pairing/v1/{path} HTTP/1.1", kind, *headers, body=body)

    def one(token: str, name: str = target.device_id, **besides: object) -> dict[str, object]:
        return {"device_id": name, "token": token, **besides}

    wrong = {"token": "0" * 64, "device_key": "0" * 64, "manager": "m", "code": "1" * 24}
    marks = {f"list{number}": "m" * 40 for number in range(16)}
    standing = {"causes": ["\x1b[2J" * 2000] * 8, "fault": "x" * 60_000, "hits": 1 << 70}
    followed: list[object] = [
        {"devices": [one(target.token, lists=marks)]},
        {"devices": [one(target.token, standing=standing)]},
        {"devices": [one("x" * 200, f"tdid_{number:08x}", lists=marks) for number in range(64)]},
        {"devices": [one(target.token)] * 64},
    ]
    bodies = [
        b'{"devices":[' + b"[]," * 43_000 + b"1]}",
        b"[" * 131_000,
        b'{"devices": ' + b"9" * 131_000 + b"}",
        b'{"devices": "' + b"\\ud800" * 20_000 + b'"}',
        *(json.dumps(each).encode() for each in followed),
    ]
    asked = [
        *(post("follow", each) for each in bodies),
        *(post("pair", each) for each in bodies[:4]),
        post("pair", json.dumps({"device_id": target.device_id, **wrong}).encode()),
        post("pair", json.dumps({"device_id": "tdid_none", **wrong}).encode()),
        _get("/pairing/v1/follow"),
        _get("/pairing/" + "a/" * 7000),
    ]
    # One waits for news, and the next of the same device takes its place.
    patient = json.dumps({"devices": [one(target.token, known=1 << 52)]}).encode()
    held = partial(
        say, target.stranger, target.pairing, post("follow", patient), tls=True, hear=False
    )
    return [
        *_anywhere(target, target.pairing),
        *(
            partial(say, source, target.pairing, each, tls=True)
            for source in (target.stranger, target.known)
            for each in asked
        ),
        held,
        held,
    ]


def page(target: Target) -> Sequence[Attack]:
    """Logins, forms and cookies of strangers, and of a user who reads no answer."""
    signed_in = f"Cookie: {_COOKIE}={target.session}"
    own = ("Sec-Fetch-Site: same-origin", f"Content-Type: {_FORM}")

    def post(path: str, body: bytes, *headers: str) -> bytes:
        return _request(f"POST {path} HTTP/1.1", *own, *headers, body=body)

    asked = [
        _get("/login"),
        _get("/static/" + "a/" * 7000),
        _get("/login?" + "a=&" * 5000),
        _get("/login?next=" + "%2f" * 5000),
        _get("/", f"Cookie: {_COOKIE}=" + "A" * 43 + f"; {_COOKIE}=" * 700),
        post("/login", b"name=viewer&password=" + b"%41" * 21_000),
        post("/login", b"name=nobody&password=wrong"),
        post("/login", b"a=&" * 21_000),
        post("/login", b"name=x&kept_path=/devices&kept=" + b"a%3D%26" * 2000),
        post("/setup", b"code=" + b"9" * 60_000),
        post("/devices/fw/update", b"x=" + b"%26a%3Db" * 7000),
        _get("/", signed_in),
        _get("/devices", signed_in, "Accept-Encoding: gzip"),
        _get("/devices/" + "x" * 14_000, signed_in),
        _get("/lines?text=" + "(a*)*" * 2500, signed_in),
        _get("/check?address=" + "1" * 12_000, signed_in),
        post("/devices/fw/update", b"a=b&" * 400, signed_in),
        _request("POST /login HTTP/1.1", f"Content-Type: {_FORM}", "Content-Length: 65536"),
    ]
    made = [partial(say, target.stranger, target.page, one, tls=True) for one in asked]
    left = [
        partial(_unread, target.stranger, target.page, _get(path, signed_in))
        for path in ("/lines/stream", "/static/htmx.min.js", "/")
    ]
    return [*_anywhere(target, target.page), *made, *left]


def api(target: Target) -> Sequence[Attack]:
    """Calls with no key, a wrong one and a good one: bodies that nest, numbers without end, queries."""
    good = f"Authorization: Bearer {target.key}"

    def call(verb: str, path: str, body: bytes, *headers: str) -> bytes:
        kind = "Content-Type: application/json"
        return _request(f"{verb} /api{path} HTTP/1.1", kind, *headers, body=body)

    bodies = [
        b"[" * 65_000,
        b'{"settings": ' * 900 + b"1" + b"}" * 900,
        b'{"generation": ' + b"9" * 60_000 + b"}",
        b"{" + b'"a": 1e999, ' * 5000 + b'"b": 1}',
        b'"' + b"\\ud800" * 10_000 + b'"',
        b"x" * 65_536,
    ]
    asked = [
        _get("/api/v1/status"),
        _get("/api/v1/status", "Authorization: Bearer " + "A" * 12_000),
        _get("/api/v1/status", good),
        _get("/api/v1/openapi.json", good, "Accept-Encoding: gzip"),
        _get("/api/v1/lines?text=" + "a" * 12_000, good),
        _get("/api/v1/devices?" + "a=b&" * 490, good),
        _get("/api/v1/devices/" + "%00" * 4000, good),
        _get("/api/" + "v1/" * 4000, good),
        *(call("POST", "/v1/devices", one, good) for one in bodies),
        *(call("PUT", "/v1/devices/fw", one, good) for one in bodies),
        call("POST", "/v1/devices", bodies[0]),
    ]
    made = [partial(say, target.stranger, target.page, one, tls=True) for one in asked]
    return [*_anywhere(target, target.page), *made]
