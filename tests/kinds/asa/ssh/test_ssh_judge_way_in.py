"""
What is said of the way to a firewall's command line.
"""

from collections.abc import Callable

import pytest

from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.cli.clock import clock_in
from tscm.kinds.asa.doctor import judge_device
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.ssh import doctor
from tscm.kinds.asa.ssh.faults import (
    ContextRefused,
    EnableRefused,
    HostKeyUntrusted,
    NoCommonAlgorithm,
)
from tscm.kinds.asa.ssh.kind import LINKS
from tscm.model import Identity
from tscm.standing import Verdict

WHO = Identity(version="9.18(2)", model="FPR-1010")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (faults.Unreachable, "reachability"),
        (HostKeyUntrusted, "host key"),
        (NoCommonAlgorithm, "algorithms"),
        (faults.SessionsUsedUp, "reachability"),
        (asa_faults.UnitOnStandby, "reachability"),
        (faults.Unauthorised, "login"),
        (faults.Overloaded, "login"),
        (EnableRefused, "enable"),
        (ContextRefused, "context"),
        (faults.Forbidden, "privilege"),
    ],
)
def test_a_fault_breaks_its_link_and_nothing_behind_it_is_called_good(
    kind: Callable[[str, str, str], DeviceFault], link: str
) -> None:
    found = doctor.judge_way_in(
        Seen(fault=kind("fw", "the cause", "the remedy")), "SSH at fw:22", "api"
    )
    assert [one.link for one in found] == list(LINKS)
    verdicts = [one.verdict for one in found]
    at = LINKS.index(link)
    assert verdicts == [Verdict.OK] * at + [Verdict.FAILED] + [Verdict.NOT_CHECKED] * (
        len(LINKS) - 1 - at
    )
    assert (found[at].sentence, found[at].remedy) == ("the cause", "the remedy")


def test_a_device_that_rests_is_not_looked_at() -> None:
    found = doctor.judge_way_in(Seen(resting="an update is in progress"), "SSH at fw:22", "api")
    assert {one.verdict for one in found} == {Verdict.NOT_CHECKED}
    assert [one.link for one in found] == list(LINKS)


def test_a_local_account_with_too_little_privilege_is_named() -> None:
    found = doctor.judge_way_in(Seen(identity=WHO, privilege=5), "SSH at fw:22", "api")
    verdicts = [one.verdict for one in found]
    assert verdicts == [Verdict.OK] * (len(LINKS) - 1) + [Verdict.FAILED]
    assert "privilege 5" in found[-1].sentence


def test_what_holds_and_could_be_better_is_a_warning_with_its_remedy() -> None:
    found = doctor.judge_way_in(
        Seen(identity=WHO), "SSH at fw:22", "api", context="C", paged=True, old_algorithms=True
    )
    verdicts = {one.link: one.verdict for one in found}
    warned = [link for link, verdict in verdicts.items() if verdict == Verdict.WARNING]
    assert warned == ["algorithms", "pager"]
    assert all(one.remedy for one in found if one.link in warned)
    assert "context C" in found[list(LINKS).index("context")].sentence


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("18:35:05.899 UTC Mon Nov 30 2026", 1796063705),
        ("*18:35:05 UTC Mon Nov 30 2026\r\n", 1796063705),
        ("19:35:05.001 CET Mon Nov 30 2026", 1796063705),
        ("18:35:05.899 XQZ Mon Nov 30 2026", None),
        ("ERROR: % Invalid input", None),
    ],
)
def test_the_clock_is_read_where_its_zone_is_known(text: str, seconds: int | None) -> None:
    assert clock_in(text, 0.0) == seconds


def test_without_an_agent_no_release_is_too_new_and_no_budget_is_looked_for() -> None:
    seen = Seen(identity=Identity(version="9.20(2)"), groups={}, configuration_bytes=5)
    found = judge_device.judge_behind(seen, "T", "fw", agent=False)
    assert [one.link for one in found] == ["version", "groups"]
    assert found[0].verdict == Verdict.OK
    assert judge_device.judge_version(Identity(version="8.4(7)"), agent=False).verdict == Verdict.OK
    hazard = judge_device.judge_version(WHO, agent=False)
    assert hazard.verdict == Verdict.WARNING
    rested = judge_device.judge_behind(Seen(resting="later"), "T", "fw", agent=False)
    assert [one.link for one in rested] == ["version", "groups"]
