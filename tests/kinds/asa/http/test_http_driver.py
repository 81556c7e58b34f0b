"""
The driver on the simulated firewall's HTTP interface: it writes what was asked for, or says why not.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet import reactor as global_reactor
from twisted.internet.threads import blockingCallFromThread

from tests.kinds.asa.http.http_device import SHORT, http_driver, in_thread
from tests.kinds.asa.ssh.command_line import hosts
from tscm.errors import DeviceFault
from tscm.kinds import faults
from tscm.kinds.asa.cli.refusals import LineRefused
from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.faults import Replicating, UnitOnStandby
from tscm.kinds.asa.http.answers import AgentRefused
from tscm.kinds.asa.http.driver import HttpDriver
from tscm.kinds.asa.http.post_size import FIRST
from tscm.model import Cidr
from tscm.simulator.service import SimulatedAsa

reactor: Any = global_reactor
T = TypeVar("T")

MEMBERS = tuple(
    map(
        Cidr, ["192.0.2.1/32", "198.51.100.0/24", "2001:db8::1/128", "2001:db8:1::/48", "0.0.0.0/0"]
    )
)
STEPS: list[Step] = [
    CreateGroup(group="T-Block-1", members=MEMBERS, description="a <b> & c"),
    CreateGroup(group="T-Block-2", members=MEMBERS[:1]),
    CreateGroup(group="T-Block", children=("T-Block-1",)),
    AttachChildren(group="T-Block", children=("T-Block-2",)),
    DetachChild(group="T-Block", child="T-Block-2"),
    AddMembers(group="T-Block-2", members=MEMBERS[1:]),
    RemoveMembers(group="T-Block-2", members=MEMBERS[:2]),
    RemoveMembers(group="T-Block-2", members=MEMBERS[:2]),
    Describe(group="T-Block", description="managed by tscm s/e"),
    CreateGroup(group="T-Block-3", members=MEMBERS[:1]),
    DeleteGroup(group="T-Block-3"),
    DeleteGroup(group="T-Block-9"),
]


async def with_driver(
    asa: SimulatedAsa, call: Callable[[HttpDriver], T], learnt: Any = None, **changes: Any
) -> T:
    def work() -> T:
        driver = http_driver(asa, learnt, **changes)
        try:
            return call(driver)
        finally:
            driver.close()

    return await in_thread(work)


def push(driver: HttpDriver, steps: list[Step]) -> None:
    for portion in driver.portions(steps):
        driver.apply_all(portion)


@pytest.mark.parametrize(
    ("switches", "plain"),
    [
        ({}, False),
        ({"duplicate_message": "warning"}, False),
        ({"http_plus": "plus"}, False),
        ({"http_xml": "refused"}, True),
        ({"http_xml": "text"}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("agent", ["ASDM", "tscm"], ids=["basic", "form"])
@pytest_twisted.ensureDeferred
async def test_each_step_is_seen_when_the_groups_are_read(
    asa: SimulatedAsa, agent: str, switches: dict[str, Any], plain: bool
) -> None:
    asa.set_switches(switches)
    asa.type_lines(["object-group service other tcp", "port-object eq 80"])

    def work(driver: HttpDriver) -> Any:
        assert driver.read_groups("T") == {}
        push(driver, STEPS)
        driver.save()
        return driver.read_groups("T"), driver.learnt

    found, learnt = await with_driver(asa, work, user_agent=agent)
    assert set(found) == {"T-Block", "T-Block-1", "T-Block-2"}
    assert set(found["T-Block-1"].members) == set(MEMBERS)
    assert found["T-Block-1"].description == "a <b> & c"
    assert set(found["T-Block-2"].members) == set(MEMBERS[2:])
    assert found["T-Block"].children == ("T-Block-1",)
    assert found["T-Block"].description == "managed by tscm s/e"
    assert learnt["plain"] is plain
    assert not asa.device.unsaved
    posts = asa.counts.as_json()["requests_total"]
    await with_driver(asa, lambda driver: push(driver, STEPS[3:4]), learnt, user_agent=agent)
    # What was learnt is not tried again; by the form there are login and logout too.
    assert asa.counts.as_json()["requests_total"] == posts + (1 if agent == "ASDM" else 3)


@pytest_twisted.ensureDeferred
async def test_who_it_is_is_what_it_says_and_a_standby_unit_is_a_hard_stop(
    asa: SimulatedAsa,
) -> None:
    who = await with_driver(asa, lambda driver: driver.identify())
    assert (who.version, who.agent, who.budget_bytes) == ("9.15(1)1", None, None)
    pair = asa.make_pair()
    asa.agent.serve(pair.standby)
    with pytest.raises(UnitOnStandby):
        await with_driver(asa, lambda driver: driver.identify())
    with pytest.raises(UnitOnStandby):
        await with_driver(asa, lambda driver: push(driver, STEPS))


@pytest_twisted.ensureDeferred
async def test_what_is_written_while_the_mate_takes_the_configuration_may_be_lost(
    asa: SimulatedAsa,
) -> None:
    asa.make_pair()
    asa.begin_sync(600.0)
    with pytest.raises(Replicating):
        await with_driver(asa, lambda driver: push(driver, STEPS))


@pytest.mark.parametrize("form", ["accepted", "refused"])
@pytest_twisted.ensureDeferred
async def test_members_of_a_group_that_is_refused_go_nowhere_and_nothing_is_taken_away(
    asa: SimulatedAsa, form: str
) -> None:
    asa.set_switches({"http_xml": form})
    asa.type_lines(["object-group service T-Block-2 tcp", "port-object eq 80"])
    steps: list[Step] = [
        CreateGroup(group="T-Block-1", members=MEMBERS[:2]),
        CreateGroup(group="T-Block-2", members=MEMBERS[1:]),
        CreateGroup(group="T-Block-3", members=MEMBERS[1:2]),
        RemoveMembers(group="T-Block-1", members=MEMBERS[:1]),
    ]
    with pytest.raises(LineRefused, match="different type"):
        await with_driver(asa, lambda driver: driver.apply_all(steps))
    groups = asa.configuration.groups
    assert len(groups["T-Block-1"].members) == 2
    assert [len(groups[one].members) for one in ("T-Block-3",) if one in groups] in ([], [1])


@pytest_twisted.ensureDeferred
async def test_a_line_that_is_refused_is_named_and_the_others_are_counted(
    asa: SimulatedAsa,
) -> None:
    await with_driver(asa, lambda driver: push(driver, STEPS))
    with pytest.raises(
        LineRefused, match=r"`no object-group network T-Block-1` was refused: .*being used"
    ) as caught:
        await with_driver(asa, lambda driver: driver.apply(DeleteGroup(group="T-Block-1")))
    assert not caught.value.may_be_size
    absent = AttachChildren(group="T-Block", children=("T-Block-7", "T-Block-8"))
    with pytest.raises(LineRefused, match=r"`group-object T-Block-7`.*, and 1 other lines"):
        await with_driver(asa, lambda driver: driver.apply(absent))


# -- logging in ---------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_given_once(asa: SimulatedAsa) -> None:
    with pytest.raises(faults.Unauthorised, match="wrong username or password"):
        await with_driver(asa, lambda driver: driver.probe(), password=_secret("wrong"))
    assert asa.device.accounts.failures["admin"] == 1


@pytest_twisted.ensureDeferred
async def test_an_agent_that_may_not_log_in_by_basic_uses_the_form_and_remembers(
    asa: SimulatedAsa,
) -> None:
    def work(driver: HttpDriver) -> Any:
        push(driver, STEPS)
        return driver.learnt

    learnt = await with_driver(asa, work, user_agent="tscm")
    assert learnt["form"] is True
    assert set(asa.configuration.groups) == {"T-Block", "T-Block-1", "T-Block-2"}
    assert len(asa.agent.interface.sessions) == 0  # logged out
    before = asa.counts.as_json()["requests_total"]
    await with_driver(asa, lambda driver: driver.probe(), learnt, user_agent="tscm")
    assert asa.counts.as_json()["requests_total"] == before + 3  # login, question, logout


@pytest_twisted.ensureDeferred
async def test_without_a_form_the_line_that_helps_is_named(asa: SimulatedAsa) -> None:
    asa.set_switches({"http_form_login": False})
    with pytest.raises(AgentRefused, match="`http server basic-auth-client tscm`"):
        await with_driver(asa, lambda driver: driver.probe(), user_agent="tscm")
    with pytest.raises(AgentRefused):
        await with_driver(asa, lambda driver: driver.probe(), {"form": True}, user_agent="tscm")
    asa.type_lines(["http server basic-auth-client tscm"])
    await with_driver(asa, lambda driver: driver.probe(), user_agent="tscm")


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_in_the_form_is_one_too(asa: SimulatedAsa) -> None:
    with pytest.raises(faults.Unauthorised, match="login form rejected admin"):
        await with_driver(
            asa, lambda driver: driver.probe(), user_agent="tscm", password=_secret("wrong")
        )
    assert asa.device.accounts.failures["admin"] == 1


@pytest_twisted.ensureDeferred
async def test_a_page_with_the_status_of_a_fault_ends_no_session(asa: SimulatedAsa) -> None:
    def work(driver: HttpDriver) -> Any:
        driver.probe()
        asa.agent.faults.arm("500")
        driver.apply(STEPS[0])

    with pytest.raises(faults.Overloaded, match="returned 500"):
        await with_driver(asa, work, user_agent="tscm")


@pytest.mark.parametrize("over", ["login-page", "redirect", "401"])
@pytest_twisted.ensureDeferred
async def test_a_session_that_ends_is_begun_again_but_no_change_is_sent_twice(
    asa: SimulatedAsa, over: str
) -> None:
    asa.set_switches({"http_form_over": over})

    def work(driver: HttpDriver) -> Any:
        driver.probe()
        asa.agent.interface.sessions.end_all()
        driver.read_groups("T")
        asa.agent.interface.sessions.end_all()
        driver.apply(STEPS[0])

    with pytest.raises(faults.SessionLost):
        await with_driver(asa, work, user_agent="tscm")
    assert "T-Block-1" not in asa.configuration.groups


@pytest_twisted.ensureDeferred
async def test_an_account_with_too_little_privilege_is_told_of(asa: SimulatedAsa) -> None:
    asa.type_lines(["username low password secret privilege 5"])
    with pytest.raises(faults.Forbidden, match="privilege 15"):
        await with_driver(
            asa, lambda driver: driver.read_groups("T"), username="low", password=_secret("secret")
        )


# -- answers that are none ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        ("200-html", faults.InterfaceAbsent, "answered with a web page.*`http server enable`"),
        ("404-html", faults.InterfaceAbsent, "answered with a web page.*`http server enable`"),
        ("200-empty", faults.Overloaded, "ended too early"),
        ("half-body", faults.Overloaded, "ended too early"),
        ("cut-body", faults.Overloaded, "connection was lost"),
        ("reset-before", faults.Overloaded, "connection was lost"),
        ("garbled", faults.Overloaded, "ended too early"),
        ("endless", faults.Overloaded, "exceeds"),
        ("500", faults.Overloaded, "returned 500"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_groups_are_never_read_from_an_answer_that_is_none(
    asa: SimulatedAsa, kind: str, fault: type[DeviceFault], words: str
) -> None:
    await with_driver(asa, lambda driver: push(driver, STEPS))
    asa.agent.faults.arm(kind, only="GET /admin/exec/show running-config object-group")
    with pytest.raises(fault, match=words):
        await with_driver(asa, lambda driver: driver.read_groups("T"), bounds=_small())
    assert len(await with_driver(asa, lambda driver: driver.read_groups("T"))) == 3


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        ("200-html", faults.InterfaceAbsent, "answered with a web page"),
        ("200-empty", faults.Overloaded, "ended too early"),
        ("half-body", faults.Overloaded, "cannot be read"),
        ("cut-body", faults.Overloaded, "connection was lost"),
        ("garbled", faults.Overloaded, "cannot be read"),
        ("endless", faults.Overloaded, "exceeds"),
        ("500-after", faults.Overloaded, "returned 500"),
        ("reset-after", faults.Overloaded, "connection was lost"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_nothing_is_believed_done_that_was_not_told_whole(
    asa: SimulatedAsa, kind: str, fault: type[DeviceFault], words: str
) -> None:
    asa.agent.faults.arm(kind, only="POST /admin/config")

    def work(driver: HttpDriver) -> Any:
        with pytest.raises(fault, match=words):
            driver.apply(STEPS[0])
        driver.apply(STEPS[0])  # the same again does no harm
        return driver.learnt

    learnt = await with_driver(asa, work, bounds=_small())
    assert len(asa.configuration.groups["T-Block-1"].members) == len(MEMBERS)
    assert learnt["plain"] is False


@pytest_twisted.ensureDeferred
async def test_a_post_that_the_device_gives_up_is_made_smaller(asa: SimulatedAsa) -> None:
    asa.set_switches({"http_line_seconds": 0.001, "http_timeout_seconds": 0.2})
    wanted = tuple(map(Cidr, hosts(300)))

    def work(driver: HttpDriver) -> Any:
        for _ in range(5):
            try:
                driver.apply(CreateGroup(group="T-Block-1", members=wanted))
                break
            except faults.Overloaded:
                assert driver.size.size < FIRST
        return driver.learnt

    learnt = await with_driver(asa, work)
    assert len(asa.configuration.groups["T-Block-1"].members) == len(wanted)
    assert learnt["post_lines"] < 302
    assert learnt["post_doubted"] == 302


@pytest_twisted.ensureDeferred
async def test_nothing_is_taken_away_once_a_restart_has_undone_what_was_added(
    asa: SimulatedAsa,
) -> None:
    old, new = (tuple(map(Cidr, hosts(count))) for count in (20, 40))
    asa.device.started_at -= 86_400.0

    def work(driver: HttpDriver) -> Any:
        driver.probe()
        push(driver, [CreateGroup(group="T-Block-1", members=old)])
        driver.save()
        push(driver, [AddMembers(group="T-Block-1", members=new[20:])])
        blockingCallFromThread(reactor, asa.reload)
        with pytest.raises(faults.Overloaded, match="it restarted during the push"):
            driver.apply(RemoveMembers(group="T-Block-1", members=old))
        assert len(asa.configuration.groups["T-Block-1"].members) == len(old)
        driver.apply(RemoveMembers(group="T-Block-1", members=old[:5]))  # it runs since then

    await with_driver(asa, work)
    assert len(asa.configuration.groups["T-Block-1"].members) == len(old) - 5


@pytest_twisted.ensureDeferred
async def test_saved_is_what_says_ok(asa: SimulatedAsa) -> None:
    asa.agent.faults.arm("200-empty", only="POST /admin/config")
    with pytest.raises(faults.SaveFailed):
        await with_driver(asa, lambda driver: driver.save())


@pytest_twisted.ensureDeferred
async def test_the_configuration_is_condensed_and_its_size_is_told(asa: SimulatedAsa) -> None:
    await with_driver(asa, lambda driver: push(driver, STEPS))
    found = await with_driver(asa, lambda driver: driver.running_config("T"))
    assert found.size == pytest.approx(len(asa.device.running_config()), rel=0.1)
    assert "network-object" not in found.text


def _secret(text: str) -> Any:
    from tscm.base.secrets import Secret

    return Secret(text)


def _small() -> Any:
    from attrs import evolve

    return evolve(SHORT, configuration_bytes=4 << 20, answer_bytes=1 << 20)
