"""
How a device stands: one word, and why.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.forward.figures import ForwardFigures
from tscm.intake.figures import DeviceIntake
from tscm.intake.turned_away import RECENT_SECONDS, recent_faults
from tscm.model import Json
from tscm.standing import ORDER, Row, Verdict, exit_status, fault_row, judge, row_of, worst_first
from tscm.state import DeviceState
from tscm.upload.figures import UploadFigures
from tscm.wire.reading import read

NOW, HOUR = 1_800_000_000.0, 3600.0
UPDATE = {"result": "changed", "finished_at": NOW - 60,
          "block": {"name": "b", "desired": 9000, "cut": 3000}, "allow": {"name": "a", "desired": 10}}  # fmt: skip
LOG = {"last_received_at": NOW - 5, "readers": {"forward": {"waiting_lines": 7}}}


def state(policy: Json | None = None, **parts: Any) -> DeviceState:
    made = {
        "policy": {
            "last_update": UPDATE,
            "last_good": UPDATE,
            "in_force": {"since": NOW - 60, "block": 9000, "allow": 10, "purged": False},
            **(policy or {}),
        },
        "log": LOG,
        "forward": {"failures": 0, "connected_at": NOW - 60},
        "upload": None,
        **parts,
    }
    return read(DeviceState, made)


def row(**parts: Any) -> Row:
    return row_of("fw", state(**parts), NOW, HOUR)


@given(
    good=st.floats(0, 40 * HOUR),
    line=st.floats(0, 60 * HOUR),
    failing=st.tuples(*(st.floats(0, most * HOUR) for most in (2, 30, 1))),
    until=st.none() | st.floats(1, 10 * HOUR),
    interval=st.sampled_from([60.0, HOUR]),
    later=st.floats(0, 0.999),
)
def test_what_was_judged_holds_until_its_time(  # noqa: PLR0917 - hypothesis gives them by name
    good: float,
    line: float,
    failing: tuple[float, ...],
    until: float | None,
    interval: float,
    later: float,
) -> None:
    update = {**UPDATE, "finished_at": NOW - good}
    hold = None if until is None else {"since": NOW - 9, "until": NOW + until, "by": "root"}
    policy = {
        "last_update": update,
        "last_good": update,
        "hold": hold,
        "unknown_names": [{"name": "a.example", "failing_since": NOW - failing[1]}],
        "upheavals": "it reloads",
        "upheavals_since": NOW - failing[2],
    }
    log = {**LOG, "last_received_at": NOW - line}
    forward = {"failures": 2, "failing_since": NOW - failing[0], "last_error": "is away"}
    found = state(policy, log=log, forward=forward)
    judged = judge(found, NOW, interval)
    assert judged.holds_until >= NOW
    then = NOW + later * min(judged.holds_until - NOW, 10 * HOUR)
    later_on = judge(found, then, interval)
    assert (later_on.verdict, later_on.causes) == (judged.verdict, judged.causes)


def test_a_device_whose_connections_are_refused_has_failed_as_long_as_healthz_says_so() -> None:
    refused = {"connections": 3, "last_at": NOW - 60, "cause": "too many connections of the sender"}
    found = state(intake={"turned_away": refused})
    present = judge(found, NOW, HOUR)
    assert present.verdict is Verdict.FAILED
    (said,) = present.causes
    (fault,) = recent_faults({"fw": found.intake or DeviceIntake()}, NOW)
    assert said in fault
    assert present.holds_until == NOW - 60 + RECENT_SECONDS
    assert judge(found, present.holds_until, HOUR).verdict is Verdict.OK
    assert recent_faults({"fw": found.intake or DeviceIntake()}, present.holds_until) == []


def test_a_device_that_works_is_ok_and_its_row_has_the_figures() -> None:
    found = row()
    assert (found.verdict, found.causes) == (Verdict.OK, ())
    assert (
        found.entries,
        found.cut,
        found.good_update_age_seconds,
        found.last_line_age_seconds,
    ) == (9010, 3000, 60.0, 5.0)
    assert (found.backlog_lines, found.forward, found.upload) == ({"forward": 7}, "ok", "off")


@pytest.mark.parametrize(
    ("forward", "upload", "wanted"),
    [
        ({}, {}, ("not tried", "not tried")),
        ({"connected_at": 1.0}, {"last_upload_at": 1.0}, ("ok", "ok")),
        ({"sent": 1}, {"sent": 1}, ("ok", "not tried")),  # of an upload: since the log began
        ({"failures": 1}, {"failures": 1}, ("failing", "failing")),
    ],
)
def test_no_target_is_ok_to_which_nothing_was_sent(
    forward: dict[str, Any], upload: dict[str, Any], wanted: tuple[str, str]
) -> None:
    state = DeviceState(forward=ForwardFigures(**forward), upload=UploadFigures(**upload))
    found = row_of("fw", state, NOW, HOUR)
    assert (found.forward, found.upload) == wanted


BAD = {**UPDATE, "result": "failed", "error": "no TCP"}


@pytest.mark.parametrize(
    ("changes", "verdict", "cause"),
    [
        ({"policy": {"last_update": None, "last_good": None}}, Verdict.NEW, "never updated"),
        ({"policy": {"last_update": BAD}}, Verdict.WARNING, "the last update failed: no TCP"),
        ({"policy": {"last_update": BAD, "last_good": None}}, Verdict.FAILED, "no TCP"),
        (
            {"policy": {"last_update": {**BAD, "result": "refused", "error": "it shrank"}}},
            Verdict.WARNING,
            "rejected by the guard: it shrank",
        ),
        (
            {"policy": {"last_good": {**UPDATE, "finished_at": NOW - 5 * HOUR}}},
            Verdict.WARNING,
            "the last successful update was 5 hours ago",
        ),
        ({"policy": {"held": True}}, Verdict.HELD, "held after a rollback or a purge"),
        ({"policy": {"paused": True}}, Verdict.HELD, "updates are paused"),
        ({"policy": {"locked_out": True}}, Verdict.FAILED, "rejected too often"),
        ({"policy": {"fault": "database x"}}, Verdict.FAILED, "no updates: database x"),
        ({"policy": {"unused_groups": ["A", "B"]}}, Verdict.FAILED, "no access-list uses A and B"),
        (
            {"policy": {"unused_groups": ["A"], "never_used": True}},
            Verdict.WARNING,
            "no access-list uses A yet",
        ),
        (
            {"policy": {"unknown_names": [{"name": "a.example", "failing_since": NOW - HOUR}]}},
            Verdict.WARNING,
            "protected names do not resolve: a.example",
        ),
        (
            {
                "policy": {
                    "unknown_names": [{"name": "a.example", "failing_since": NOW - 24 * HOUR}]
                }
            },
            Verdict.FAILED,
            "protected names have not resolved for a day: a.example",
        ),
        (
            {"policy": {"upheavals": "it reloads", "upheavals_since": NOW - 60}},
            Verdict.WARNING,
            "it reloads",
        ),
        (
            {"policy": {"upheavals": "it reloads", "upheavals_since": NOW - HOUR}},
            Verdict.FAILED,
            "it reloads",
        ),
        ({"fault": "the file has a fault"}, Verdict.FAILED, "the file has a fault"),
        ({"log": None}, Verdict.OK, ""),
        ({"log": {"readers": {}, "last_received_at": None}}, Verdict.NEW, "no line yet"),
        ({"log": {**LOG, "last_received_at": NOW - 30 * HOUR}}, Verdict.WARNING, "for 30 hours"),
        ({"log": {**LOG, "fault": "is full"}}, Verdict.FAILED, "the log is full"),
        (
            {"forward": {"failures": 3, "failing_since": NOW - 30, "last_error": "refused"}},
            Verdict.WARNING,
            "the SIEM: refused",
        ),
        (
            {"upload": {"failures": 3, "failing_since": NOW - HOUR, "last_error": "401"}},
            Verdict.FAILED,
            "the log service: 401",
        ),
        ({"upload": {"failures": 0, "set_aside": 1}}, Verdict.WARNING, "rejected 1 batch"),
        ({"unbalanced": ["1 line"]}, Verdict.FAILED, "does not balance: 1 line"),
    ],
)
def test_each_trouble_has_its_word_and_cause(
    changes: dict[str, Any], verdict: Verdict, cause: str
) -> None:
    found = row(**changes)
    assert found.verdict is verdict
    assert any(cause in one for one in found.causes) or not cause


def test_an_update_of_minutes_ago_is_not_said_to_be_of_an_hour_ago() -> None:
    late = {"last_good": {**UPDATE, "finished_at": NOW - 360}}
    assert row_of("fw", state(late), NOW, 60.0).causes == (
        "the last successful update was 6 minutes ago",
    )


def test_a_paused_device_is_not_stale() -> None:
    old = {"last_good": {**UPDATE, "finished_at": NOW - 500 * HOUR}}
    assert row(policy={**old, "paused": True}).verdict is Verdict.HELD


def test_the_worst_comes_first_and_gives_the_exit_status() -> None:
    rows = [row(), fault_row("a", "damaged"), row(policy={"held": True})]
    assert [one.verdict for one in worst_first(rows)] == [
        Verdict.FAILED,
        Verdict.HELD,
        Verdict.OK,
    ]
    assert [exit_status(rows[:1]), exit_status(rows), exit_status([])] == [0, 2, 0]


@given(
    st.dictionaries(st.sampled_from(["held", "locked_out", "unsaved"]), st.booleans()),
    st.none() | st.text(max_size=5),
    st.floats(0, 2 * NOW),
)
def test_the_word_is_the_worst_of_its_causes(policy: Json, fault: str | None, now: float) -> None:
    found = row_of("fw", state({**policy, "fault": fault}), now, HOUR)
    assert found.verdict in ORDER
    assert (found.verdict is Verdict.OK) == (not found.causes)
