"""
The driver on the simulated firewall's command line: it writes what was asked for, or says why not, and never elsewhere.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kinds.asa.ssh.command_line import Box, Script, echoing, hosts, reactor
from tscm.errors import DeviceFault
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
from tscm.kinds.asa.ssh.window import FIRST, LARGEST, SMALLEST, Window
from tscm.kinds.faults import Forbidden, Overloaded, Refused, SaveFailed, Unauthorised
from tscm.model import Cidr
from tscm.simulator.service import AsaOptions, SimulatedAsa

MEMBERS = tuple(
    map(
        Cidr, ["192.0.2.1/32", "198.51.100.0/24", "2001:db8::1/128", "2001:db8:1::/48", "0.0.0.0/0"]
    )
)

SUBMODE = "(config-network-object-group)"


def created(count: int = 300) -> list[Step]:
    return [
        CreateGroup(group="T-Block-1", members=tuple(map(Cidr, hosts(count))), description="mark"),
        CreateGroup(group="T-Block", children=("T-Block-1",), description="mark"),
    ]


def push(driver: Any, steps: list[Step]) -> None:
    for portion in driver.portions(steps):
        driver.apply_all(portion)


def test_each_step_is_seen_when_the_groups_are_read() -> None:
    box = Box.of("object-group service other tcp", "port-object eq 80")
    driver = box.driver()
    assert driver.read_groups("T") == {}
    push(
        driver,
        [
            CreateGroup(group="T-Block-1", members=MEMBERS, description="a b"),
            CreateGroup(group="T-Block-2", members=MEMBERS[:1]),
            CreateGroup(group="T-Block", children=("T-Block-1",)),
            AttachChildren(group="T-Block", children=("T-Block-2",)),
            DetachChild(group="T-Block", child="T-Block-2"),
            AddMembers(group="T-Block-2", members=MEMBERS[1:]),
            RemoveMembers(group="T-Block-2", members=MEMBERS[:2]),
            Describe(group="T-Block-1", description=""),
            Describe(group="T-Block", description="managed by tscm s/e"),
            CreateGroup(group="T-Block-3", members=MEMBERS[:1]),
            DeleteGroup(group="T-Block-3"),
            DeleteGroup(group="T-Block-9"),
        ],
    )
    found = driver.read_groups("T")
    assert set(found) == {"T-Block", "T-Block-1", "T-Block-2"}
    assert set(found["T-Block-1"].members) == set(MEMBERS)
    assert found["T-Block-1"].description == ""
    assert set(found["T-Block-2"].members) == set(MEMBERS[2:])
    assert found["T-Block"].children == ("T-Block-1",)
    assert found["T-Block"].description == "managed by tscm s/e"
    driver.close()
    assert box.sessions[0].transport.disconnecting  # logged out
    assert not box.clock.getDelayedCalls()


@pytest.mark.parametrize("unasked", ["nothing", "syslog", "reporting"])
def test_windows_grow_and_what_is_printed_between_the_lines_does_no_harm(unasked: str) -> None:
    box = Box.of("banner motd * ciscoasa# is watched >", ssh_unasked=unasked)
    driver = box.driver()
    push(driver, created(1500))
    assert [len(group.members) for group in driver.read_groups("T").values()] == [1500, 0]
    assert driver.window.size == LARGEST
    assert driver.learnt["window"] == LARGEST


def test_a_page_that_cannot_be_turned_off_is_turned() -> None:
    box = Box.of("pager lines 5")
    driver = box.driver()
    push(driver, created(100))
    session = box.sessions[0].shell._terminal._session
    session.pager = 5
    assert len(driver.read_groups("T")["T-Block-1"].members) == 100


@pytest.mark.parametrize("shape", ["plain", "warning"])
def test_members_that_are_there_or_gone_are_as_they_should_be(shape: str) -> None:
    box = Box.of(duplicate_message=shape)
    driver = box.driver()
    push(driver, [CreateGroup(group="T-Block-1", members=MEMBERS)])
    driver.apply(AddMembers(group="T-Block-1", members=MEMBERS[:2]))
    driver.apply(RemoveMembers(group="T-Block-1", members=MEMBERS[:2]))
    driver.apply(RemoveMembers(group="T-Block-1", members=MEMBERS[:2]))
    assert set(driver.read_groups("T")["T-Block-1"].members) == set(MEMBERS[2:])


def test_members_of_a_group_that_is_refused_go_nowhere() -> None:
    box = Box.of("object-group service T-Block-2 tcp", "port-object eq 80")
    driver = box.driver()
    steps = [
        CreateGroup(group="T-Block-1", members=MEMBERS[:1]),
        CreateGroup(group="T-Block-2", members=MEMBERS[1:]),
        CreateGroup(group="T-Block-3", members=MEMBERS[1:]),
    ]
    with pytest.raises(Refused, match="object-group network T-Block-2"):
        driver.apply_all(steps)
    assert box.members("T-Block-1") == ["network-object host 192.0.2.1"]
    assert "T-Block-3" not in box.asa.configuration.groups
    driver.apply(CreateGroup(group="T-Block-3", members=MEMBERS[:1]))
    assert len(box.sessions) == 1  # it was left at the top


def test_a_group_in_use_is_refused_by_name() -> None:
    box = Box.of()
    driver = box.driver()
    push(driver, created(3))
    with pytest.raises(
        LineRefused, match=r"no object-group network T-Block-1.*being used"
    ) as caught:
        driver.apply(DeleteGroup(group="T-Block-1"))
    assert not caught.value.may_be_size


def test_a_standby_unit_is_a_hard_stop() -> None:
    box = Box.of()
    pair = box.asa.make_pair()
    box.asa.device = pair.standby
    driver = box.driver()
    with pytest.raises(UnitOnStandby):
        push(driver, created(500))
    held = pair.standby.configuration.groups.get("T-Block-1")
    assert held is None or len(held.members) <= FIRST


def test_what_is_written_while_the_mate_takes_the_configuration_may_be_lost() -> None:
    driver = Box.of(ssh_unasked="replication").driver()
    with pytest.raises(Replicating):
        push(driver, created(50))


def test_a_device_that_compiles_access_lists_for_minutes_is_waited_for() -> None:
    box = Box.of(
        *("object-group network T-Block-1", "network-object host 192.0.2.1"),
        "access-list a extended deny ip object-group T-Block-1 any",
        ssh_recompile_seconds=100,
    )
    driver = box.driver()
    driver.apply(AddMembers(group="T-Block-1", members=tuple(map(Cidr, hosts(45)))))
    assert len(box.members("T-Block-1")) == 46
    assert driver.window.ceiling == LARGEST


def test_lines_that_get_lost_shrink_the_window_and_a_new_look_puts_all_right() -> None:
    box = Box.of(ssh_line_seconds=0.01, ssh_ahead_bytes=400)
    driver = box.driver()
    wanted = set(map(Cidr, hosts(200)))
    for _ in range(20):
        present = driver.read_groups("T")
        held = set(present["T-Block-1"].members) if present else set[Cidr]()
        if held == wanted:
            break
        try:
            if held - wanted:
                driver.apply(RemoveMembers(group="T-Block-1", members=tuple(sorted(held - wanted))))
            driver.apply(AddMembers(group="T-Block-1", members=tuple(sorted(wanted - held))))
        except Refused:
            assert SMALLEST <= driver.window.size < FIRST
    assert set(driver.read_groups("T")["T-Block-1"].members) == wanted
    assert driver.learnt["ceiling"] < LARGEST


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(40, 1400))
def test_a_session_that_is_cut_at_any_byte_leaves_no_member_in_another_group(cut: int) -> None:
    box = Box.of(ssh_cut_after_bytes=cut)
    driver = box.driver()
    block, allow = tuple(map(Cidr, hosts(20))), tuple(map(Cidr, hosts(20, 500)))
    steps: list[Step] = [
        CreateGroup(group="T-Block-1", members=block),
        CreateGroup(group="T-Allow-1", members=allow),
    ]
    try:
        driver.apply_all(steps)
    except Overloaded:
        box.asa.set_switches({"ssh_cut_after_bytes": 0})
        for step in steps:  # what is there already does no harm
            driver.apply(step)
    else:
        box.asa.set_switches({"ssh_cut_after_bytes": 0})
    found = driver.read_groups("T")
    assert set(found["T-Block-1"].members) <= set(block) | {Cidr("10.0.0.0/32")}
    assert set(block) <= set(found["T-Block-1"].members)
    assert set(found["T-Allow-1"].members) == set(allow)


# -- logging in --------------------------------------------------------------------


def test_a_wrong_enable_password_is_given_once() -> None:
    box = Box.of()
    driver = box.driver(enable="wrong")
    with pytest.raises(Unauthorised, match="`enable` was refused"):
        driver.probe()
    assert box.sessions[0].closed


def test_a_login_that_lands_in_privileged_mode_needs_no_enable() -> None:
    box = Box.of()
    box.auto_enable = True
    assert box.driver(enable="wrong").probe().version is not None


def test_a_context_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceFault, match="did not change to context CTX"):
        Box.of().driver(context="CTX").probe()


def test_the_context_is_entered_and_its_prompt_is_known() -> None:
    box = Script(
        echoing(
            {
                "changeto": "\rfw1/CTX# ",
                "show version": "Cisco Adaptive Security Appliance Software Version 9.12(4)\r\nfw1/CTX# ",
            }
        ),
        begin="\r\nfw1# ",
    )
    assert box.driver(context="CTX").probe().version == "9.12(4)"
    assert "changeto context CTX" in box.typed


def test_an_account_that_may_not_configure_is_told_of() -> None:
    box = Script(
        echoing({"configure": "Command authorization failed\r\n\rfw1# "}), begin="\r\nfw1# "
    )
    driver = box.driver()
    with pytest.raises(Forbidden, match="privilege 15"):
        driver.apply(DeleteGroup(group="T-Block-1"))
    assert "no object-group network T-Block-1" not in box.typed


def test_both_commands_turn_pages_off() -> None:
    box = Script(
        echoing({"terminal pager 0": "Command authorization failed\r\nfw1# "}), begin="fw1# "
    )
    with pytest.raises(Overloaded, match="show version"):
        box.driver().probe()
    assert box.typed.index("terminal pager 0") < box.typed.index("no terminal pager")


def test_a_device_without_a_prompt_is_given_up() -> None:
    box = Script(lambda _: "", begin="Welcome to something else\r\n")
    with pytest.raises(Overloaded, match="no prompt"):
        box.driver().probe()
    assert box.typed == ["closed"]


def test_a_device_that_prints_for_ever_is_given_up() -> None:
    def answer(line: str) -> str:
        return f"{line}\r\nfw1# " if not line.startswith("show run") else "x" * 20_000

    box = Script(answer, begin="fw1# ")
    with pytest.raises(Overloaded, match="a line of more than"):
        box.driver().read_groups("T")
    assert box.typed[-1] == "closed"


def test_an_answer_with_more_lines_than_any_command_has_is_given_up() -> None:
    box = Script(echoing({"show version": "x\r\n" * 30_000 + "fw1# "}), begin="fw1# ")
    with pytest.raises(Overloaded, match="more than 20,000 lines"):
        box.driver().probe()
    assert box.typed[-1] == "closed"


def test_silence_ends_after_its_time() -> None:
    def answer(line: str) -> str:
        return f"{line}\r\nfw1# " if not line.startswith("show version") else f"{line}\r\n"

    box = Script(answer, begin="fw1# ")
    with pytest.raises(Overloaded, match="stopped responding"):
        box.driver().probe()
    assert box.seconds >= 300


def test_that_there_are_no_groups_is_asked_twice_and_an_error_is_no_answer() -> None:
    box = Script(echoing({}), begin="fw1# ")
    assert box.driver().read_groups("T") == {}
    assert box.typed.count("show running-config object-group") == 2
    box = Script(
        echoing({"show run": "ERROR: % Invalid input detected at '^' marker.\r\nfw1# "}),
        begin="fw1# ",
    )
    with pytest.raises(Overloaded, match="context"):
        box.driver().read_groups("T")


def test_saved_is_what_says_ok() -> None:
    Box.of().driver().save()
    box = Script(echoing({"write": "%Error opening disk0:/x (No space)\r\nfw1# "}), begin="fw1# ")
    with pytest.raises(SaveFailed, match="No space"):
        box.driver().save()


# -- the window -------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(1, LARGEST)), max_size=40))
def test_a_window_stays_within_its_bounds_and_never_tries_what_was_trouble(
    history: list[tuple[bool, int]],
) -> None:
    window = Window()
    troubles = [LARGEST + 1]
    for good, lines in history:
        sent = min(lines, window.size)
        if good:
            window.went_well(sent)
        else:
            window.was_trouble(sent)
            troubles.append(max(sent, SMALLEST + 1))
        assert SMALLEST <= window.size <= LARGEST
        assert window.size < min(troubles)


@pytest.mark.parametrize(
    "prompt", ["hostname", "hostname context", "hostname context priority state"]
)
def test_groups_are_those_of_the_context_that_is_set(prompt: str) -> None:
    options = AsaOptions(password="secret", contexts=("CUST1",))
    box = Box(SimulatedAsa(reactor, options))
    box.asa.type_lines([f"prompt {prompt}"])
    driver = box.driver(context="CUST1")
    push(driver, created(60))
    driver.save()
    assert set(driver.read_groups("T")) == {"T-Block", "T-Block-1"}
    spaces = box.asa.device.spaces
    assert not spaces["admin"].configuration.groups
    assert len(spaces["CUST1"].configuration.groups["T-Block-1"].members) == 60
    assert not spaces["CUST1"].unsaved


def test_a_context_that_does_not_exist_is_told_with_the_remedy() -> None:
    options = AsaOptions(password="secret", contexts=("CUST1",))
    for asa in (
        SimulatedAsa(reactor, options),
        SimulatedAsa(reactor, AsaOptions(password="secret")),
    ):
        box = Box(asa)
        with pytest.raises(DeviceFault, match="did not change to context CUST9") as caught:
            box.driver(context="CUST9").probe()
        assert "`show context`" in str(caught.value)


def test_a_mode_that_is_refused_says_nothing_of_the_group_that_was_to_go() -> None:
    said = "ERROR: % Invalid input detected at '^' marker.\r\n\rfw1# "
    script = Script(echoing({"configure terminal": said}), begin="fw1# ")
    driver = script.driver()
    with pytest.raises(Overloaded, match="`configure terminal` was refused"):
        driver.apply(DeleteGroup(group="T-Block-3"))
    assert not any("no object-group" in line for line in script.typed)


def test_what_the_device_warns_of_is_kept_once_and_refuses_nothing() -> None:
    modes = {"configure terminal": "fw1(config)# ", "object-group": f"fw1{SUBMODE}# "}
    modes |= {
        "network-object": f"WARNING: it takes long\r\n\rfw1{SUBMODE}# ",
        "exit": "fw1(config)# ",
    }
    script = Script(echoing({one: f"\r{text}" for one, text in modes.items()}), begin="fw1# ")
    driver = script.driver()
    driver.apply(AddMembers(group="T-Block-1", members=MEMBERS))
    assert driver.told == ("WARNING: it takes long",)
