"""
Where a target's feeds are fetched, with which key, and what is told of their URLs.
"""

import http.server
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from tests.retrieve.https_server import https
from tests.services.test_services_services import AtOnce, ended
from tscm.base.server_addresses import PermittedServers
from tscm.operations.audit import audited_arguments
from tscm.operations.portal_arguments import ItemKept
from tscm.policy.feed_formats import Shape
from tscm.portal import service
from tscm.portal.items import (
    ItemFaulty,
    Target,
    as_table,
    key_name,
    read_item,
    shown_table,
    with_queries,
)
from tscm.portal.service import PolicyPublisher
from tscm.portal.site import catalogue
from tscm.portal.sources import Sources
from tscm.retrieve.credentials import headers_for
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import FeedUnavailable, fetch_feed
from tscm.settings.feed import Feed
from tscm.settings.layout import Layout

SETTING = "[portal] private_servers"
NOWHERE = PermittedServers(setting=SETTING)
OWN = Target(
    title="Ours",
    key_header="Auth-Key",
    feeds=(
        Feed(name="feed-1", url="https://lists.example.org/a.txt?token=s3cret"),
        Feed(name="feed-2", url="https://lists.example.org/b.txt"),
        Feed(name="feed-3", url="https://other.example.org:8443/c.txt"),
    ),
)


@pytest.fixture
def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Target], list[Any]]:
    """What the publisher asks for the feeds of a target."""
    seen: list[FeedSource] = []
    monkeypatch.setattr(service, "fetch_feed", lambda source, *_, **__: seen.append(source))
    threads: Any = None
    publisher = PolicyPublisher(Clock(), threads, Layout(tmp_path), lambda _: None)

    def place(name: str, target: Target) -> list[FeedSource]:
        seen.clear()
        publisher._sources.fetched(name, target, 1.0)
        return list(seen)

    return place


def test_the_key_of_a_target_goes_to_the_server_that_its_file_names(
    placed: Callable[[str, Target], list[FeedSource]],
) -> None:
    files = [Path(str(one.secret_file)).name for one in placed("ours", OWN)]
    same = "ours@lists.example.org"
    assert files == [same, same, "ours@other.example.org:8443"]
    moved = evolve(OWN, feeds=(Feed(name="feed-1", url="https://evil.example/a.txt"),))
    assert [Path(str(one.secret_file)).name for one in placed("ours", moved)] == [
        "ours@evil.example"
    ]
    (shipped,) = placed("threatfox", catalogue().targets["threatfox"])
    assert Path(str(shipped.secret_file)).name == "threatfox", "nobody can change its URL"
    assert all(one.permitted == NOWHERE for one in placed("ours", OWN))


def test_a_missing_key_says_where_it_is_expected(
    tmp_path: Path, placed: Callable[[str, Target], list[FeedSource]]
) -> None:
    layout = Layout(tmp_path)
    first = placed("ours", OWN)[0]
    with pytest.raises(Exception, match="cannot be read") as caught:
        headers_for(first, layout)
    assert "portal/feed-keys/ours@lists.example.org" in caught.value.remedy  # type: ignore[attr-defined]


def test_one_key_serves_several_feeds_of_a_server(
    tmp_path: Path, placed: Callable[[str, Target], list[FeedSource]]
) -> None:
    layout = Layout(tmp_path)
    sources = placed("ours", OWN)
    file = Path(str(sources[0].secret_file))
    file.parent.mkdir(parents=True)
    file.write_text("k3y\n")
    file.chmod(0o600)
    for one in (*sources[:2], *sources[:2]):  # the first question seals the file
        assert headers_for(one, layout) == {"Auth-Key": "k3y"}
    assert "k3y" not in file.read_text()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://Lists.Example/a", "t@lists.example"),
        ("https://lists.example:443/a", "t@lists.example"),
        ("https://lists.example:444/a", "t@lists.example:444"),
        ("https://[2001:db8::1]/a", "t@[2001:db8::1]"),
    ],
)
def test_a_server_has_one_key_in_each_spelling(url: str, name: str) -> None:
    assert key_name("t", url, shipped=False) == name


@pytest.mark.parametrize(
    ("permitted", "host", "address", "refused"),
    [
        ((), "lists.example", "8.8.8.8", False),
        ((), "lists.corp", "10.1.2.3", True),
        ((), "lists.corp", "::ffff:10.1.2.3", True),
        ((), "localhost", "127.0.0.1", True),
        (("lists.corp",), "lists.corp", "10.1.2.3", False),
        (("lists.corp",), "LISTS.corp.", "10.1.2.3", False),
        (("lists.corp",), "other.corp", "10.1.2.3", True),
        (("lists.corp",), "lists.corp", "169.254.169.254", True),
        (("10.1.2.0/24",), "lists.corp", "10.1.2.3", False),
        (("10.1.2.0/24",), "lists.corp", "::ffff:10.1.2.3", False),
        (("10.1.2.0/24",), "lists.corp", "10.1.3.3", True),
        (("0.0.0.0/0",), "lists.corp", "169.254.169.254", True),
        (("fd00::1",), "lists.corp", "fd00::1%eth0", False),
    ],
)
def test_private_servers_are_those_of_the_setting(
    permitted: tuple[str, ...], host: str, address: str, refused: bool
) -> None:
    cause = PermittedServers.of(permitted, SETTING).refusal(host, address)
    assert bool(cause) == refused, cause


def test_a_private_server_is_asked_only_where_it_is_named(tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        if request.path == "/moved":
            request.send_response(302)
            request.send_header("Location", f"{url.replace('127.0.0.1', 'localhost')}")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Length", "12")
        request.end_headers()
        request.wfile.write(b"20.0.0.0/24\n")

    with https(tmp_path, respond) as url:
        ca_file = str(tmp_path / "log-service.crt")
        source = FeedSource(name="f.example", url=url, ca_file=ca_file, permitted=NOWHERE)
        for shape in (Shape(), Shape(format="taxii")):
            with pytest.raises(FeedUnavailable, match="is a private or loopback") as caught:
                fetch_feed(evolve(source, shape=shape), None, 0)
            assert SETTING in str(caught.value)
            assert "127.0.0.1: 127" not in str(caught.value)
        assert asked == []
        only = PermittedServers.of(["127.0.0.1"], SETTING)
        found = fetch_feed(evolve(source, permitted=only), None, 0)
        assert found is not None
        assert found.entries.cidrs() == ["20.0.0.0/24"]
        by_name = PermittedServers.of(["localhost"], SETTING)
        moved = evolve(source, url=url.replace("/list", "/moved"), permitted=by_name)
        with pytest.raises(FeedUnavailable, match=r"127\.0\.0\.1 is a private"):
            fetch_feed(moved, None, 0)
        asked.clear()
        away = evolve(
            moved,
            url=moved.url.replace("127.0.0.1", "localhost"),
            permitted=PermittedServers(setting=SETTING, names=frozenset({"localhost"})),
        )
        assert fetch_feed(away, None, 0) is not None, "a name that is named may be where it likes"
        assert asked == ["/moved", "/list"]


def test_no_query_of_a_url_is_told_and_none_is_lost() -> None:
    shown = shown_table(OWN)
    assert "s3cret" not in str(shown)
    assert shown["feeds"][0]["url"] == "https://lists.example.org/a.txt?…"
    shown["severity"] = 5
    back = read_item(Target, with_queries(shown, OWN), "target 'ours'")
    assert (back.severity, back.feeds) == (5, OWN.feeds)
    elsewhere = {**shown, "feeds": [{**shown["feeds"][0], "url": "https://evil.example/a.txt?…"}]}
    with pytest.raises(ItemFaulty, match="without its query"):
        read_item(Target, with_queries(elsewhere, OWN), "target 'ours'")
    kept = ItemKept(item="ours", document={"content": as_table(OWN)})
    assert "s3cret" not in str(audited_arguments(kept, {}))


def test_two_feeds_of_one_place_keep_their_own_queries() -> None:
    table = {
        "feeds": [
            {"name": name, "url": f"https://lists.example/x?day={name}", "format": "cidr"}
            for name in ("a", "b")
        ]
    }
    two = read_item(Target, table, "target 'two'")
    assert read_item(Target, with_queries(shown_table(two), two), "target 'two'") == two


def test_a_target_that_fails_in_an_unknown_way_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged_failures: list[Any]
) -> None:
    def fetched(*_: Any) -> bool:
        raise LookupError

    monkeypatch.setattr(Sources, "fetched", fetched)
    threads: Any = AtOnce()
    publisher = PolicyPublisher(Clock(), threads, Layout(tmp_path), lambda _: None, lambda: False)
    ended(publisher._fetch_target("ours", OWN))
    assert len(logged_failures) == 1
    logged_failures.clear()
