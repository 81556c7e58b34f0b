"""
What a session does with itself: pager, mode, rights, `copy` and its questions, `shun`.
"""

import pytest

from tests.simulator.test_simulator_terminal import enabled, session, type_in
from tests.simulator.test_simulator_traffic import GOOD, POLICY
from tscm.simulator.cli import Console
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.loading import load
from tscm.simulator.shuns import MAX_SHUNS
from tscm.simulator.terminal import MORE
from tscm.simulator.traffic import Traffic

AT = 1508402444.291
MODIFIED = "Configuration last modified by "
UNMODIFIED = "Configuration has not been modified since last system restart.\n"


def firewall(*lines: str) -> Device:
    device = Device()
    load(device, "\n".join((*FACTORY_LINES, *lines)), 0.0)
    assert device.load_errors == []
    return device


@pytest.mark.parametrize("line", ["no terminal pager", "terminal pager 0", "term pager lines 0"])
def test_the_pager_is_the_sessions_own(line: str) -> None:
    terminal = enabled()
    type_in(terminal, "terminal pager 5")
    assert "pager lines 5\r\n" in type_in(terminal, "show pager")
    before = terminal.device.running_config()
    type_in(terminal, line)
    assert MORE not in type_in(terminal, "show running-config")
    assert "no pager" in type_in(terminal, "sh pager")
    assert terminal.device.running_config() == before


def test_a_session_says_what_it_is() -> None:
    terminal = session()
    assert "Current privilege level : 1\r\nCurrent Mode/s : P_UNPR\r\n" in (
        type_in(terminal, "show curpriv")
    )
    type_in(terminal, "enable", "secret")
    assert "Username : admin\r\nCurrent privilege level : 15\r\nCurrent Mode/s : P_PRIV\r\n" in (
        type_in(terminal, "show curpriv")
    )
    assert "Security context mode: single \r\n" in type_in(terminal, "show mode")
    assert "\r\nWidth = 80, no monitor\r\nterminal interactive\r\n" in (
        type_in(terminal, "show terminal")
    )
    type_in(terminal, "conf t")
    assert "P_PRIV P_CONF" in type_in(terminal, "show curpriv")
    type_in(terminal, "terminal width 511")
    assert "Width = 511" in type_in(terminal, "show terminal")


@pytest.mark.parametrize("line", ["changeto system", "changeto context admin"])
def test_with_one_context_there_is_none_to_change_to(line: str) -> None:
    assert "% Invalid input detected" in type_in(enabled(), line)


# -- copy ----------------------------------------------------------------------------------------


def test_copy_to_the_startup_configuration_asks_and_saves() -> None:
    terminal = enabled()
    type_in(terminal, "conf t", "hostname other", "end")
    assert terminal.device.unsaved
    asked = type_in(terminal, "copy running-config startup-config")
    assert asked.endswith("Source filename [running-config]? ")
    assert terminal.device.unsaved
    done = type_in(terminal, "")
    assert "bytes copied in" in done
    assert done.endswith("other# ")
    assert not terminal.device.unsaved


def test_copy_to_a_disk_asks_twice_and_once_more_over_a_file() -> None:
    terminal = enabled()
    line = "copy running-config flash:/pre-threatstop-config.backup"
    assert type_in(terminal, line, "").endswith(
        "Destination filename [pre-threatstop-config.backup]? "
    )
    assert "bytes copied in" in type_in(terminal, "")
    assert list(terminal.device.files) == ["pre-threatstop-config.backup"]
    assert type_in(terminal, line, "", "other").endswith("fw# ")
    assert list(terminal.device.files) == ["pre-threatstop-config.backup", "other"]
    assert type_in(terminal, line, "", "").endswith("Do you want to over write? [confirm]")
    assert "bytes copied" not in type_in(terminal, "n")
    assert "bytes copied" in type_in(terminal, line, "", "", "")
    assert "No such file" in type_in(terminal, line, "nothing", "")
    assert terminal.feed(f"{line}\r\x03", 0.0).endswith("fw# ")
    assert "bytes copied" not in type_in(terminal, "")


@pytest.mark.parametrize(
    "line",
    ["copy /noconfirm run start", "copy /noconfirm running-config startup-config"],
)
def test_noconfirm_asks_nothing(line: str) -> None:
    terminal = enabled()
    type_in(terminal, "conf t", "hostname other")
    assert "bytes copied" in type_in(terminal, line)
    assert not terminal.device.unsaved


def test_a_copy_that_nobody_types_asks_nothing_and_a_wrong_one_is_refused() -> None:
    console = Console.of(firewall())
    assert "bytes copied" in console.run("copy run start", 0)
    assert "bytes copied" in console.run("copy startup-config disk0:/a.cfg", 0)
    for line, words in (
        ("copy", "% Incomplete command"),
        ("copy running-config", "% Incomplete command"),
        ("copy running-config running-config", "% Invalid input"),
        ("copy nonsense startup-config", "% Invalid input"),
        ("copy running-config tftp://192.0.2.1/a", "% Invalid input"),
        ("copy running-config startup-config now", "% Invalid input"),
        ("copy /noconfirm running-config flash:", "%Error writing"),
        ("copy /noconfirm running-config flash:/" + "x" * 64, "%Error writing"),
    ):
        assert words in console.run(line, 0), line
    for number in range(100):
        printed = console.run(f"copy running-config flash:/{number}", 0)
    assert "No space left" in printed
    assert len(console.device.files) == 64


# -- the line about changes ----------------------------------------------------------------------


def test_whether_the_configuration_was_modified_follows_the_truth() -> None:
    device = firewall()
    console = Console.of(device, "joe")
    assert console.run("show version", AT).endswith(UNMODIFIED)
    for line in ("frobnicate", "show running-config", "write memory", "object-group network", "wr"):
        console.run(line, AT)
        assert console.run("show version", AT).endswith(UNMODIFIED), line
    console.run("hostname other", AT)
    told = f"{MODIFIED}joe at 08:40:44.291 UTC Thu Oct 19 2017\n"
    assert console.run("show version", AT + 60).endswith(told)
    console.run("write memory", AT + 60)  # which saves a change and is none
    assert console.run("show version", AT + 60).endswith(told)
    load(device, device.startup, AT)
    assert console.run("show version", AT).endswith(UNMODIFIED)


# -- shun ----------------------------------------------------------------------------------------


def test_a_shunned_address_is_dropped_until_it_is_let_in_again() -> None:
    device = firewall(*POLICY)
    console, traffic = Console.of(device), Traffic(device)
    assert console.run(f"shun {GOOD.source}", 0) == (
        f"Shun {GOOD.source} added in context: single_vf\nShun {GOOD.source} successful\n"
    )
    outcome = traffic.run([GOOD], 0.0)
    assert (outcome.permitted, outcome.denied) == (0, 1)
    assert [(one.id, one.level) for one in outcome.messages] == [("401004", 4)]
    assert outcome.messages[0].text == (
        f"Shunned packet: {GOOD.source} ==> {GOOD.destination} on interface outside"
    )
    assert console.run("show shun", 0) == f"shun (outside) {GOOD.source} 0.0.0.0 0 0 0\n"
    assert GOOD.source not in device.running_config()
    assert console.run(f"no shun {GOOD.source}", 0) == ""
    assert traffic.run([GOOD], 0.0).permitted == 1
    assert console.run("show shun", 0) == ""
    assert [one.id for one in device.outbox] == ["401002", "401003"]


def test_a_shun_takes_a_whole_flow_and_refuses_what_is_none() -> None:
    device = firewall()
    console = Console.of(device)
    console.run("shun 10.1.1.27 10.2.2.89 555 666 tcp", 0)
    assert console.run("show shun 10.1.1.27", 0) == (
        "shun (outside) 10.1.1.27 10.2.2.89 555 666 6\n"
    )
    assert "Shun 10.1.1.27 cnt=" in console.run("sh shun stat", 0)
    for line, words in (
        ("shun", "% Incomplete command"),
        ("shun 10.1.1.27 10.2.2.89", "% Incomplete command"),
        ("shun siem.example", "% Invalid input"),
        ("shun 10.1.1.27 10.2.2.89 555 99999", "% Invalid input"),
        ("no shun", "% Incomplete command"),
        ("show shun nobody", "% Invalid input"),
    ):
        assert words in console.run(line, 0), line
    assert "successful" in console.run("shun 2001:db8::1", 0)
    console.run("clear shun", 0)
    assert device.shuns == {}
    for number in range(MAX_SHUNS):
        device.shuns[f"10.{number >> 8}.{number & 255}.1"] = ("0.0.0.0", "0", "0", "0")
    assert "no more than" in console.run("shun 192.0.2.1", 0)
