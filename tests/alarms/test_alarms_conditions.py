"""
Which conditions a state has, and which it has not.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from tscm.alarms.condition import FAILED, WARNING, Condition
from tscm.alarms.conditions import SUBJECTS_MOST, conditions
from tscm.alarms.counting import LOGINS, WINDOW_SECONDS, Counted, counted_on
from tscm.alarms.observed import (
    Certificate,
    Disk,
    FailedLogins,
    Hits,
    LateTarget,
    Observed,
    SeenDevice,
)
from tscm.alarms.rules import rules_in_force
from tscm.intake.sender_figures import StrangerFigures
from tscm.pairing.figures import FollowedPortal, PairedManager
from tscm.settings.alarm_rules import Rule
from tscm.settings.alarms import AlarmSettings
from tscm.standing import Verdict
from tscm.update.figures import Result, UpdateFigures, UpdateRecord
from tscm.update.hold import Hold

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
RULES = rules_in_force(AlarmSettings())
WELL = SeenDevice(
    name="hq",
    last_line_at=NOW - 5,
    policy=UpdateFigures(
        last_good=UpdateRecord(finished_at=NOW - HOUR),
        last_update=UpdateRecord(result=Result.UNCHANGED),
    ),
)
GOOD = Observed(
    now=NOW,
    started_at=NOW - DAY,
    min_free_bytes=1 << 29,
    devices=(WELL,),
    disks=(Disk(folder="/var", free_bytes=50 << 30, total_bytes=100 << 30),),
    certificates=(Certificate(name="the page", expires_at=NOW + 300 * DAY),),
    kernel_drops={"udp": 5},
)


def found(
    seen: Observed, counted: Mapping[str, Counted] | None = None, *was_open: str
) -> list[Condition]:
    return list(conditions(seen, RULES, counted or {}, set(was_open)))


def with_device(**more: Any) -> Observed:
    return evolve(GOOD, devices=(evolve(WELL, **more),))


def with_policy(**more: Any) -> Observed:
    return with_device(policy=evolve(WELL.policy, **more))


def test_a_good_state_has_none() -> None:
    assert found(GOOD) == []
    assert found(Observed(now=NOW)) == []


@pytest.mark.parametrize(
    ("seen", "rule", "severity", "said"),
    [
        (
            with_device(verdict=Verdict.FAILED, causes=("a", "b", "c", "d")),
            Rule.DEVICE_FAILED, FAILED, r"hq: a; b; c \(and 1 more\)",
        ),
        (
            with_policy(last_good=UpdateRecord(finished_at=NOW - 4 * HOUR)),
            Rule.POLICY_AGE, FAILED, "was 4 h ago",
        ),
        (with_device(last_line_at=NOW - 2 * HOUR), Rule.NO_LINES, FAILED, "no line for 2 h"),
        (
            with_policy(last_update=UpdateRecord(result=Result.REFUSED, error="shrank")),
            Rule.UPDATE_REJECTED, WARNING, "rejected the last update: shrank",
        ),
        (with_policy(locked_out=True), Rule.LOCKED_OUT, FAILED, "no login is attempted"),
        (
            with_policy(last_update=UpdateRecord(error="another key", untrusted=True)),
            Rule.UNTRUSTED_DEVICE, FAILED, "hq: another key",
        ),
        (with_device(rejected_batches=2), Rule.REJECTED_BATCH, WARNING, "rejected 2 batches"),
        (evolve(GOOD, ledger="1 line is missing"), Rule.LEDGER, FAILED, "1 line is missing"),
        (
            evolve(GOOD, disks=(Disk(folder="/v", free_bytes=9 << 30, total_bytes=100 << 30),)),
            Rule.DISK, WARNING, r"9,216 MB \(9 %\) are free$",
        ),
        (
            evolve(GOOD, disks=(Disk(folder="/v", free_bytes=1 << 20, total_bytes=1 << 21),)),
            Rule.DISK, FAILED, "oldest lines are deleted",
        ),
        (evolve(GOOD, database="full"), Rule.DATABASE, FAILED, "full"),
        (evolve(GOOD, faults={"": "x"}), Rule.SETTINGS, FAILED, "^x$"),
        (evolve(GOOD, faults={"hq": "x"}), Rule.SETTINGS, FAILED, "^hq: x$"),
        (evolve(GOOD, backup="no space"), Rule.BACKUP, WARNING, "no space"),
        (
            evolve(GOOD, targets=(LateTarget(name="drop", sentence="target drop", since=1.0),)),
            Rule.TARGET_AGE, WARNING, "^target drop$",
        ),
        (
            evolve(GOOD, certificates=(Certificate(name="tls", expires_at=NOW + 20 * DAY),)),
            Rule.CERTIFICATE, WARNING, "of tls expires in 20 days",
        ),
        (
            evolve(GOOD, certificates=(Certificate(name="tls", expires_at=NOW + 2 * DAY),)),
            Rule.CERTIFICATE, FAILED, "expires in 2 days",
        ),
        (
            evolve(GOOD, certificates=(Certificate(name="tls", expires_at=NOW - 1),)),
            Rule.CERTIFICATE, FAILED, "has expired",
        ),
        (
            evolve(GOOD, certificates=(Certificate(name="tls", fault="gone"),)),
            Rule.CERTIFICATE, FAILED, "cannot be read: gone",
        ),
        (
            evolve(GOOD, portals=(
                FollowedPortal(portal="https://p.example", devices=("a", "b"), heard_at=NOW - 660, fault="late"),
            )),
            Rule.PORTAL_AWAY, WARNING, "p.example has not answered for 11 min.*: late; 2 paired devices keep",
        ),
        (
            evolve(GOOD, managers=(PairedManager(nickname="east", manager="m1", seen_at=NOW - 660),)),
            Rule.MANAGER_AWAY, WARNING, "manager m1 of entry east has not asked for 11 min",
        ),
        (
            evolve(GOOD, senders=(StrangerFigures(address="192.0.2.7", lines=11, last_seen_at=NOW),)),
            Rule.UNKNOWN_SENDER, WARNING, "192.0.2.7 belongs to no device and sent 11 lines",
        ),
        (
            evolve(GOOD, hits=(Hits(of_list=True, subject="b.example", hits=9, over=8, hours=1),)),
            Rule.LIST_HITS, WARNING, "list b.example: 9 hits within 1 hour, more than 8",
        ),
        (
            evolve(GOOD, hits=(Hits(of_list=False, subject="10.0.0.9", hits=9, over=8, hours=2),)),
            Rule.HOST_HITS, WARNING, "inside host 10.0.0.9: 9 hits within 2 hours",
        ),
    ],
)  # fmt: skip
def test_each_rule_has_its_condition(seen: Observed, rule: Rule, severity: str, said: str) -> None:
    (one,) = found(seen)
    assert (one.rule, one.severity) == (rule, severity)
    assert not one.muted
    assert re.search(said, one.sentence), one.sentence


def test_bounds_themselves_are_good() -> None:
    assert found(with_policy(last_good=UpdateRecord(finished_at=NOW - 3 * HOUR))) == []
    assert found(with_device(last_line_at=NOW - HOUR)) == []
    assert (
        found(evolve(GOOD, hits=(Hits(of_list=True, subject="b", hits=8, over=8, hours=1),))) == []
    )
    few = (StrangerFigures(address="192.0.2.7", lines=10, last_seen_at=NOW),)
    assert found(evolve(GOOD, senders=few)) == []


def test_who_was_away_itself_blames_nobody() -> None:
    portals = (FollowedPortal(portal="https://p.example", devices=("a",)),)
    managers = (PairedManager(nickname="east", manager="m1", seen_at=NOW - DAY),)
    late = evolve(GOOD, portals=portals, managers=managers, started_at=NOW - 599)
    assert found(late) == []
    assert len(found(evolve(late, started_at=NOW - 601))) == 2


def test_the_age_of_a_policy_is_measured_in_its_own_intervals() -> None:
    old = with_policy(last_good=UpdateRecord(finished_at=NOW - 20 * HOUR))
    assert found(evolve(old, interval=8 * HOUR)) == []
    assert found(evolve(old, interval=6 * HOUR))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"hold": Hold(since=NOW, by="anna", reason="freeze")}, "held by anna: freeze"),
        ({"held": True}, "held after a rollback or a purge"),
        ({"paused": True}, "updates are paused"),
    ],
)
def test_a_hold_mutes_the_alarms_of_updates(more: dict[str, Any], said: str) -> None:
    refused = UpdateRecord(result=Result.REFUSED)
    seen = with_policy(last_good=UpdateRecord(finished_at=1.0), last_update=refused, **more)
    assert {one.rule: one.muted for one in found(seen)} == {
        Rule.POLICY_AGE: said,
        Rule.UPDATE_REJECTED: said,
    }


def test_the_time_without_a_manager_is_no_silence_of_a_device() -> None:
    late = with_device(last_line_at=NOW - 5 * HOUR)
    assert found(evolve(late, started_at=NOW - 60)) == []
    (one,) = found(evolve(late, started_at=NOW - 60), None, "no_lines/hq")
    assert one.since == NOW - 5 * HOUR
    assert found(with_device(last_line_at=None)) == []
    assert found(with_device(last_line_at=NOW + DAY)) == []  # the clock was set back


def test_unknown_senders_are_bounded_and_forgotten() -> None:
    many = [
        StrangerFigures(address=f"10.0.{n // 250}.{n % 250}", lines=n, last_seen_at=NOW)
        for n in range(1000)
    ]
    some = found(evolve(GOOD, senders=tuple(many)))
    assert len(some) == SUBJECTS_MOST
    assert "999 lines" in some[0].sentence
    old = StrangerFigures(address="192.0.2.7", lines=99, last_seen_at=NOW - 2 * HOUR)
    assert found(evolve(GOOD, senders=(old,))) == []


def test_a_counter_is_judged_by_what_it_grew_lately() -> None:
    one = counted_on(None, "udp", 500, 0)
    assert one.grown == 0  # nobody knows when that was
    one = counted_on(one, "udp", 507, 30)
    (drops,) = found(GOOD, {"udp": one})
    assert (drops.rule, drops.subject) == (Rule.KERNEL_DROPS, "udp")
    assert "dropped 7 datagrams" in drops.sentence
    one = counted_on(one, "udp", 3, 30)  # another process counts from 0
    assert one.grown == 10
    one = counted_on(one, "udp", 3, WINDOW_SECONDS)
    assert one.grown == 0
    assert found(GOOD, {"udp": one}) == []


def test_failed_logins_are_an_alarm_of_their_own() -> None:
    seen = evolve(
        GOOD, logins=FailedLogins(count=1).and_more(FailedLogins(count=20, address="::1"))
    )
    one = counted_on(counted_on(None, LOGINS, 0, 0), LOGINS, seen.logins.count, 30)
    (alarm,) = found(seen, {LOGINS: one})
    assert (alarm.rule, alarm.name) == (Rule.LOGIN_FAILURES, "login_failures")
    assert "21 logins" in alarm.sentence
    assert "a name that is no user's from ::1" in alarm.sentence
    assert found(seen, {LOGINS: evolve(one, steps=one.steps[:0])}) == []
    assert found(seen, {LOGINS: counted_on(counted_on(None, LOGINS, 0, 0), LOGINS, 20, 30)}) == []
