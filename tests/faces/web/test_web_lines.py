"""
Lines on the page: from a row of a report to the very lines, and streams of what comes.
"""

import json
import re
from html import unescape
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from tests.faces.web.test_web_pages import ANSWERS, EVIL, SHOWN
from tests.faces.web.web_site import DOWN, HOST, NOW, FakeSite
from tscm.events.answers import FoundLines, LogLine
from tscm.faces.web.live_streams import (
    MOST_OF_SESSION,
    MOST_STREAMS,
    POLL_SECONDS,
    SESSION_SECONDS,
)
from tscm.faces.web.roles import Role
from tscm.faces.web.views.lines import command_of, line_fields
from tscm.faces.web.visit import Visit
from tscm.operations.arguments import Following


@define(eq=False)
class Window:
    """A browser that follows lines, and whether it reads."""

    transport: Any
    channel: Any
    read_to: int = field(default=0)

    @property
    def status(self) -> int:
        return int(self.transport.value().split()[1])

    def events(self) -> list[tuple[str, Any]]:
        """Those that are new."""
        text = self.transport.value().decode()[self.read_to :]
        self.read_to += len(text)
        return [
            (kind, json.loads(data))
            for kind, data in re.findall(r"event: (\w+)\r?\ndata: (.*)\r?\n", text)
        ]

    def pause(self) -> None:
        self.transport.producer.pauseProducing()

    def resume(self) -> None:
        self.transport.producer.resumeProducing()


def followed(web: FakeSite, key: str, query: str = "", address: str = "192.0.2.9") -> Window:
    peer = IPv4Address("TCP", address, 40000)
    channel: Any = web.site.buildProtocol(peer)
    transport: Any = StringTransport(peerAddress=peer)
    channel.makeConnection(transport)
    head = f"GET /live/stream?live=yes{query} HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-tscm={key}"
    channel.dataReceived(f"{head}\r\n\r\n".encode())
    return Window(transport, channel)


def coming(*lines: str, left_out: int = 0) -> FoundLines:
    return FoundLines(
        lines=tuple(LogLine(device="fw", received_at=NOW, line=one) for one in lines),
        left_out=left_out,
        positions={"fw": 7},
    )


@pytest.fixture
def live(web: FakeSite) -> FakeSite:
    web.manager.answers["follow_lines"] = coming("first", EVIL)
    return web


def told(web: FakeSite) -> list[Following]:
    return [args for name, args, _ in web.manager.asked if name == "follow_lines"]


def test_a_stream_begins_with_the_latest_lines_and_goes_on_with_what_comes(live: FakeSite) -> None:
    window = followed(live, live.signed_in(Role.VIEWER), "&device=fw&text=a")
    live.clock.advance(0)
    ((kind, data),) = window.events()
    assert kind == "begin"
    assert data["rows"][0]["line"] == "first"
    assert data["rows"][1]["line"].startswith("<script>alert(1)</script>")
    assert "\\u202e" in data["rows"][1]["line"], "harmless before it is sent"
    live.manager.answers["follow_lines"] = coming("next", left_out=5)
    live.clock.advance(POLL_SECONDS)
    ((kind, data),) = window.events()
    assert (kind, data["rows"][0]["line"], data["left_out"]) == ("lines", "next", 5)
    assert told(live)[-1].positions == {"fw": 7}
    assert told(live)[-1].devices == ("fw",)
    assert told(live)[-1].options == {"text": "a"}
    head = window.transport.value().decode("latin-1")
    assert "text/event-stream" in head
    assert "no-store" in head


def test_windows_that_follow_the_same_are_one_question(live: FakeSite) -> None:
    windows = [followed(live, live.signed_in(name=f"user{number}")) for number in range(50)]
    live.clock.advance(0)
    assert len(told(live)) == 1
    late = followed(live, live.signed_in(name="late"))
    assert [kind for kind, _ in late.events()] == ["begin"]
    live.manager.answers["follow_lines"] = coming("next")
    live.clock.advance(POLL_SECONDS)
    assert len(told(live)) == 2
    assert all(("lines" in dict(one.events())) for one in (*windows, late))


def test_a_browser_that_does_not_read_costs_nothing_and_is_told_what_it_missed(
    live: FakeSite,
) -> None:
    window = followed(live, live.signed_in())
    reads = followed(live, live.signed_in(name="other"))
    live.clock.advance(0)
    window.events()
    window.pause()
    size = len(window.transport.value())
    live.manager.answers["follow_lines"] = coming(*["x" * 1000] * 100, left_out=50)
    for _ in range(200):
        live.clock.advance(POLL_SECONDS)
    assert len(window.transport.value()) == size
    assert ("missed", 0) not in reads.events()
    window.resume()
    live.clock.advance(POLL_SECONDS)
    assert window.events()[0] == ("missed", 200 * 150)


def test_a_stream_ends_with_its_session_and_keeps_none_alive(live: FakeSite) -> None:
    key = live.signed_in(Role.VIEWER, "anna")
    window, other = followed(live, key), followed(live, live.signed_in(Role.VIEWER, "otto"))
    live.clock.advance(0)
    live.accounts.end_sessions("anna")
    live.clock.advance(SESSION_SECONDS)
    assert window.events()[-1] == ("over", "the session has ended; sign in again")
    assert "over" not in dict(other.events())
    seen = live.accounts.sessions("otto", live.clock.seconds())[0].seen_at
    assert seen == NOW
    live.clock.advance(live.settings.idle_minutes * 60 + SESSION_SECONDS)
    assert "over" in dict(other.events())
    assert not live.desk.live.streams()
    count = len(told(live))
    live.clock.advance(60)
    assert len(told(live)) == count, "nobody is left who asks"


def test_a_browser_that_goes_away_leaves_nothing(live: FakeSite) -> None:
    windows = [followed(live, live.signed_in(name=f"user{number}")) for number in range(5)]
    live.clock.advance(0)
    for window in windows:
        window.channel.connectionLost()
    assert not live.desk.live.streams()
    count = len(told(live))
    live.clock.advance(60)
    assert len(told(live)) == count


def test_streams_are_few(live: FakeSite) -> None:
    key = live.signed_in()
    mine = [followed(live, key, f"&text={number}") for number in range(MOST_OF_SESSION + 1)]
    live.clock.advance(0)
    assert "another window of yours" in dict(mine[0].events())["over"]
    assert len(live.desk.live.streams()) == MOST_OF_SESSION
    for number in range(MOST_STREAMS):
        followed(live, live.signed_in(name=f"user{number}"), address=f"192.0.2.{number}")
    assert len(live.desk.live.streams()) == MOST_STREAMS
    assert followed(live, live.signed_in(name="last")).status >= 400


def test_a_manager_that_goes_is_told_once_and_followed_again(live: FakeSite) -> None:
    window = followed(live, live.signed_in())
    live.clock.advance(0)
    window.events()
    live.manager.answers["follow_lines"] = DOWN
    for _ in range(5):
        live.clock.advance(POLL_SECONDS)
    assert window.events() == [("fault", str(DOWN))]
    live.manager.answers["follow_lines"] = coming("next")
    live.clock.advance(POLL_SECONDS)
    assert [kind for kind, _ in window.events()] == ["fault", "lines"]


def test_the_head_of_a_stream_takes_no_stream(live: FakeSite) -> None:
    start = f"HEAD /live/stream?live=yes HTTP/1.1\r\nHost: {HOST}\r\n"
    reply = live.send(f"{start}Cookie: __Host-tscm={live.signed_in()}\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert not live.desk.live.streams()


def test_a_stream_is_no_page(live: FakeSite) -> None:
    assert live.ask("/live/stream", key=live.signed_in()).status == 400
    stranger = live.ask("/live/stream?live=yes")
    assert stranger.status == 401
    other_site = live.ask("/live/stream?live=yes", sec_fetch_site="cross-site")
    assert other_site.status == 401


def test_without_scripts_the_latest_lines_stand_on_the_page(live: FakeSite) -> None:
    reply = live.ask("/live?text=a", key=live.signed_in(Role.VIEWER))
    assert SHOWN in reply.text
    assert 'href="/live?text=a">Reload' in reply.text
    assert reply.text.index(SHOWN) < reply.text.index("first"), "the latest first"


def test_a_row_of_a_report_leads_to_its_lines(web: FakeSite) -> None:
    web.manager.answers.update(ANSWERS)
    key = web.signed_in(Role.VIEWER)
    page = web.ask("/reports?by=outside&since=3h&device=fw&port=443", key=key).text
    links = [unescape(one) for one in re.findall(r'href="(/lines\?[^"]*)"', page)]
    assert len(links) == 2
    web.ask(links[1], key=key)
    name, args, _ = web.manager.asked[-1]
    assert (name, args.devices) == ("search_lines", ("fw",))
    assert args.options == {"outside": "=1+1", "port": "443", "hits": True}
    assert (args.since % 3600, args.until % 3600) == (0, 0)
    assert args.since <= NOW - 3 * 3600
    hours = web.ask("/reports?by=hour", key=key).text
    (hour,) = [unescape(one) for one in re.findall(r'href="(/lines\?[^"]*)"', hours)]
    web.ask(hour, key=key)
    args = web.manager.asked[-1][1]
    assert args.until - args.since == 3600
    assert "/lines?" not in web.ask("/reports?by=port", key=key).text, "there is no filter for none"


def test_what_is_left_out_is_told_with_the_way_on(web: FakeSite) -> None:
    web.manager.answers.update(ANSWERS)
    reply = web.ask("/lines?since=1h&text=a", key=web.signed_in(Role.VIEWER))
    assert "3 lines fit; the first 2 are shown; 4 lines searched" in reply.text
    assert "Not everything was searched" in reply.text
    wrong = web.ask("/lines?since=nonsense&text=%3Cb%3E", key=web.signed_in())
    assert wrong.status == 400
    assert 'value="&lt;b&gt;"' in wrong.text


def test_the_command_is_for_a_shell() -> None:
    fields = {
        "text": ("a'; rm -rf",),
        "entry": ("192.0.2.0/24",),
        "hits": ("yes",),
        "since": ("2d",),
    }
    visit = Visit(method="GET", path="/lines", fields=fields)
    assert command_of(line_fields(visit, "")) == (
        "tsadmin search --all 'a'\\''; rm -rf' --since 2d --entry 192.0.2.0/24 --hits"
    )
