"""
The command line as a terminal sees it.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.loading import load
from tscm.simulator.terminal import MAX_LINE, MORE, Terminal


def session(*lines: str, **changes: Any) -> Terminal:
    device = Device()
    load(device, "\n".join((*FACTORY_LINES, "hostname fw", *lines)), 0.0)
    device.accounts.add("admin", "secret")
    return Terminal(device, "admin", **changes)


def type_in(terminal: Terminal, *lines: str) -> str:
    return "".join(terminal.feed(f"{line}\r", 0.0) for line in lines)


def enabled(*lines: str) -> Terminal:
    terminal = session(*lines)
    type_in(terminal, "enable", "secret", "terminal pager 0")
    return terminal


def test_a_session_begins_with_the_banner_and_few_rights() -> None:
    terminal = session()
    assert terminal.begin() == "Type help or '?' for a list of available commands.\r\nfw> "
    assert "% Invalid input" in type_in(terminal, "configure terminal")
    assert "% Invalid input" in type_in(terminal, "show running-config")
    assert "Software Version" in type_in(terminal, "show version")


def test_enable_asks_for_a_password_that_is_not_echoed() -> None:
    terminal = session()
    assert type_in(terminal, "enable") == "enable\r\nPassword: "
    assert type_in(terminal, "wrong") == "\r\nInvalid password\r\nPassword: "
    assert type_in(terminal, "secret") == "\r\nfw# "
    assert type_in(terminal, "disable").endswith("fw> ")
    refused = type_in(terminal, "enable", "a", "b", "c")
    assert refused.endswith("Access denied.\r\nfw> ")


def test_auto_enable_begins_with_all_rights() -> None:
    assert session(auto_enable=True).prompt == "fw# "


def test_prompts_tell_the_mode() -> None:
    terminal = enabled()
    prompts = []
    for line in (
        "conf t", "object-group network G", "exit", "object network H", "host 192.0.2.1", "end",
    ):  # fmt: skip
        type_in(terminal, line)
        prompts.append(terminal.prompt)
    assert prompts == [
        "fw(config)# ",
        "fw(config-network-object-group)# ",
        "fw(config)# ",
        "fw(config-network-object)# ",
        "fw(config-network-object)# ",
        "fw# ",
    ]


def test_the_prompt_can_tell_state_and_priority() -> None:
    assert enabled("prompt hostname state priority").prompt == "fw/actNoFailover/pri# "


def test_what_is_typed_in_configuration_mode_is_an_outside_change_to_the_agent() -> None:
    terminal = enabled()
    assert "% Invalid input" in type_in(terminal, "no object-group network G")
    type_in(terminal, "conf t", "object-group network G", "network-object host 192.0.2.1")
    assert list(terminal.device.configuration.groups["G"].members) == [
        "network-object host 192.0.2.1"
    ]
    assert terminal.device.outside_changes == 2
    said = type_in(terminal, "network-object host 192.0.2.1")
    assert "object already exists" in said
    assert "ERROR" not in said
    assert terminal.device.outside_changes == 2


def test_long_output_waits_at_the_pager() -> None:
    terminal = enabled()
    type_in(terminal, "terminal pager 10")
    first = type_in(terminal, "show running-config")
    assert first.endswith(MORE)
    assert first.count("\r\n") == 11
    assert terminal.feed("\r", 0.0).count("\r\n") == 1
    assert terminal.feed(" ", 0.0).count("\r\n") == 10
    assert terminal.feed("q", 0.0).endswith("fw# ")
    type_in(terminal, "terminal pager 0")
    assert MORE not in type_in(terminal, "show running-config")


def test_a_line_over_the_width_is_echoed_with_a_dollar_and_read_whole() -> None:
    terminal = enabled()
    type_in(terminal, "conf t")
    line = "access-list A remark " + "x" * 100
    echoed = terminal.feed(line, 0.0)
    assert "$" in echoed
    assert "\b" in echoed
    terminal.feed("\r", 0.0)
    assert "x" * 100 in terminal.device.running_config()
    type_in(terminal, "terminal width 511")
    assert terminal.feed(line, 0.0) == line
    assert "terminal width 511\n" in terminal.device.running_config()  # it is saved, too


def test_the_screen_shows_the_end_of_a_long_line() -> None:
    terminal = enabled()
    screen, at = [" "] * 200, 0
    line = "".join(chr(97 + n % 26) for n in range(150))
    for key in terminal.feed(line, 0.0):
        if key == "\b":
            at -= 1
        else:
            screen[at] = key
            at += 1
    shown = "".join(screen[:at])
    assert shown.startswith("$")
    assert line.endswith(shown[1:])
    assert len(terminal.prompt) + at < 80


def test_a_session_ends_with_exit_or_logout() -> None:
    for word in ("exit", "logout", "quit"):
        terminal = enabled()
        type_in(terminal, "conf t", "exit")
        assert not terminal.closed
        assert "Logoff" in type_in(terminal, word)
        assert terminal.closed
        assert terminal.feed("show version\r", 0.0) == ""


def test_keys_that_rub_out_and_line_ends_of_any_kind() -> None:
    terminal = enabled()
    for end in ("\r", "\n", "\r\n"):
        assert "\r\nfw" in terminal.feed(f"show clokc\b\bck{end}", 0.0)
        assert terminal.prompt == "fw# "
    assert terminal.feed("\b", 0.0) == ""


def test_keys_that_send_several_characters_do_nothing() -> None:
    terminal = enabled()
    keys = "sh\x1b[A\x1bOBow\x1b[4~ \x1b[1;5Cclo\x1bxck\r"
    assert terminal.feed(keys, 0.0).startswith("show clock\r\n00:00:00.000 UTC Thu Jan 01 1970")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_no_key_is_a_surprise(keys: str) -> None:
    terminal = enabled()
    terminal.feed(keys, 0.0)
    assert len(terminal._typed) <= MAX_LINE


@pytest.mark.parametrize("lines", ["5", "0"])
def test_the_pager_begins_as_configured(lines: str) -> None:
    terminal = session(f"pager lines {lines}")
    assert (MORE in type_in(terminal, "show version")) == (lines == "5")
