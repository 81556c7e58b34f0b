"""
What is said of the way to a firewall's HTTP interface.
"""

from collections.abc import Callable

import pytest

from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.http import doctor
from tscm.kinds.asa.http.answers import AgentRefused
from tscm.kinds.asa.http.kind import LINKS
from tscm.model import Identity
from tscm.standing import Verdict

WHO = Identity(version="9.18(2)", model="FPR-1010", role="active")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (faults.Unreachable, "reachability"),
        (faults.Untrusted, "reachability"),
        (asa_faults.UnitOnStandby, "reachability"),
        (faults.Unauthorised, "login"),
        (AgentRefused, "login"),
        (faults.Forbidden, "privilege"),
        (faults.InterfaceAbsent, "HTTP interface"),
        (faults.Overloaded, "HTTP interface"),
    ],
)
def test_a_fault_breaks_its_link_and_nothing_behind_it_is_called_good(
    kind: Callable[[str, str, str], DeviceFault], link: str
) -> None:
    found = doctor.judge_way_in(
        Seen(fault=kind("fw", "the cause", "the remedy")),
        "HTTP interface at fw:443",
        "api",
        name="fw",
        self_signed=False,
    )
    assert [one.link for one in found] == list(LINKS)
    at = LINKS.index(link)
    assert [one.verdict for one in found] == [Verdict.OK] * at + [Verdict.FAILED] + [
        Verdict.NOT_CHECKED
    ] * (3 - at)
    assert (found[at].sentence, found[at].remedy) == ("the cause", "the remedy")


def test_any_certificate_is_a_warning_and_too_little_privilege_a_fault() -> None:
    found = doctor.judge_way_in(
        Seen(identity=WHO, privilege=5), "x", "api", name="fw", self_signed=True
    )
    assert [one.verdict for one in found] == [
        Verdict.WARNING,
        Verdict.OK,
        Verdict.FAILED,
        Verdict.OK,
    ]
    assert "--allow_self_signed no" in found[0].remedy
