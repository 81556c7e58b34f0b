"""
Feeds by file and HTTPS: every format, and everything that is no feed.
"""

import contextlib
import gc
import gzip
import http.server
import json
import os
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retrieve.https_server import https
from tscm.errors import ListUnavailable
from tscm.policy.cidr import read_cidr
from tscm.policy.collect import Collector, ListTooLong
from tscm.policy.feed_formats import FORMATS, FeedDamaged, Shape, read_feed
from tscm.policy.lists import PolicyList
from tscm.retrieve.answers import Answers
from tscm.retrieve.content import bounded
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import FeedUnavailable, fetch_feed, hosts_of
from tscm.retrieve.stream import Limits
from tscm.store.generations import stored

NETSET = b"# a set\n192.0.2.0/24\n203.0.113.7 ; one host\n2001:db8::/32 // six\n\nnonsense\n"
DROP = b"".join(
    json.dumps(one).encode() + b"\n"
    for one in (
        {"cidr": "192.0.2.0/24", "sblid": "SBL1", "rir": "ripencc"},
        {"cidr": "198.51.100.0/24", "sblid": "SBL2", "rir": "arin"},
        {"type": "metadata", "timestamp": 1, "size": 9, "records": 2, "copyright": "x"},
    )
)
DSHIELD = (
    b"# DShield.org Recommended Block List\n#\n"
    b"Start\tEnd\tNetblock\tAttacks\tName\tCountry\temail\n"
    b"192.0.2.0\t192.0.2.255\t24\t1200\tNET\tZZ\ta@example.net\n"
    b"198.051.100.0\t198.051.100.255\t24\t900\t\t\t\n"
)
CSV = b'# made today\nid,network,note\n1,192.0.2.0/24,"a, b"\n2, 198.51.100.7 ,\n3\n'
JSON = json.dumps(
    {
        "syncToken": "1",
        "prefixes": [
            {"ip_prefix": "192.0.2.0/24", "service": "X"},
            {"ip_prefix": "198.51.100.0/24"},
            {"ipv6_prefix": "2001:db8::/32"},
            {"ip_prefix": 7},
        ],
    }
).encode()


def read(content: bytes, shape: Shape) -> PolicyList:
    collector = Collector()
    read_feed(content, shape, collector)
    return collector.to_list("f", serial=None, fetched_at=0, source="")


@pytest.mark.parametrize(
    ("content", "shape", "cidrs", "refused"),
    [
        (NETSET, Shape(), ["192.0.2.0/24", "203.0.113.7/32", "2001:db8::/32"], 1),
        (b"\xef\xbb\xbf" + NETSET.replace(b"\n", b"\r\n"), Shape(), ["192.0.2.0/24", "203.0.113.7/32", "2001:db8::/32"], 1),
        (DROP, Shape(format="drop-json"), ["192.0.2.0/24", "198.51.100.0/24"], 0),
        (DROP.replace(b"\n", b"\n\n"), Shape(format="drop-json"), ["192.0.2.0/24", "198.51.100.0/24"], 0),
        (DSHIELD, Shape(format="dshield"), ["192.0.2.0/24", "198.51.100.0/24"], 0),
        (CSV, Shape(format="csv", pick="network"), ["192.0.2.0/24", "198.51.100.7/32"], 1),
        (CSV.replace(b",", b";"), Shape(format="csv", pick="2", delimiter=";"), ["192.0.2.0/24", "198.51.100.7/32"], 2),
        (JSON, Shape(format="json", pick="prefixes.*.ip_prefix"), ["192.0.2.0/24", "198.51.100.0/24"], 1),
        (b'["192.0.2.0/24"]', Shape(format="json"), ["192.0.2.0/24"], 0),
        (b'{"data": {"a": ["192.0.2.0/24"], "b": []}}', Shape(format="json", pick="data.*"), ["192.0.2.0/24"], 0),
        (b'{"data": []}', Shape(format="json", pick="data.*.ip"), [], 0),
        (b"", Shape(), [], 0),
        (b"20.0.0.0//24\n20.0.1.0 //24\n20.0.2.0 //a\n//20.0.3.0\n20.0.4.0//a\n", Shape(), ["20.0.2.0/32"], 3),
        (b"20.0.0.0 // 24\n20.0.1.0 //\t24 \n20.0.2.0 // 24 hosts\n", Shape(), ["20.0.2.0/32"], 2),
        (b"20.0.0.1\n" + b"#" * 200_000 + b"\n20.0.0.2\n", Shape(), ["20.0.0.1/32", "20.0.0.2/32"], 1),
    ],
)  # fmt: skip
def test_every_format_is_read(content: bytes, shape: Shape, cidrs: list[str], refused: int) -> None:
    found = read(content, shape)
    assert found.entries.cidrs() == cidrs
    assert found.refused_count == refused


@pytest.mark.parametrize(
    ("content", "shape", "cause"),
    [
        (b"<!DOCTYPE html><html>blocked</html>", Shape(), "HTML page"),
        (b"\n  <HTML><body>192.0.2.1</body>", Shape(format="json"), "HTML page"),
        (b"<title>moved</title>\n20.0.0.2\n", Shape(), "HTML page"),
        (b"\xef\xbb\xbf\xef\xbb\xbf\n<title>moved</title>\n20.0.0.2\n", Shape(), "HTML page"),
        (b"\xc2\xa0\0<title>moved</title>\n20.0.0.2\n", Shape(), "HTML page"),
        (b"# cached\n; today\n\n <!doctype html>\n20.0.0.2\n", Shape(), "HTML page"),
        (b"\xef\xbb\xbf <!-- a page -->\n20.0.0.2\n", Shape(format="csv", pick="1"), "HTML page"),
        (b"hello\nworld\n", Shape(), "none of its 2 entries is a network"),
        (DROP[: DROP.index(b'{"type"')], Shape(format="drop-json"), "final metadata line"),
        (DROP[DROP.index(b"\n") + 1 :], Shape(format="drop-json"), "declares 2"),
        (DROP[:-4], Shape(format="drop-json"), "line 3 is not valid JSON"),
        (b"[1]\n", Shape(format="drop-json"), "not a JSON object"),
        (JSON[:-1], Shape(format="json"), "not valid JSON, or is incomplete"),
        (b"[" * 100_000, Shape(format="json"), "not readable JSON"),
        (JSON, Shape(format="json", pick="absent.ip"), "nothing at 'absent.ip'"),
        (CSV, Shape(format="csv", pick="ip"), "no column 'ip'"),
    ],
    ids=lambda one: one[:20].decode() if isinstance(one, bytes) else None,
)
def test_what_is_no_list_is_refused_whole(content: bytes, shape: Shape, cause: str) -> None:
    with pytest.raises(FeedDamaged, match=cause):
        read(content, shape)


PIECES = st.sampled_from(
    [NETSET, DROP, DSHIELD, CSV, JSON]
    + [b'"\\ud800"', b'{"cidr":', b'"type":"metadata"', b"192.0.2.0/24", b"2001:db8::/32"]
    + [bytes([one]) for one in b'\0\n\r\t ,;"{}[]:/.09#<'],
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(PIECES | st.binary(max_size=4), max_size=12).map(b"".join),
    st.sampled_from(FORMATS),
    st.sampled_from(["1", "3", "network", "cidr", "prefixes.*.ip_prefix", "*", "*.0", ""]),
)
def test_no_content_does_worse_than_be_refused(content: bytes, form: str, pick: str) -> None:
    try:
        found = read(content, Shape(format=form, pick=pick or "1" * (form == "csv")))
    except FeedDamaged:
        return
    kept = stored(found)
    assert kept.readable("fw").entries == found.entries
    json.dumps([(one.entry, one.cause) for one in found.refused])


@given(
    st.text(alphabet="0123456789./: a", max_size=20)
    | st.ip_addresses().map(str)
    | st.tuples(st.ip_addresses(v=4), st.integers(-1, 40)).map(lambda one: f"{one[0]}/{one[1]}")
    | st.sampled_from(["010.1.1.1", "1.2.3.4/", "1.2.3.4/08", "1.2.3", "1.2.3.4\0", "1.2.3.4/0"])
)
@settings(deadline=None, max_examples=300)
def test_the_quick_way_to_read_an_entry_agrees_with_the_one_reader(text: str) -> None:
    collector = Collector()
    collector.add_text(text)
    found = collector.to_list("f", serial=None, fetched_at=0, source="")
    if found.refused_count:
        with pytest.raises(ValueError, match=re.escape(found.refused[0].cause)):
            read_cidr(text)
        assert len(found.entries) == 0
    else:
        cidr, cleared = read_cidr(text)
        assert found.entries.cidrs() == [cidr]
        assert found.normalised == cleared


Answer = Callable[[httpx.Request], httpx.Response]


def fetch(answer: Answer, known: PolicyList | None = None, **limits: float) -> PolicyList | None:
    source = FeedSource(
        name="f.example",
        url="https://feeds.example/list.txt",
        limits=Limits(**limits),  # type: ignore[arg-type]
    )
    return fetch_feed(source, known, 5.0, transport=httpx.MockTransport(answer))


def test_an_unchanged_feed_is_not_taken_again(tmp_path: Path) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers)
        if request.headers.get("if-none-match") == '"a b&c"':
            return httpx.Response(304)
        marks = {"ETag": '"a b&c"', "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
        return httpx.Response(200, content=iter([NETSET]), headers=marks)

    feed = FeedSource(name="f.example", url="https://feeds.example/list.txt?key=hidden")
    web, answers = httpx.MockTransport(answer), Answers(tmp_path / "feeds")
    first = fetch_feed(feed, None, 5.0, transport=web, answers=answers)
    assert first is not None
    assert first.source.startswith("https://feeds.example/list.txt#place=")
    assert fetch_feed(feed, first, 6.0, transport=web, answers=answers) is None
    again = fetch_feed(feed, None, 7.0, transport=web, answers=answers)
    assert again is not None
    assert (again.entries.cidrs(), again.fetched_at) == (first.entries.cidrs(), 7.0)
    assert len(asked) == 3
    assert asked[1]["if-modified-since"] == "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda _: httpx.Response(404), "HTTP status 404"),
        (
            lambda _: httpx.Response(302, headers={"location": "http://feeds.example/"}),
            "without TLS",
        ),
        (lambda _: httpx.Response(302, headers={"location": "/again"}), "more than 5 redirects"),
        (
            lambda _: httpx.Response(302, headers={"location": "https://lists.example:99999/"}),
            "list.txt: after a redirect to lists.example: the URL has no port",
        ),
        (
            lambda request: (
                httpx.Response(404)
                if request.url.host == "cdn.example"
                else httpx.Response(302, headers={"location": "https://cdn.example/?key=of-it"})
            ),
            "list.txt: after a redirect to cdn.example: HTTP status 404",
        ),
        (lambda _: httpx.Response(200, content=iter([b"<html></html>"])), "HTML page"),
        (
            lambda _: httpx.Response(
                200, content=iter([NETSET]), headers={"content-type": "Text/HTML; charset=utf-8"}
            ),
            "sent a page",
        ),
        (lambda _: httpx.Response(200, content=iter([gzip.compress(b"") * 20_000])), "pieces"),
        (
            lambda _: httpx.Response(
                200, content=iter([NETSET]), headers={"content-encoding": "br"}
            ),
            "'br'",
        ),
        (
            lambda _: httpx.Response(200, content=iter([gzip.compress(NETSET)[:-4]])),
            "not complete gzip",
        ),
    ],
)
def test_an_answer_that_is_no_list_is_told(answer: Answer, cause: str) -> None:
    with pytest.raises(FeedUnavailable, match=cause) as caught:
        fetch(answer)
    assert str(caught.value).startswith(
        "block or allow list [f.example] could not be fetched from https://feeds.example/list.txt: "
    )
    assert isinstance(caught.value, ListUnavailable)


HOSTILE: dict[str, tuple[bytes, Shape]] = {
    "lines that are none": (b"1.\n" * (1 << 20), Shape()),
    "one line": (b"1." * (1 << 20), Shape()),
    "blank lines": (b"\n" * (2 << 20), Shape()),
    "blanks in a line": (b" " * (2 << 20) + b"x", Shape()),
    "columns": (b"ip" + b",a" * (1 << 20), Shape(format="csv", pick="ip")),
    "tabs": (b"1\t" * (1 << 20), Shape(format="dshield")),
    "for an unclosed quote": (b'ip\n"' + b"a\n" * (1 << 20), Shape(format="csv", pick="ip")),
    "deep": (b"[" * (2 << 20), Shape(format="json")),
    "empty lists": (b"[" + b"[]," * (1 << 20) + b"1]", Shape(format="json", pick="*")),
    "lists beside the path": (
        b'{"b":[' + b"[[]]," * (1 << 19) + b'1],"a":1}',
        Shape(format="json", pick="a"),
    ),
    "numbers": (b"[" + b"1," * (1 << 20) + b"1]", Shape(format="json", pick="*")),
    "digits": (b"[" + b"1" * (2 << 20) + b"]", Shape(format="json", pick="*")),
    "one key": (b"{" + b'"a":1,' * (1 << 19) + b'"a":1}', Shape(format="json", pick="a")),
    "another key": (b"{" + b'"a":1,' * (1 << 19) + b'"a":1}', Shape(format="json", pick="b")),
    "escaped quotes": (b'["' + b'\\"' * (1 << 20), Shape(format="json", pick="*")),
    "a long text": (b'["' + b"1." * (1 << 20) + b'"]', Shape(format="json", pick="*")),
    "an unclosed object": (b'{"cidr":"1.' + b"1" * (2 << 20), Shape(format="drop-json")),
}


@pytest.mark.parametrize(("content", "shape"), HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_feed_holds_reading_it_takes_no_memory_beside_its_entries(
    content: bytes, shape: Shape
) -> None:
    collector = Collector(10_000)
    tracemalloc.start()
    try:
        with pytest.raises((FeedDamaged, ListTooLong)):
            read_feed(content, shape, collector)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20, "as much as half of the feed itself"


def test_what_is_unpacked_is_in_memory_once() -> None:
    packed = gzip.compress(b"1.\n" * (8 << 20))
    tracemalloc.start()
    try:
        content = bounded([packed], 32 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(content) == 24 << 20
    assert peak < 40 << 20, "the content, and what a buffer grows ahead"


def test_a_feed_that_fails_leaves_nothing_for_the_garbage_collection() -> None:
    packed = gzip.compress(b"1.\n" * (8 << 20))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        with contextlib.suppress(FeedUnavailable):
            fetch(lambda _: httpx.Response(200, content=iter([packed[:-9]])))
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < 8 << 20


def test_a_feed_that_is_read_for_too_long_is_refused() -> None:
    with pytest.raises(FeedUnavailable, match="takes too long"):
        fetch(
            lambda _: httpx.Response(200, content=iter([gzip.compress(NETSET)])),
            reading_seconds=-1.0,
        )


def test_the_hosts_that_redirections_led_to_stand_in_the_source() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "feeds.example":
            return httpx.Response(302, headers={"location": "https://cdn.example/list.txt"})
        if request.url.host == "cdn.example":
            return httpx.Response(302, headers={"location": "https://8.0.0.1/list.txt"})
        return httpx.Response(200, content=iter([gzip.compress(NETSET)]), headers={"etag": "x"})

    found = fetch(answer)
    assert found is not None
    assert hosts_of(found.source) == ("feeds.example", "cdn.example", "8.0.0.1")
    assert hosts_of("axfr://8.0.0.2:53") == hosts_of("file:///list#state=1") == ()


def test_a_redirection_is_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/list.txt":
            return httpx.Response(301, headers={"location": "/moved.txt"})
        return httpx.Response(200, content=iter([gzip.compress(NETSET)]))

    found = fetch(answer)
    assert found is not None
    assert len(found.entries) == 3


def test_a_bomb_ends_at_the_bound() -> None:
    bomb = gzip.compress(gzip.compress(b"\n" * (1 << 28))[: 1 << 18] + b"\n" * (1 << 26))
    with pytest.raises(FeedUnavailable, match="larger than 1,000,000 bytes"):
        fetch(lambda _: httpx.Response(200, content=iter([bomb])), max_bytes=1_000_000)


def test_an_endless_feed_ends_at_the_bound() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"192.0.2.1\n" * 1000

    with pytest.raises(FeedUnavailable, match="larger than"):
        fetch(lambda _: httpx.Response(200, content=endless()), max_bytes=1_000_000)

    def slow() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b"192.0.2.1\n" * 10_000

    with pytest.raises(FeedUnavailable, match="took too long"):
        fetch(lambda _: httpx.Response(200, content=slow()), whole_seconds=0.2)


def test_a_feed_over_the_bound_of_entries_is_refused() -> None:
    with pytest.raises(FeedUnavailable, match="more than 2 entries"):
        fetch(lambda _: httpx.Response(200, content=iter([NETSET])), max_entries=2)


def test_a_file_is_read_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "a list.txt"
    path.write_bytes(NETSET)
    source = FeedSource(name="f.example", url=path.as_uri())
    first = fetch_feed(source, None, 0)
    assert first is not None
    assert len(first.entries) == 3
    assert fetch_feed(source, first, 0) is None
    path.write_bytes(gzip.compress(b"192.0.2.9\n"))
    second = fetch_feed(source, first, 0)
    assert second is not None
    assert second.entries.cidrs() == ["192.0.2.9/32"]
    path.unlink()
    with pytest.raises(FeedUnavailable, match="No such file") as caught:
        fetch_feed(source, second, 0)
    assert "a list.txt can be read" in caught.value.remedy


def test_over_tls_a_half_body_is_no_list(tmp_path: Path) -> None:
    announced = [len(NETSET)]

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(announced[0]))
        request.end_headers()
        request.wfile.write(NETSET)

    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        found = fetch_feed(FeedSource(name="f.example", url=url, ca_file=ca_file), None, 0)
        assert found is not None
        assert len(found.entries) == 3
        announced[0] += 1
        with pytest.raises(FeedUnavailable, match="without sending complete"):
            fetch_feed(FeedSource(name="f.example", url=url, ca_file=ca_file), None, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_without_a_length_is_taken_only_where_it_tells_its_end(tmp_path: Path) -> None:
    """Else a connection that broke in the middle would pass for a shorter list."""
    content = [NETSET]

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(content[0])

    with https(tmp_path, respond) as url:
        source = FeedSource(
            name="f.example", url=url, ca_file=str(tmp_path / "log-service.crt"), limits=Limits()
        )
        with pytest.raises(FeedUnavailable, match="sends no length") as caught:
            fetch_feed(source, None, 0)
        assert "Content-Length" in caught.value.remedy
        content[0] = gzip.compress(NETSET)
        found = fetch_feed(source, None, 0)
    assert found is not None
    assert len(found.entries) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_header_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nETag: \x0b.\r\n\r\n")
        request.close_connection = True

    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        source = FeedSource(name="f.example", url=url, ca_file=ca_file)
        with pytest.raises(FeedUnavailable) as caught:
            fetch_feed(source, None, 0)
    assert str(caught.value).count("illegal header line; check the URL") == 1


TRICKLES = {
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("begun", TRICKLES.values(), ids=TRICKLES.keys())
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_trickles_is_left_after_the_limit(
    begun: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A byte now and then is no silence, and yet no list will ever come of it."""
    gone = threading.Event()

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(begun)
        with suppress(OSError):
            while not gone.wait(0.02):
                request.wfile.write(b"1")
        request.close_connection = True

    limits = Limits(idle_seconds=5, whole_seconds=0.5)
    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        source = FeedSource(name="f.example", url=url, ca_file=ca_file, limits=limits)
        try:
            with pytest.raises(FeedUnavailable, match="it took too long"):
                fetch_feed(source, None, 0)
        finally:
            gone.set()
    capsys.readouterr()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_silent_server_is_left_after_the_limit_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = threading.Event()

    def respond(_: object) -> None:
        gone.wait(60)

    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        source = FeedSource(
            name="f.example", url=url, ca_file=ca_file, limits=Limits(idle_seconds=0.3)
        )
        try:
            with pytest.raises(FeedUnavailable, match=r"it sent nothing for 0\.3 s"):
                fetch_feed(source, None, 0)
        finally:
            gone.set()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}/list"
        source = FeedSource(name="f.example", url=url, limits=Limits(connect_seconds=0.3))
        with pytest.raises(FeedUnavailable, match=r"no connection within 0\.3 s"):
            fetch_feed(source, None, 0)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            httpx.ConnectError("[Errno -2] Name or service not known"),
            ": name or service not known;",
        ),
        (httpx.ReadError(""), ": the connection was lost;"),
    ],
)
def test_causes_are_words_and_no_numbers_of_the_system(error: Exception, said: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(FeedUnavailable) as caught:
        fetch(fail)
    assert said in str(caught.value)


def test_a_handshake_that_trickles_is_left_after_the_limit() -> None:
    began, gone = threading.Event(), threading.Event()

    def trickle(listener: socket.socket) -> None:
        one, _ = listener.accept()
        began.set()
        with one, suppress(OSError):
            one.sendall(b"\x16\x03\x03\x40\x00")  # a TLS record of 16 KB is to follow
            while not gone.wait(0.02):
                one.sendall(b"\0")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/list"
        limits = Limits(connect_seconds=5, idle_seconds=5, whole_seconds=0.5)
        try:
            with pytest.raises(FeedUnavailable, match="it took too long"):
                fetch_feed(FeedSource(name="f.example", url=url, limits=limits), None, 0)
        finally:
            gone.set()
            thread.join()
    assert began.is_set()


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(FeedUnavailable, match="not a regular file"):
            fetch_feed(FeedSource(name="f.example", url=path.as_uri()), None, 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_proves_nothing_is_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        https(tmp_path, lambda _: None) as url,
        pytest.raises(FeedUnavailable, match=": certificate verify failed") as caught,
    ):
        fetch_feed(FeedSource(name="f.example", url=url), None, 0)
    assert "_ssl.c" not in str(caught.value)
    assert "ca_file" in caught.value.remedy
    capsys.readouterr()
