"""
What is said of the way to a firewall and of what it says of itself.
"""

from collections.abc import Callable

import pytest

from tscm.doctor.finding import Finding
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa import faults as asa_faults
from tscm.kinds.asa.doctor import judge_device
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.rest.doctor import judge_way_in
from tscm.kinds.asa.rest.kind import LINKS
from tscm.model import Cidr, Identity
from tscm.standing import Verdict

OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED
NOT_CHECKED = Verdict.NOT_CHECKED
WHO = Identity(version="9.15(1)1", model="ASAv10", agent="7.15.1", budget_bytes=500_000)


def way_in(seen: Seen, *, self_signed: bool = False) -> dict[str, Finding]:
    found = judge_way_in(seen, "https://fw/api", "api", name="fw", self_signed=self_signed)
    assert [one.link for one in found] == list(LINKS)
    return {one.link: one for one in found}


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (faults.Unreachable, "reachability"),
        (faults.Untrusted, "reachability"),
        (faults.IdentityChanged, "reachability"),
        (asa_faults.UnitOnStandby, "reachability"),
        (faults.Unauthorised, "login"),
        (faults.SessionsUsedUp, "login"),
        (faults.Forbidden, "privilege"),
        (faults.InterfaceAbsent, "agent"),
        (faults.Overloaded, "agent"),
        (faults.SessionLost, "agent"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_fault_breaks_its_link_and_nothing_behind_it_is_called_good(
    kind: Callable[[str, str, str], DeviceFault], link: str, known: bool
) -> None:
    fault = kind("fw", "the cause", "the remedy")
    found = way_in(Seen(fault=fault, identity=WHO if known else None))
    assert found[link].verdict == FAILED
    assert (found[link].sentence, found[link].remedy) == ("the cause", "the remedy")
    links = list(found)
    assert all(found[one].verdict == NOT_CHECKED for one in links[links.index(link) + 1 :])
    assert all(found[one].verdict != FAILED for one in links if one != link)
    if link == "agent" and not known:
        assert found["login"].verdict == found["privilege"].verdict == NOT_CHECKED


def test_a_whole_way_in_is_good() -> None:
    assert {one.verdict for one in way_in(Seen(identity=WHO)).values()} == {OK}


def test_a_device_that_is_left_alone_is_doubtful_and_says_why() -> None:
    found = way_in(Seen(resting="an update is under way"))
    assert {one.verdict for one in found.values()} == {NOT_CHECKED}
    assert all("an update is under way" in one.sentence for one in found.values())


def test_any_certificate_taken_is_doubtful() -> None:
    found = way_in(Seen(identity=WHO), self_signed=True)
    assert found["reachability"].verdict == WARNING
    assert "--allow_self_signed no" in found["reachability"].remedy


@pytest.mark.parametrize(("level", "verdict"), [(15, OK), (5, FAILED), (None, OK)])
def test_the_privilege_that_the_configuration_shows(level: int | None, verdict: Verdict) -> None:
    assert way_in(Seen(identity=WHO, privilege=level))["privilege"].verdict == verdict


def test_an_agent_without_a_version_is_doubtful() -> None:
    assert way_in(Seen(identity=Identity(version="9.15")))["agent"].verdict == WARNING


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("9.2(1)", FAILED),
        ("9.3(2)", OK),
        ("9.15(1)1", OK),
        ("9.16(4)19", OK),
        ("9.17(1)", WARNING),
        ("9.18(1)", WARNING),
        ("9.19(1)12", WARNING),
        ("10.1", WARNING),
        (None, WARNING),
        ("odd", WARNING),
    ],
)
def test_versions(version: str | None, verdict: Verdict) -> None:
    assert judge_device.judge_version(Identity(version=version)).verdict == verdict


@pytest.mark.parametrize(
    ("budget", "used", "verdict"),
    [(500, 100, OK), (500, 460, WARNING), (500, 501, FAILED), (None, 100, WARNING)],
)
def test_the_free_budget(budget: int | None, used: int, verdict: Verdict) -> None:
    found = judge_device.judge_budget(Identity(budget_bytes=budget), used, "fw")
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0.2, OK), (-100.0, OK), (3600.0, WARNING), (-200.0, WARNING)]
)
def test_the_clock_of_the_device(seconds: float, verdict: Verdict) -> None:
    found = judge_device.judge_clock_difference(seconds)
    assert found is not None
    assert found.verdict == verdict
    assert judge_device.judge_clock_difference(None) is None


def groups(**held: tuple[tuple[str, ...], tuple[str, ...]]) -> dict[str, Group]:
    return {
        f"X-{name.replace('_', '-')}": Group(
            name=f"X-{name.replace('_', '-')}",
            members=tuple(Cidr(one) for one in members),
            children=children,
        )
        for name, (members, children) in held.items()
    }


ALLOW = ((), ("X-Allow-1",))
PLACEHOLDER = (("192.0.2.1/32",), ())


@pytest.mark.parametrize(
    ("held", "verdict", "words"),
    [
        (groups(), FAILED, "no object-group X-Block and no X-Allow"),
        (groups(Block=((), ())), FAILED, "X-Allow"),
        (
            groups(Block=((), ("X-Block-1",)), Allow=ALLOW, Allow_1=PLACEHOLDER),
            FAILED,
            "cannot read X-Block-1",
        ),
        (
            groups(
                Block=((), ("X-Block-1",)),
                Block_1=PLACEHOLDER,
                Allow=ALLOW,
                Allow_1=PLACEHOLDER,
            ),
            FAILED,
            "nothing is blocked",
        ),
        (
            groups(
                Block=((), ("X-Block-1",)),
                Block_1=(("20.0.0.0/8", "20.1.1.1/32"), ()),
                Allow=ALLOW,
                Allow_1=PLACEHOLDER,
            ),
            OK,
            "X-Block 2, X-Allow 0",
        ),
    ],
)
def test_groups(held: dict[str, Group], verdict: Verdict, words: str) -> None:
    found = judge_device.judge_groups(held, "X", "fw")
    assert found.verdict == verdict
    assert words in found.sentence


def test_what_was_not_reached_is_not_called_good() -> None:
    for seen in (Seen(), Seen(resting="x"), Seen(fault=faults.Unreachable("fw", "x"))):
        found = judge_device.judge_behind(seen, "X", "fw")
        assert [one.link for one in found] == list(judge_device.BEHIND)
        assert {one.verdict for one in found} == {NOT_CHECKED}
