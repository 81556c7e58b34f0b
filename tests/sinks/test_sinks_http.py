"""
Batches over real connections, to a server that answers as the products document it and as they must not.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.forward.test_forward_tls import certificate
from tests.sinks.sink_servers import Reply, Taken, sink_server
from tscm.base.deadline import Scope
from tscm.settings.sinks import SinkSettings
from tscm.sinks.http import HttpSender
from tscm.sinks.outcome import Failed, Refused
from tscm.sinks.outcome import Taken as SinkTook
from tscm.sinks.records import Record, Records


def records(*texts: str, first: int = 0) -> Records:
    return Records(
        device="fw",
        lines=[
            Record(
                offset=first + at * 100,
                end=first + at * 100 + 100,
                text=text,
                host="edge-1",
                sender="192.0.2.1",
                received_at=1764550000.125,
                priority=164,
                number="106023",
            )
            for at, text in enumerate(texts)
        ],
    )


def sink(kind: str, url: str, tmp_path: Path, **more: Any) -> SinkSettings:
    if kind == "splunk":
        token = tmp_path / "token"
        token.write_text("token-1\n")
        token.chmod(0o600)
        more = {"secret_file": str(token)} | more
    if kind == "opensearch":
        more = {"index": "asa"} | more
    return SinkSettings(name="siem", type=kind, url=url, tls=False, **more)


_MADE: list[HttpSender] = []


def sender_to(settings: SinkSettings) -> HttpSender:
    _MADE.append(HttpSender(settings))
    return _MADE[-1]


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.pop().close()


HOSTILE = 'quote " back \\ </script> \u202e \x1b[31m \x00 tab\t'


def test_splunk_takes_events_with_time_host_and_source_type(tmp_path: Path) -> None:
    with sink_server() as server:
        sender = sender_to(sink("splunk", server.url, tmp_path, index="netfw"))
        assert sender.send(records("one", "", HOSTILE)) == SinkTook()
    assert [one["event"] for one in server.events] == ["one", " ", HOSTILE]
    first = server.events[0]
    assert first["time"] == 1764550000.125
    assert (first["host"], first["sourcetype"], first["index"]) == ("edge-1", "cisco:asa", "netfw")
    assert first["fields"] == {"tscm_device": "fw"}
    assert server.requests[0].headers["Content-Encoding"] == "gzip"


def test_splunk_s_indexer_acknowledgement_is_waited_for(tmp_path: Path) -> None:
    with sink_server() as server:
        sender = sender_to(sink("splunk", server.url, tmp_path, acknowledge=True))
        assert sender.send(records("one")) == SinkTook()
        assert sender.send(records("two")) == SinkTook()
    asked = [one for one in server.requests if one.path.endswith("/ack")]
    assert len(asked) == 4
    assert len({one.headers["X-Splunk-Request-Channel"] for one in server.requests}) == 1


def test_an_acknowledgement_that_never_comes_is_a_failure(tmp_path: Path) -> None:
    def never(taken: Taken) -> Reply | None:
        return (200, {}, b'{"acks": {"0": false}}') if taken.path.endswith("/ack") else None

    with sink_server(never) as server:
        settings = sink("splunk", server.url, tmp_path, acknowledge=True, timeout_seconds=1.0)
        outcome = sender_to(settings).send(records("one"))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith("acknowledged nothing")


def test_a_batch_that_opensearch_has_already_makes_no_second_document(tmp_path: Path) -> None:
    with sink_server() as server:
        sender = sender_to(sink("opensearch", server.url, tmp_path))
        for _ in range(2):
            assert sender.send(records("one", "two", HOSTILE)) == SinkTook()
    assert [one["message"] for one in server.documents.values()] == ["one", "two", HOSTILE]
    document = next(iter(server.documents.values()))
    assert document["@timestamp"] == "2025-12-01T00:46:40.125+00:00"
    assert document["observer"]["name"] == "fw"
    assert document["log"]["syslog"]["severity"]["code"] == 4
    assert document["event"]["code"] == "106023"
    assert server.requests[0].path.startswith("/asa/_bulk?filter_path=")


def test_what_opensearch_cannot_index_is_rejected_line_by_line(tmp_path: Path) -> None:
    with sink_server() as server:
        sender = sender_to(sink("opensearch", server.url, tmp_path))
        outcome = sender.send(records("one", "poison", "two"))
        alone = sender.send(records("poison", first=900))
    assert outcome == SinkTook(rejected=1, cause="400: document_parsing_exception: failed to parse")
    assert isinstance(alone, Refused)
    assert [one["message"] for one in server.documents.values()] == ["one", "two"]


def test_loki_keeps_equal_lines_apart(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"tenant": "site-1", "labels": ("place=north",)}
    with sink_server() as server:
        sender = sender_to(sink("loki", server.url, tmp_path, **settings))
        for _ in range(2):
            assert sender.send(records("same", "same", HOSTILE)) == SinkTook()
        assert isinstance(sender.send(records("poison")), Refused)
    assert len(server.entries) == 3
    labels = json.loads(next(iter(server.entries))[0])
    assert labels == {"job": "tscm", "device": "fw", "host": "edge-1", "place": "north"}
    assert server.requests[0].headers["X-Scope-OrgID"] == "site-1"


def reply(status: int, body: bytes = b"", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (status, names, body)


@pytest.mark.parametrize("kind", ["splunk", "opensearch", "loki"])
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (reply(503, b"busy"), "answered 503: busy"),
        (reply(429, b"", Retry_After="17"), "answered 429; it limits the rate"),
        (reply(401, b"who are you"), "answered 401: who are you; check secret_file and user"),
        (reply(404, b"gone"), "answered 404: gone; check url and index"),
        (reply(302, b"", Location="http://127.0.0.1:1/"), "answered 302"),
        (reply(403, b"\x1b[2J\xe2\x80\xae" + b"x" * 9000), "answered 403"),
    ],
)
def test_an_answer_by_which_nothing_is_taken_is_a_failure(
    kind: str, act: Any, said: str, tmp_path: Path
) -> None:
    with sink_server(act) as server:
        outcome = sender_to(sink(kind, server.url, tmp_path)).send(records("one"))
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith(said)
    assert outcome.sentence.isprintable()
    assert len(outcome.sentence) < 600
    assert outcome.wait_seconds == (17.0 if "429" in said else 0.0)
    assert "token-1" not in outcome.sentence


@pytest.mark.parametrize("kind", ["splunk", "opensearch"])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>portal</html>",
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"code": 1e999}',
        b'{"errors": true, "items": []}',
        b'{"errors": true, "items": [{"create": 5}]}',
        b'{"errors": true, "items": [{"create": {"status": ' + b"9" * 5000 + b"}}]}",
    ],
)
def test_a_200_that_does_not_say_that_lines_are_taken_confirms_none(
    kind: str, body: bytes, tmp_path: Path
) -> None:
    with sink_server(reply(200, body)) as server:
        outcome = sender_to(sink(kind, server.url, tmp_path)).send(records("one"))
    assert isinstance(outcome, Failed)


def test_loki_says_nothing_where_it_takes_lines(tmp_path: Path) -> None:
    for status, body, kind in (
        (204, b"", SinkTook),
        (200, b"", SinkTook),
        (200, b"<html>", Failed),
    ):
        with sink_server(reply(status, body)) as server:
            outcome = sender_to(sink("loki", server.url, tmp_path)).send(records("one"))
        assert isinstance(outcome, kind), (status, body)


@pytest.mark.parametrize("status", [400, 503])
def test_what_opensearch_says_of_a_line_is_shown_as_one_visible_line(
    status: int, tmp_path: Path
) -> None:
    error = {"type": "a\x1b[2J\nb", "reason": "\u202e" + "x" * 9000}
    body = {"errors": True, "items": [{"create": {"status": status, "error": error}}]}
    with sink_server(reply(200, json.dumps(body).encode())) as server:
        outcome = sender_to(sink("opensearch", server.url, tmp_path)).send(records("one"))
    assert isinstance(outcome, Refused | Failed)
    assert outcome.sentence.isprintable()
    assert len(outcome.sentence) < 600


def test_an_answer_without_end_is_left(tmp_path: Path) -> None:
    with sink_server(reply(200, b"{" + b" " * (5 << 20))) as server:
        outcome = sender_to(sink("loki", server.url, tmp_path)).send(records("one"))
    assert isinstance(outcome, Failed)
    assert "longer than 4 MB" in outcome.sentence


def test_a_batch_that_is_too_large_is_refused(tmp_path: Path) -> None:
    for kind in ("splunk", "opensearch", "loki"):
        with sink_server(reply(413, b"too large")) as server:
            outcome = sender_to(sink(kind, server.url, tmp_path)).send(records("one"))
        assert outcome == Refused("answered 413: too large")


def trickling() -> tuple[socket.socket, threading.Thread]:
    """A server that sends an octet of its answer now and then."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            taken, _ = listener.accept()
            with taken:
                for octet in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 600:
                    taken.sendall(bytes([octet]))
                    time.sleep(0.05)
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


def test_an_answer_that_trickles_is_cut_off(tmp_path: Path) -> None:
    listener, thread = trickling()
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        outcome = sender_to(sink("loki", url, tmp_path, timeout_seconds=1.0)).send(records("one"))
    assert outcome == Failed("did not answer within 1 s")
    thread.join(10)


def test_a_stop_ends_an_exchange(tmp_path: Path) -> None:
    listener, _ = trickling()
    scope = Scope()
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sender = sender_to(sink("loki", url, tmp_path, timeout_seconds=30.0))
        timer = threading.Timer(0.3, scope.cut)
        timer.start()
        outcome = scope.run(sender.send, records("one"))
    assert outcome == Failed("was left because the manager is stopping")


def test_a_server_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with sink_server() as server:
        sender = sender_to(sink("loki", server.url, tmp_path))
        assert sender.send(records("one")) == SinkTook()
    outcome = sender.send(records("two"))
    assert isinstance(outcome, Failed)
    with sink_server(port=server.port) as again:
        assert sender.send(records("two")) == SinkTook()
    assert len(again.entries) == 1


def test_a_token_that_is_not_there_is_told_without_it(tmp_path: Path) -> None:
    with sink_server() as server:
        settings = sink("splunk", server.url, tmp_path, secret_file=str(tmp_path / "none"))
        outcome = sender_to(settings).send(records("one"))
        wrong = tmp_path / "wrong"
        wrong.write_text("token-2")
        wrong.chmod(0o600)
        refused = sender_to(sink("splunk", server.url, tmp_path, secret_file=str(wrong))).send(
            records("one")
        )
    assert isinstance(outcome, Failed)
    assert outcome.sentence.startswith("cannot be used: its secret cannot be read")
    assert isinstance(refused, Failed)
    assert refused.sentence.endswith("; check the token in secret_file")
    assert not server.events


def test_a_certificate_is_verified_and_a_ca_of_its_own_is_trusted(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    with sink_server(tls=(pem, key)) as server:
        settings = SinkSettings(name="siem", type="loki", url=server.url)
        outcome = sender_to(settings).send(records("one"))
        assert isinstance(outcome, Failed)
        assert "certificate" in outcome.sentence
        assert not server.requests
        trusting = evolve(settings, ca_file=str(pem))
        assert sender_to(trusting).send(records("one")) == SinkTook()
