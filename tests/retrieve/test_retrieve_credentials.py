"""
Keys of publishers: sealed, shown to them alone, and told nobody.
"""

from pathlib import Path

import httpx
import pytest
from attrs import define, evolve, field

from tscm.retrieve.answers import Answers
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import FeedUnavailable, fetch_feed
from tscm.settings import feed
from tscm.settings.layout import Layout

KEY = "k3y-0f-0urs"


@define
class Publisher:
    """Wants to see the key."""

    layout: Layout
    seen: list[httpx.Request] = field(factory=list)

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"location": "https://cdn.example/list"})
        shown = request.headers.get("auth-key") == KEY or "authorization" in request.headers
        if not shown and request.url.host == "feeds.example":
            return httpx.Response(401)
        return httpx.Response(200, content=iter([b"20.0.0.0/24\n"]), headers={"etag": "1"})

    def fetch(self, source: FeedSource, now: float = 0.0) -> int:
        found = fetch_feed(
            source,
            None,
            now,
            answers=Answers(self.layout.feeds),
            layout=self.layout,
            transport=httpx.MockTransport(self.respond),
        )
        assert found is not None
        assert KEY not in found.source
        return len(found.entries)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    return Publisher(layout)


@pytest.fixture
def source(tmp_path: Path) -> FeedSource:
    secret = tmp_path / "secret"
    secret.write_text(f"{KEY}\n")
    secret.chmod(0o600)
    return FeedSource(
        name="f.example",
        url="https://feeds.example/list",
        header="Auth-Key",
        secret_file=str(secret),
        least_interval=3600.0,
    )


def test_a_key_goes_in_its_header_and_is_sealed_where_it_lies(
    publisher: Publisher, source: FeedSource
) -> None:
    assert publisher.fetch(source) == 1
    assert publisher.seen[0].headers["auth-key"] == KEY
    secret = Path(source.secret_file or "")
    assert secret.read_text().startswith("sealed:v1:")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert publisher.fetch(source, 1.0) == 1
    assert len(publisher.seen) == 1
    assert publisher.fetch(source, 3600.0) == 1
    assert publisher.seen[1].headers["auth-key"] == KEY
    assert publisher.fetch(evolve(source, name="f.example+2"), 9000.0) == 1
    with pytest.raises(FeedUnavailable, match="cannot be decrypted"):
        publisher.fetch(evolve(source, name="other.example"), 9000.0)


def test_a_name_and_a_password_go_as_basic(publisher: Publisher, source: FeedSource) -> None:
    assert publisher.fetch(evolve(source, header=None, user="us")) == 1
    basic = httpx.BasicAuth("us", KEY)
    request = next(basic.sync_auth_flow(httpx.Request("GET", "https://feeds.example/")))
    assert publisher.seen[0].headers["authorization"] == request.headers["authorization"]


def test_a_key_goes_to_no_other_server(publisher: Publisher, source: FeedSource) -> None:
    assert publisher.fetch(evolve(source, url="https://feeds.example/moved")) == 1
    assert [one.url.host for one in publisher.seen] == ["feeds.example", "cdn.example"]
    assert ["auth-key" in one.headers for one in publisher.seen] == [True, False]


def test_a_key_that_is_wrong_may_be_corrected_at_once(
    publisher: Publisher, source: FeedSource
) -> None:
    secret = Path(source.secret_file or "")
    secret.write_text("wr0ng\n")
    for _ in range(2):
        with pytest.raises(
            FeedUnavailable, match="HTTP status 401; check the feed's secret_file"
        ) as caught:
            publisher.fetch(source)
        assert "wr0ng" not in str(caught.value)
    assert len(publisher.seen) == 1
    secret.write_text(KEY)
    assert publisher.fetch(source, 1.0) == 1


@pytest.mark.parametrize("content", [b"", b"a\nb", b"\xff", b"a\0b"])
def test_a_file_that_holds_no_key_is_refused(
    publisher: Publisher, source: FeedSource, content: bytes
) -> None:
    Path(source.secret_file or "").write_bytes(content)
    with pytest.raises(FeedUnavailable, match="holds"):
        publisher.fetch(source)
    Path(source.secret_file or "").chmod(0o644)
    with pytest.raises(FeedUnavailable, match="mode 0644 lets other users read it"):
        publisher.fetch(source)
    Path(source.secret_file or "").unlink()
    with pytest.raises(FeedUnavailable, match="cannot be read"):
        publisher.fetch(source)
    assert not publisher.seen


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"header": "Key"}, "require secret_file"),
        ({"user": "us"}, "require secret_file"),
        ({"secret_file": "/k"}, "requires either a header or a user"),
        (
            {"secret_file": "/k", "header": "Key", "user": "us"},
            "requires either a header or a user",
        ),
        ({"secret_file": "/k", "header": "Host"}, "is not a header for a key"),
        ({"secret_file": "/k", "header": "A: b"}, "is not a header for a key"),
        ({"secret_file": "/k", "header": "Key", "url": "file:///x"}, "needs no secret"),
        ({"url": f"http://x.example/?{KEY}"}, "without TLS"),
        ({"url": f"https://us:{KEY}@x.example/?{KEY}"}, "more than an address"),
        ({"url": f"https://x.example/?{KEY}#x"}, "more than an address"),
        ({"where": "a"}, "not a filter"),
        ({"format": "csv", "url": f"https://x.example/?{KEY}"}, "requires pick"),
    ],
    ids=str,
)
def test_settings_out_of_form_are_told_without_keys(more: dict[str, str], wrong: str) -> None:
    one = {"name": "a", "url": f"https://x.example/?key={KEY}", **more}
    with pytest.raises(ValueError, match=wrong) as caught:
        feed.feeds([one])
    assert KEY not in str(caught.value)
