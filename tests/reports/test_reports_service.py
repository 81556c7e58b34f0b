"""
Scheduled reports are sent once, tried again, and equal the numbers of `tsadmin report`.
"""

import struct
import zlib
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from tscm.channels.fault import ChannelFault
from tscm.events.answers import EventReport
from tscm.events.judge import Force, judge
from tscm.events.report import ask, read_question
from tscm.events.rollups import EventPosition, Rollups
from tscm.manager.report_mail import found_for
from tscm.policy.cidr import Entries
from tscm.reports.answers import ReportUnknown
from tscm.reports.content import Found, as_mail, bars
from tscm.reports.due import Due, latest_due
from tscm.reports.picture import HEIGHT, WIDTH, chart_png
from tscm.reports.service import ReportService, read_kept
from tscm.settings.layout import Layout
from tscm.settings.reports import Schedule
from tscm.store.database import Store, open_database

DAY, HOUR = 86400, 3600
START = 20_000 * DAY  # midnight UTC
DAILY = Schedule(
    name="hits", every="daily", at="07:00", to=("a@b.example",), cc=("c@d.example", "e@f.example")
)


class AtOnce:
    async def run(self, call: Any, *args: Any) -> Any:
        return call(*args)


class Site:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.path = folder / "reports.json"
        self.sent: list[tuple[str, float]] = []
        self.fault = ""
        self.service = self.start()

    def start(self) -> ReportService:
        self.service = ReportService(self.clock, AtOnce(), self.path, (DAILY,), self.send)
        self.service.startService()
        return self.service

    async def send(self, schedule: Schedule, due: Due) -> str:
        if self.fault:
            raise ChannelFault(self.fault)
        self.sent.append((schedule.name, due.at))
        return "250 ok"

    def run(self, seconds: float) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(min(600.0, end - self.clock.seconds()))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_report_is_sent_at_its_time_each_day_and_once(site: Site) -> None:
    site.run(6 * HOUR)
    assert site.sent == []
    site.run(2 * DAY)
    assert site.sent == [("hits", START + 7 * HOUR), ("hits", START + DAY + 7 * HOUR)]
    site.service.stopService()
    assert not site.clock.getDelayedCalls()


def test_over_a_restart_it_is_not_sent_again_and_what_was_missed_is_sent_once(site: Site) -> None:
    site.run(8 * HOUR)
    site.service.stopService()
    site.start()
    site.run(HOUR)
    assert len(site.sent) == 1
    site.service.stopService()
    site.clock.advance(4 * DAY)
    site.start()
    site.run(HOUR)
    assert [at for _, at in site.sent] == [START + 7 * HOUR, START + 4 * DAY + 7 * HOUR]
    site.service.stopService()


def test_a_mail_server_that_is_away_is_tried_again_and_told(site: Site) -> None:
    site.fault = "no route"
    site.run(9 * HOUR)
    (one,) = site.service.standing()
    assert (one.error, one.sent_at, one.next_at) == ("no route", None, START + DAY + 7 * HOUR)
    site.fault = ""
    site.run(HOUR)
    assert site.sent == [("hits", START + 7 * HOUR)]
    (one,) = site.service.standing()
    assert one.error is None
    site.service.stopService()


def test_a_report_that_fails_in_a_way_of_its_own_keeps_no_other_back(
    site: Site, logged_failures: list[Any]
) -> None:
    site.service.stopService()
    other = evolve(DAILY, name="other")

    async def send(schedule: Schedule, due: Due) -> str:
        if schedule.name == "hits":
            raise ValueError("not foreseen")
        return await site.send(schedule, due)

    service = ReportService(site.clock, AtOnce(), site.path, (DAILY, other), send)
    service.startService()
    site.run(8 * HOUR)
    assert site.sent == [("other", START + 7 * HOUR)]
    assert [one.error for one in service.standing()] == [
        "internal error: ValueError: not foreseen",
        None,
    ]
    service.stopService()
    assert len(logged_failures) > 1  # tried again
    logged_failures.clear()


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"dealt_with": {"hits": "x"}}', "[" * 9000])
def test_a_damaged_file_sends_nothing_of_the_past(site: Site, kept: str) -> None:
    site.service.stopService()
    site.path.write_text(kept)
    site.start()
    site.run(HOUR)
    assert site.sent == []
    site.service.stopService()


def test_what_is_kept_is_read_as_far_as_it_can_be() -> None:
    kept = {"dealt_with": {"a": 1, "b": True, "c": float("inf"), "d": None}}
    assert read_kept(kept) == {"a": 1.0}
    assert read_kept(7) == {}


@pytest.mark.parametrize("name", ["none", "\x1b"])
def test_an_unknown_name_is_refused(site: Site, name: str) -> None:
    asked = site.service.send(name)
    with pytest.raises(ReportUnknown, match="there is no report"):
        asked.send(None)
    site.service.stopService()


# -- numbers --------------------------------------------------------------------


def counted(layout: Layout) -> None:
    """Hits of two devices over three days."""
    for name in ("fw", "other"):
        layout.devices.mkdir(parents=True, exist_ok=True)
        layout.device_file(name).touch()
    store = Store(layout.database)
    store.open()
    store.close()
    force = Force.of(
        1, 0.0, ("b.example", Entries.of(["203.0.113.0/24"])), ("a.example", Entries.of([]))
    )
    connection = open_database(str(layout.database))
    rollups = Rollups(connection)
    first = START // HOUR
    for hour in range(first - 48, first + 24):
        rows = [
            (b"", b"acl", b"denied", b"tcp", f"203.0.113.{far}".encode(), b"10.0.0.1", b"443",
             str(1 + hour % 3).encode(), b"")
            for far in range(1 + hour % 5)
        ]  # fmt: skip
        for name in ("fw", "other"):
            some = rows if name == "fw" else rows[:1]
            rollups.add(name, {hour: judge(some, [force])}, EventPosition(offset=hour))
    connection.close()


@pytest.mark.parametrize("every", ["daily", "weekly", "monthly"])
def test_the_numbers_are_those_of_the_report(tmp_path: Path, every: str) -> None:
    layout = Layout(tmp_path)
    counted(layout)
    schedule = evolve(DAILY, every=every, by="outside", weekday="friday", day=4, top=3)
    due = latest_due(schedule, START + 8 * HOUR)
    found = found_for(layout, schedule, due)
    asked = {"since": due.since, "until": due.until, "by": "outside", "top": 3}
    alone = {
        name: ask(layout.database, read_question(name, asked, 0.0)) for name in ("fw", "other")
    }
    assert found.whole.hits == sum(one.hits for one in alone.values()) > 0
    assert {one.device: one.hits for one in found.devices} == {
        name: one.hits for name, one in alone.items()
    }
    labels, blocked, allowed = bars(schedule, due, found)
    assert sum(blocked) + sum(allowed) == found.whole.hits
    assert len(labels) == {"daily": 24, "weekly": 7, "monthly": 30}[every]
    only = found_for(layout, evolve(schedule, devices=("fw", "gone")), due)
    assert only.whole.rows == alone["fw"].rows


def test_the_mail_has_the_picture_both_texts_and_no_text_of_strangers_as_markup() -> None:
    hostile = "<b>\r\nBcc: x@y.example\x1b[31m"
    whole = EventReport(
        hits=1234, lines=5, counts_are_low=1, rows=({"list": hostile, "hits": 1234, "lines": 5},)
    )
    devices = tuple(EventReport(device=f"d{n}", hits=n, lines=n) for n in range(60))
    schedule = evolve(DAILY, by="list")
    due = latest_due(schedule, START + 8 * HOUR)
    found = Found(whole=whole, devices=devices, blocked={START - HOUR: 1234})
    mail = as_mail(schedule, due, found, "tscm", "t@u.example", number="1", at=START)
    assert mail.to == ("a@b.example", "c@d.example", "e@f.example")
    read = message_from_bytes(mail.content.as_bytes(policy=SMTP), policy=default)
    assert read["Cc"] == "c@d.example, e@f.example"
    assert read["Bcc"] is None
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    text, page = plain.get_content(), html.get_content()
    for one in (text, page):
        assert "1,234" in one
        assert "stopped counting" in one
        assert "and 10 more" in one
        assert "tsadmin report --all --since " in one
        assert "\x1b" not in one
    assert "<b>" not in page
    assert 'src="cid:chart"' in page
    (picture,) = (part for part in read.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<chart>"
    assert picture.get_content().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("blocked", "allowed"),
    [([], []), ([0], [0]), ([5], [0]), ([1, 2, 3], [3, 0, 1]), ([1] * 2000, [0] * 2000)],
)
def test_the_picture_is_a_whole_png(blocked: Sequence[int], allowed: Sequence[int]) -> None:
    data = chart_png(blocked, allowed)
    place, kinds, image = 8, [], b""
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (check,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert check == zlib.crc32(kind + body)
        kinds.append(kind)
        image += body if kind == b"IDAT" else b""
        place += 12 + length
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    pixels = zlib.decompress(image)
    assert len(pixels) == HEIGHT * (WIDTH + 1)
    assert (1 in pixels) == (sum(blocked) > 0)
    assert len(data) < 10_000
