"""
When a scheduled report is due, over changes to summer time and set clocks, and which time it covers.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.reports.due import latest_due, next_due, to_send, zone_of
from tscm.settings.reports import WEEKDAYS, ReportSettings, Schedule
from tscm.settings.schema import read_table

DAY, HOUR = 86400.0, 3600.0
BERLIN = "Europe/Berlin"


def schedule(every: str = "daily", at: str = "07:00", zone: str = BERLIN, **more: Any) -> Schedule:
    return Schedule(name="hits", every=every, at=at, zone=zone, to=("a@b.example",), **more)


def moment(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def told(at: float, zone: str = BERLIN) -> str:
    return datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("one", "now", "at", "since", "until"),
    [
        (schedule(), "2026-11-30T07:00", "2026-11-30T07:00", "2026-11-29T00:00", "2026-11-30T00:00"),
        (schedule(), "2026-11-30T06:59", "2026-11-29T07:00", "2026-11-28T00:00", "2026-11-29T00:00"),
        (
            schedule("weekly", weekday="monday"),
            "2026-12-03T00:00", "2026-11-30T07:00", "2026-11-23T00:00", "2026-11-30T00:00",
        ),
        (
            schedule("monthly", day=1),
            "2026-12-03T00:00", "2026-12-01T07:00", "2026-11-01T00:00", "2026-12-01T00:00",
        ),
        (
            schedule("monthly", day=28),
            "2026-03-01T00:00", "2026-02-28T07:00", "2026-01-28T00:00", "2026-02-28T00:00",
        ),
    ],
)  # fmt: skip
def test_it_covers_the_whole_days_before(
    one: Schedule, now: str, at: str, since: str, until: str
) -> None:
    due = latest_due(one, moment(now))
    assert (due.at, due.since, due.until) == (moment(at), moment(since), moment(until))


def test_a_day_of_23_or_25_hours_is_a_day() -> None:
    spring = latest_due(schedule(), moment("2026-03-30T12:00"))
    assert spring.until - spring.since == 23 * HOUR
    autumn = latest_due(schedule(), moment("2026-10-26T12:00"))
    assert autumn.until - autumn.since == 25 * HOUR


def test_a_skipped_time_comes_later_and_a_double_one_once() -> None:
    early = schedule(at="02:30")
    assert told(latest_due(early, moment("2026-03-29T12:00")).at) == "2026-03-29T03:30:00+02:00"
    first = latest_due(early, moment("2026-10-25T12:00")).at
    assert told(first) == "2026-10-25T02:30:00+02:00"
    assert to_send(early, first, first + HOUR) is None  # 02:30 again


def test_of_what_was_missed_the_latest_is_sent_once() -> None:
    one, start = schedule(), moment("2026-11-01T08:00")
    late = start + 5 * DAY
    due = to_send(one, start, late)
    assert due is not None
    assert told(due.at) == "2026-11-06T07:00:00+01:00"
    assert to_send(one, due.at, late) is None
    assert to_send(one, late, late - 3 * DAY) is None  # the clock was set back


ZONES = st.sampled_from([BERLIN, "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"])
SCHEDULES = st.builds(
    schedule,
    every=st.sampled_from(["daily", "weekly", "monthly"]),
    at=st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    zone=ZONES,
    weekday=st.sampled_from(WEEKDAYS),
    day=st.integers(1, 28),
)


@given(SCHEDULES, st.floats(1.5e9, 2.5e9))
def test_times_are_in_order_and_there_is_always_one(one: Schedule, now: float) -> None:
    due, later = latest_due(one, now), next_due(one, now)
    assert due.since < due.until <= due.at <= now < later
    longest = {"daily": 25 * HOUR, "weekly": 7 * DAY + HOUR, "monthly": 31 * DAY + HOUR}
    assert later - due.at <= longest[one.every]
    assert latest_due(one, later).at == later
    assert latest_due(one, later - 1).at == due.at


@given(SCHEDULES, st.floats(1.5e9, 2.5e9), st.lists(st.floats(0, 3 * DAY), max_size=20))
def test_each_is_sent_at_most_once_and_none_is_invented(
    one: Schedule, now: float, steps: list[float]
) -> None:
    dealt_with, sent = now, []
    for step in steps:
        now += step
        due = to_send(one, dealt_with, now)
        if due is not None:
            sent.append(due.at)
            dealt_with = due.at
    assert sent == sorted(set(sent))
    for at in sent:
        local = datetime.fromtimestamp(at, UTC).astimezone(zone_of(one.zone))
        wanted = datetime.fromisoformat(f"{local.date()}T{one.at}").replace(tzinfo=local.tzinfo)
        assert abs(local - wanted) <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"at": "24:00"}, "is not a time of day"),
        ({"at": "7"}, "is not a time of day"),
        ({"zone": "../../etc/passwd"}, "is not a time zone"),
        ({"zone": "Mars/Olympus"}, "is not a time zone"),
        ({"zone": 5}, "is not a time zone"),
        ({"to": []}, "has no address"),
        ({"to": ["a@b.example\nBcc: c@d.example"]}, "is not a mail address"),
        ({"cc": [f"a{n}@b.example" for n in range(4)]}, "more than 3 addresses"),
        ({"every": "hourly"}, "not among the choices"),
        ({"day": 31}, "out of range"),
    ],
)
def test_a_faulty_schedule_is_refused(more: dict[str, object], said: str) -> None:
    table = {"name": "x", "every": "daily", "to": ["a@b.example"], **more}
    settings, faults = read_table(ReportSettings, {"schedules": [table]})
    assert settings is None
    assert said in str(faults[0])


def test_a_name_is_used_once() -> None:
    table = {"name": "x", "every": "daily", "to": ["a@b.example"]}
    settings, faults = read_table(ReportSettings, {"schedules": [table, table]})
    assert settings is None
    assert "names two reports" in str(faults[0])
