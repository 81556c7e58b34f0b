"""
A server on loopback that takes batches as Splunk, OpenSearch and Loki document it, and misbehaves when told to.
"""

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define, field

Reply = tuple[int, dict[str, str], bytes]
Act = Callable[["Taken"], Reply | None]


@define
class Taken:
    """One request, with its body unpacked."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def rows(self) -> list[Any]:
        """The JSON texts of the body, one a line."""
        return [json.loads(line) for line in self.body.splitlines()]


@define(eq=False)
class SinkServer:
    """
    *documents* is what OpenSearch holds by id, *events* what Splunk does, *entries* what Loki does.

    *act* may answer in the place of the product, or give None.
    """

    act: Act | None = None
    secure: bool = False
    requests: list[Taken] = field(factory=list, init=False)
    documents: dict[str, Any] = field(factory=dict, init=False)
    events: list[Any] = field(factory=list, init=False)
    entries: dict[tuple[str, str, str], int] = field(factory=dict, init=False)
    acks: dict[str, list[int]] = field(factory=dict, init=False)
    port: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def url(self) -> str:
        return f"http{'s' if self.secure else ''}://127.0.0.1:{self.port}"

    def answer(self, taken: Taken) -> Reply:
        with self._lock:
            self.requests.append(taken)
            if self.act is not None:
                said = self.act(taken)
                if said is not None:
                    return said
            if taken.path.startswith("/services/collector/ack"):
                return self._acknowledged(taken)
            if taken.path.startswith("/services/collector"):
                return self._splunk(taken)
            if "/_bulk" in taken.path:
                return self._opensearch(taken)
            if taken.path == "/loki/api/v1/push":
                return self._loki(taken)
            return 404, {}, b"not found"

    def _splunk(self, taken: Taken) -> Reply:
        if taken.headers.get("Authorization") != "Splunk token-1":
            return _json(403, {"text": "Invalid token", "code": 4})
        for number, one in enumerate(taken.rows):
            if not str(one.get("event", "")).strip() and one.get("event") != " ":
                return _json(
                    400,
                    {"text": "Event field is required", "code": 12, "invalid-event-number": number},
                )
        self.events += taken.rows
        channel = taken.headers.get("X-Splunk-Request-Channel")
        found = {"text": "Success", "code": 0}
        if channel is None:
            return _json(200, found)
        known = self.acks.setdefault(channel, [])
        known.append(0)
        return _json(200, found | {"ackId": len(known) - 1})

    def _acknowledged(self, taken: Taken) -> Reply:
        """True at the second question."""
        known = self.acks.get(taken.headers.get("X-Splunk-Request-Channel", ""), [])
        asked = taken.rows[0]["acks"]
        found = {}
        for one in asked:
            known[one] += 1
            found[str(one)] = known[one] > 1
        return _json(200, {"acks": found})

    def _opensearch(self, taken: Taken) -> Reply:
        assert taken.body.endswith(b"\n")
        rows, items = taken.rows, []
        for action, document in zip(rows[::2], rows[1::2], strict=True):
            name = action["create"]["_id"]
            if "poison" in document["message"]:
                error = {"type": "document_parsing_exception", "reason": "failed to parse"}
                items.append({"create": {"status": 400, "error": error}})
            elif name in self.documents:
                error = {"type": "version_conflict_engine_exception", "reason": "exists"}
                items.append({"create": {"status": 409, "error": error}})
            else:
                self.documents[name] = document
                items.append({"create": {"status": 201}})
        bad = any("error" in one["create"] for one in items)
        return _json(200, {"errors": bad, "items": items})

    def _loki(self, taken: Taken) -> Reply:
        for stream in json.loads(taken.body)["streams"]:
            labels = json.dumps(stream["stream"], sort_keys=True)
            for at, line in stream["values"]:
                if "poison" in line:
                    return 400, {}, b"entry too far behind"
                # Loki takes a line once where labels, time and text are equal
                self.entries[labels, at, line] = self.entries.get((labels, at, line), 0) + 1
        return 204, {}, b""


def _json(status: int, value: Any) -> Reply:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


@contextmanager
def sink_server(
    act: Act | None = None, port: int = 0, tls: tuple[Path, Path] | None = None
) -> Iterator[SinkServer]:
    """A running server; *tls* is its certificate and key."""
    found = SinkServer(act, secure=tls is not None)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("Transfer-Encoding") == "chunked":
                raise AssertionError("a body without a length")
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status, headers, said = found.answer(Taken(self.path, dict(self.headers), body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def handle(self) -> None:
            with suppress(OSError):  # the client left
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True
        taken: list[socket.socket]

        def get_request(self) -> tuple[socket.socket, Any]:
            one, address = super().get_request()
            self.taken.append(one)
            return one, address

    Server.taken = []
    with Server(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
            for one in server.taken:
                with suppress(OSError):  # closed before
                    one.shutdown(socket.SHUT_RDWR)
