"""
A server and a proxy that misbehave in the way that a test asks for.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet import reactor as twisted_reactor
from twisted.internet.protocol import Factory, Protocol

from tscm import upload_format

reactor: Any = twisted_reactor


@define(eq=False)
class Request:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"].strip('"')


Answer = bytes | str | None
"""Bytes to send; `close` and `reset` end the connection; None keeps silent."""


def answer(status: int, body: dict[str, Any] | None = None, **headers: str) -> bytes:
    content = json.dumps(body or {"error": f"scripted {status}"}).encode()
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def stored(request: Request, *, known: bool = False) -> bytes:
    status = upload_format.KNOWN if known else upload_format.STORED
    word = "known" if known else "stored"
    return answer(status, {"status": word, "batch": request.key, "lines": 0, "bytes": 0})


class _Talk(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.request: Request | None = None

    def dataReceived(self, data: bytes) -> None:
        server: Any = self.factory
        self.heard += data
        if self.request is None:
            if b"\r\n\r\n" not in self.heard:
                return
            head, _, self.heard = self.heard.partition(b"\r\n\r\n")
            first, *rest = head.decode().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (one.partition(":") for one in rest)
            }
            self.request = Request(first, headers)
            early = server.early(self.request)
            if early is not ...:
                server.requests.append(self.request)
                self._answer(early)
                return
        length = int(self.request.headers.get("content-length", "0"))
        if len(self.heard) >= length:
            self.request.body = self.heard
            server.requests.append(self.request)
            request, self.request, self.heard = self.request, None, b""
            self._answer(server.late(request))

    def _answer(self, what: Answer) -> None:
        transport: Any = self.transport
        if isinstance(what, bytes):
            transport.write(what)
        if what == "reset":
            transport.abortConnection()
        elif what is not None:
            transport.loseConnection()


@define(eq=False)
class ScriptedServer(Factory):
    """
    Answers as *late* says when the whole request is there, or as *early* after its headers.
    """

    late: Callable[[Request], Answer] = stored
    early: Callable[[Request], Any] = lambda _: ...
    requests: list[Request] = field(factory=list)
    noisy = False
    protocol = _Talk
    _port: Any = None

    def listen(self) -> str:
        self._port = reactor.listenTCP(0, self, interface="127.0.0.1")
        return f"http://127.0.0.1:{self._port.getHost().port}"

    async def stop(self) -> None:
        await self._port.stopListening()


def unpacked(request: Request) -> bytes:
    import gzip

    import zstandard

    encoding = request.headers.get("content-encoding", "")
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(request.body)
    return gzip.decompress(request.body) if encoding == "gzip" else request.body


def credentials(request: Request) -> str:
    return base64.b64decode(request.headers["authorization"].split()[1]).decode()


def key_pattern() -> "re.Pattern[str]":
    return re.compile(r"[0-9]{20}-[0-9a-f]{16}(\.[12])*")
