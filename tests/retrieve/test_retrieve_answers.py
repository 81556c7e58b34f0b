"""
One question a feed for all who want to know, as often as its publisher allows.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from attrs import define, evolve, field

from tscm.policy.feed_formats import Shape
from tscm.policy.lists import PolicyList
from tscm.retrieve.answers import Answers
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import FeedUnavailable, asked_at, fetch_feed
from tscm.retrieve.patience import pause_wanted
from tscm.settings.feed_intervals import least_interval

LIST = b"20.0.0.0/24,30.0.0.0/24\n20.0.1.0/24,30.0.1.0/24\n"
FEED = FeedSource(
    name="f.example",
    url="https://feeds.example/list.csv?key=hidden",
    shape=Shape(format="csv", pick="1"),
    least_interval=3600.0,
)


@define
class Publisher:
    """Counts what it is asked, and answers as it is told to."""

    folder: Path
    respond: Callable[[httpx.Request], httpx.Response] = field(
        default=lambda _: httpx.Response(200, content=iter([LIST]), headers={"ETag": '"1"'})
    )
    asked: list[httpx.Request] = field(factory=list)

    def fetch(
        self, now: float, known: PolicyList | None = None, feed: FeedSource = FEED
    ) -> PolicyList | None:
        def respond(request: httpx.Request) -> httpx.Response:
            self.asked.append(request)
            return self.respond(request)

        return fetch_feed(
            feed,
            known,
            now,
            answers=Answers(self.folder / "feeds"),
            transport=httpx.MockTransport(respond),
        )


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


def test_all_who_ask_within_the_least_interval_share_one_answer(publisher: Publisher) -> None:
    first = publisher.fetch(1000.0)
    assert first is not None
    assert publisher.fetch(1001.0, first) is None
    other = publisher.fetch(4599.0)  # another device, and another process: all is in the folder
    assert other is not None
    assert other.entries.cidrs() == first.entries.cidrs()
    assert other.fetched_at == 1000.0
    assert asked_at(FEED, Answers(publisher.folder / "feeds")) == 1000.0
    assert len(publisher.asked) == 1
    publisher.respond = lambda _: httpx.Response(304)
    assert publisher.fetch(4600.0, first) is None
    assert publisher.asked[1].headers["if-none-match"] == '"1"'
    assert asked_at(FEED, Answers(publisher.folder / "feeds")) == 4600.0
    publisher.fetch(500.0)  # a clock that was set back keeps nobody waiting
    assert len(publisher.asked) == 3


def test_another_way_of_reading_an_unchanged_feed_reads_it_anew(
    publisher: Publisher, tmp_path: Path
) -> None:
    first = publisher.fetch(1000.0)
    other = evolve(FEED, shape=Shape(format="csv", pick="2"))
    second = publisher.fetch(1001.0, first, other)
    assert second is not None
    assert second.entries.cidrs() == ["30.0.0.0/24", "30.0.1.0/24"]
    assert len(publisher.asked) == 1
    (tmp_path / "list.csv").write_bytes(LIST)
    by_file = evolve(FEED, url=f"file://{tmp_path}/list.csv")
    known = publisher.fetch(1.0, None, by_file)
    assert publisher.fetch(2.0, known, by_file) is None
    third = publisher.fetch(2.0, known, evolve(other, url=by_file.url))
    assert third is not None
    assert third.entries.cidrs() == second.entries.cidrs()


def test_threads_that_want_it_at_once_make_one_question(publisher: Publisher) -> None:
    found: list[PolicyList | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(publisher.fetch(1000.0))) for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(publisher.asked) == 1
    assert [one is not None and len(one.entries) for one in found] == [2] * 8


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (200, {"cache-control": "public, max-age=7200"}, 7200),
        (200, {"cache-control": "max-age=7200", "age": "200"}, 7000),
        (304, {"cache-control": "max-age=99999999"}, 2 * 86400),
        (200, {"cache-control": "max-age=7200, no-cache"}, 0),
        (404, {"cache-control": "max-age=7200"}, 0),
        (429, {"retry-after": "90"}, 90),
        (503, {"retry-after": "Thu, 01 Jan 1970 00:20:00 GMT"}, 200),
        (429, {"retry-after": "soon"}, 0),
        (429, {"retry-after": "-5"}, 0),
        (429, {"retry-after": "9" * 400}, 2 * 86400),
        (200, {}, 0),
    ],
)
def test_what_a_publisher_says_of_the_next_question_is_understood(
    status: int, headers: dict[str, str], pause: float
) -> None:
    assert pause_wanted(status, headers, 1000.0) == pause


def test_a_publisher_that_asks_for_patience_has_it_and_its_last_answer_counts(
    publisher: Publisher,
) -> None:
    first = publisher.fetch(0.0)
    publisher.respond = lambda _: httpx.Response(429, headers={"Retry-After": "10000"})
    assert publisher.fetch(3600.0, first) is None
    assert publisher.fetch(13599.0, first) is None
    assert len(publisher.asked) == 2
    publisher.fetch(13600.0, first)
    assert len(publisher.asked) == 3
    with pytest.raises(FeedUnavailable, match=r"HTTP status 429.*not fetched again for"):
        publisher.fetch(86400.0, first)  # a day old


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_is_kept_like_an_answer(publisher: Publisher, status: int) -> None:
    publisher.respond = lambda _: httpx.Response(status)
    for now in (0.0, 10.0, 3599.0):
        with pytest.raises(FeedUnavailable, match=f"HTTP status {status}") as caught:
            publisher.fetch(now)
        assert "hidden" not in str(caught.value)
    assert len(publisher.asked) == 1


def test_a_server_that_nobody_reached_may_be_asked_again_at_once(publisher: Publisher) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route to host")

    publisher.respond = broken
    for now in (0.0, 1.0):
        with pytest.raises(FeedUnavailable, match="no route"):
            publisher.fetch(now)
    assert len(publisher.asked) == 2


def test_a_manager_that_is_killed_over_the_question_does_not_ask_again_at_once(
    publisher: Publisher,
) -> None:
    class Killed(BaseException):
        pass

    def killed(_: httpx.Request) -> httpx.Response:
        raise Killed

    first = publisher.fetch(0.0)
    publisher.respond = killed
    with pytest.raises(Killed):
        publisher.fetch(3600.0)
    assert publisher.fetch(3601.0, first) is None
    assert len(publisher.asked) == 2


def test_answers_that_lie_damaged_are_asked_for_again(publisher: Publisher) -> None:
    first = publisher.fetch(0.0)
    folder = publisher.folder / "feeds"
    assert not any(b"hidden" in one.read_bytes() for one in folder.iterdir())
    next(folder.glob("*.zst")).write_bytes(b"damaged")
    with pytest.raises(FeedUnavailable, match="is damaged"):
        publisher.fetch(1.0)
    assert publisher.fetch(3600.0, first) is None
    assert "if-none-match" not in publisher.asked[1].headers
    for damage in (b"", b"[]", b"{}", b'{"asked_at": "x"}'):
        next(folder.glob("*.json")).write_bytes(damage)
        assert publisher.fetch(3601.0, first) is None
    assert len(publisher.asked) == 6


def test_a_folder_that_cannot_be_made_costs_no_list(tmp_path: Path) -> None:
    (tmp_path / "feeds").write_text("in the way")
    assert Publisher(tmp_path).fetch(0.0) is not None


def test_well_known_publishers_are_asked_as_they_wish() -> None:
    assert least_interval("https://www.spamhaus.org/drop/drop_v4.json") == 3600
    assert (
        least_interval("https://raw.githubusercontent.com/stamparm/ipsum/master/levels/4.txt")
        == 43200
    )
    assert (
        least_interval("https://lists.example/a") == least_interval("https://[2001:db8::1]/") == 300
    )
