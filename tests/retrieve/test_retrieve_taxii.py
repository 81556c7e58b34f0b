"""
Feeds by TAXII 2.1: against OASIS's own server, and against servers that mean no good.
"""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import medallion
import pytest
from medallion.backends.memory_backend import MemoryBackend
from werkzeug.serving import make_server

from tscm.errors import TscmError
from tscm.policy.feed_formats import Shape
from tscm.policy.lists import PolicyList
from tscm.retrieve.answers import Answers
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import FeedUnavailable, fetch_feed
from tscm.retrieve.stream import Limits
from tscm.retrieve.taxii import PAGES_MOST
from tscm.services.certificate import ensure_certificate
from tscm.settings.feed import feeds
from tscm.settings.files import write_private

COUNT = 25
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"


def indicator(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator", "spec_version": "2.1", "pattern_type": "stix",
        "id": f"indicator--00000000-0000-4000-8000-{number:012}",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z", "pattern": f"[ipv4-addr:value = '20.0.0.{number}']",
        **more,
    }  # fmt: skip


def as_kept(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """As medallion's memory holds a server with one collection."""
    manifest = [
        {
            "id": one["id"],
            "date_added": f"2026-01-01T00:00:{number:02}.000000Z",
            "version": one["modified"],
            "media_type": "application/stix+json;version=2.1",
        }
        for number, one in enumerate(objects)
    ]
    collection = {
        "id": COLLECTION, "title": "t", "can_read": True, "can_write": False,
        "media_types": ["application/stix+json;version=2.1"], "objects": objects, "manifest": manifest,
    }  # fmt: skip
    return {
        "/discovery": {"title": "t", "api_roots": []},
        "root": {
            "information": {"title": "t", "versions": ["taxii-2.1"], "max_content_length": 1 << 20},
            "collections": [collection],
        },
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, MemoryBackend]]:
    folder = tmp_path_factory.mktemp("taxii")
    certificate, key = ensure_certificate(folder, [], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    backend, app = MemoryBackend(), medallion.application_instance
    app.users_backend, app.taxii_config = {"reader": "s3cret"}, {"max_page_size": 10}
    app.medallion_backend = backend
    if "objects" not in app.blueprints:
        medallion.register_blueprints(app)
    made = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{made.server_port}/root/collections/{COLLECTION}/objects/"
    yield url, folder, backend
    made.shutdown()
    made.server_close()
    thread.join()


def source_of(url: str, folder: Path, secret: str = "s3cret") -> FeedSource:
    file = folder / "secret"
    write_private(file, secret.encode())
    return FeedSource(
        name="intel", url=url, shape=Shape(format="taxii"), ca_file=str(folder / "log-service.crt"),
        user="reader", secret_file=str(file), limits=Limits(whole_seconds=60),
    )  # fmt: skip


def cidrs(found: PolicyList | None) -> list[str]:
    assert found is not None
    return sorted(str(one) for one in found.entries.cidrs())


def test_a_collection_of_several_pages_is_fetched_whole(
    server: tuple[str, Path, MemoryBackend], tmp_path: Path
) -> None:
    url, folder, backend = server
    backend.data = as_kept(
        [
            *(indicator(number) for number in range(COUNT)),
            indicator(100, revoked=True),
            {"type": "malware", "id": "malware--1", "modified": "2026-01-01T00:00:00.000Z",
             "created": "2026-01-01T00:00:00.000Z", "spec_version": "2.1"},
        ]
    )  # fmt: skip
    answers, now = Answers(tmp_path), time.time()
    found = fetch_feed(source_of(url, folder), None, now, answers=answers)
    assert cidrs(found) == sorted(f"20.0.0.{number}/32" for number in range(COUNT))
    assert found is not None
    assert dict(found.passed_over) == {
        "revoked indicator": 1
    }  # nothing but indicators is asked for


def test_an_indicator_that_ends_leaves_although_the_collection_is_the_same(
    server: tuple[str, Path, MemoryBackend], tmp_path: Path
) -> None:
    url, folder, backend = server
    backend.data = as_kept([indicator(1), indicator(2, valid_until="2026-06-01T00:00:00Z")])
    before, after = 1_780_000_000.0, 1_780_300_000.0  # 28 May, 1 June
    found = fetch_feed(source_of(url, folder), None, before, answers=Answers(tmp_path))
    assert cidrs(found) == ["20.0.0.1/32", "20.0.0.2/32"]
    found = fetch_feed(source_of(url, folder), found, after, answers=Answers(tmp_path))
    assert cidrs(found) == ["20.0.0.1/32"]


@pytest.mark.parametrize(
    ("path", "secret", "cause"),
    [
        ("", "wrong", "HTTP status 401"),
        ("../../none/objects/", "s3cret", "HTTP status 404"),
        ("../", "s3cret", None),
    ],
)
def test_a_wrong_key_or_place_is_told(
    server: tuple[str, Path, MemoryBackend],
    tmp_path: Path,
    path: str,
    secret: str,
    cause: str | None,
) -> None:
    url, folder, backend = server
    backend.data = as_kept([indicator(1)])
    with pytest.raises(FeedUnavailable, match=cause or "describes a server or a collection"):
        fetch_feed(
            source_of(str(httpx.URL(url).join(path)), folder, secret), None, 5.0, answers=Answers(tmp_path)
        )  # fmt: skip


def streamed(answer: httpx.Response) -> httpx.Response:
    """As it comes from a network: not read yet."""
    return httpx.Response(
        answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
    )


def hostile(*pages: Any, **limits: float) -> PolicyList | None:
    """The collection of a server that answers page after page, and the last one for ever."""
    asked = iter([*pages[:-1], *[pages[-1]] * (PAGES_MOST + 5)])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept"] == "application/taxii+json;version=2.1"
        page = next(asked)
        if callable(page):
            page = page(request)
        if isinstance(page, bytes):
            page = httpx.Response(200, content=page, headers={"content-type": "application/json"})
        return streamed(
            page if isinstance(page, httpx.Response) else httpx.Response(200, json=page)
        )

    source = FeedSource(
        name="intel", url="https://feeds.example/objects/?x=1", shape=Shape(format="taxii"),
        limits=Limits(**limits),  # type: ignore[arg-type]
    )  # fmt: skip
    return fetch_feed(source, None, 1_780_000_000.0, transport=httpx.MockTransport(answer))


def more(number: int, word: str | None, **headers: str) -> httpx.Response:
    page: dict[str, Any] = {"more": True, "objects": [indicator(number)]}
    if word is not None:
        page["next"] = word
    return httpx.Response(200, json=page, headers=headers)


NUMBERS = iter(range(10_000))


@pytest.mark.parametrize(
    ("pages", "cause"),
    [
        ([lambda _: more(1, f"n{next(NUMBERS)}")], "more than 1,000 pages"),
        ([more(1, "a"), more(2, "b"), more(1, "a")], "page 3 of the collection is an earlier one again"),
        ([more(1, None)], "does not say how to ask for it"),
        ([more(1, "a" * 3000)], "does not say how to ask for it"),
        ([more(1, "a"), httpx.Response(200, html="<p>log in")], "page 2 of the collection: the server sent a page"),
        ([more(1, "a"), httpx.Response(502)], "page 2 of the collection: HTTP status 502"),
        ([more(1, "a"), b'{"more": tr'], "page 2 of the collection: it is not valid JSON"),
        ([b"[1]"], "not a TAXII envelope"),
        ([b'"text"'], "not a TAXII envelope"),
        ([b'{"more": ' + b"1" * 5_000_000 + b', "objects": []}'], "it is larger than"),
        ([b"[" * 100_000], "not a TAXII envelope"),
        ([b'{"a":' * 100_000], "100 levels|not valid JSON"),
    ],
)  # fmt: skip
def test_a_hostile_collection_is_refused_whole(pages: list[Any], cause: str) -> None:
    with pytest.raises(FeedUnavailable, match=cause) as refused:
        hostile(*pages, max_bytes=4 << 20)
    assert "x=1" not in str(refused.value)


def test_pages_may_be_told_by_when_their_last_object_was_added() -> None:
    asked = []

    def last(request: httpx.Request) -> dict[str, Any]:
        asked.append(request.url.params["added_after"])
        return {"objects": [indicator(2)]}

    stamp = "2026-01-01T00:00:00.000000Z"
    found = hostile(more(1, None, **{"X-TAXII-Date-Added-Last": stamp}), last)
    assert cidrs(found) == ["20.0.0.1/32", "20.0.0.2/32"]
    assert asked == [stamp]


def test_huge_numbers_where_words_are_expected_break_nothing() -> None:
    content = (
        b'{"objects": ['
        + json.dumps(indicator(1)).encode()
        + b', {"type": '
        + b"9" * 50_000
        + b"}]}"
    )
    assert cidrs(hostile(content)) == ["20.0.0.1/32"]


def test_the_key_goes_to_no_other_server(tmp_path: Path) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.url.host == "feeds.example":
            return httpx.Response(302, headers={"location": "https://elsewhere.example/objects/"})
        return streamed(httpx.Response(200, json={"objects": [indicator(1)]}))

    secret = tmp_path / "secret"
    write_private(secret, b"s3cret")
    source = FeedSource(
        name="intel", url="https://feeds.example/objects/", shape=Shape(format="taxii"), user="reader",
        secret_file=str(secret),
    )  # fmt: skip
    fetch_feed(source, None, 5.0, transport=httpx.MockTransport(answer))
    shown = base64.b64encode(b"reader:s3cret").decode()
    assert seen == [("feeds.example", f"Basic {shown}"), ("elsewhere.example", None)]


def test_taxii_is_spoken_over_https_only() -> None:
    with pytest.raises((TscmError, ValueError), match="TAXII is spoken over https only"):
        feeds([{"name": "a.example", "url": "file:///etc/bundle.json", "format": "taxii"}])
