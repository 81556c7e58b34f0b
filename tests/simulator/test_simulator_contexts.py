"""
A firewall in multiple context mode: where a session lands, where it can go, and what it finds there.
"""

from typing import Any

import pytest
from twisted.internet import reactor as global_reactor

from tests.simulator.test_simulator_terminal import type_in
from tscm.plugins.simulator import Options, read_options
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.terminal import Terminal

reactor: Any = global_reactor
GROUP = ("configure terminal", "object-group network G", "network-object host 192.0.2.9", "end")


def firewall() -> SimulatedAsa:
    return SimulatedAsa(reactor, AsaOptions(password="secret", contexts=("CUST1", "CUST2")))


def test_a_session_lands_in_the_admin_context_and_each_has_its_own_groups() -> None:
    asa = firewall()
    terminal = Terminal(asa.device, "admin", auto_enable=True)
    assert terminal.begin().endswith("ciscoasa/admin# ")
    assert "mode: multiple" in type_in(terminal, "show mode")
    assert type_in(terminal, "changeto context CUST1").endswith("ciscoasa/CUST1# ")
    assert type_in(terminal, *GROUP[:2]).endswith("ciscoasa/CUST1(config-network-object-group)# ")
    type_in(terminal, *GROUP[2:], "write memory")
    spaces = asa.device.spaces
    assert [name for name, one in spaces.items() if one.configuration.groups] == ["CUST1"]
    assert not spaces["CUST1"].unsaved
    assert type_in(terminal, "changeto context admin").endswith("ciscoasa/admin# ")
    assert "object-group network G" not in type_in(terminal, "show running-config object-group")


def test_the_system_space_knows_the_contexts_and_no_groups() -> None:
    terminal = Terminal(firewall().device, "admin", auto_enable=True)
    assert type_in(terminal, "changeto system").endswith("ciscoasa# ")
    assert "Total active Security Contexts: 3" in type_in(terminal, "show context")
    assert "context CUST2\r\n" in type_in(terminal, "show running-config")
    assert "% Invalid input" in type_in(terminal, "show running-config object-group")
    type_in(terminal, "configure terminal")
    assert "% Invalid input" in type_in(terminal, "object-group network G")


@pytest.mark.parametrize("name", ["GLOBAL", "system", "cust1"])
def test_a_context_that_does_not_exist_leads_nowhere(name: str) -> None:
    terminal = Terminal(firewall().device, "admin", auto_enable=True)
    said = type_in(terminal, f"changeto context {name}")
    assert f"ERROR: '{name}' is not valid\r\n" in said
    assert said.endswith("ciscoasa/admin# ")


def test_contexts_of_a_pair_replicate_and_change_their_roles_together() -> None:
    asa = firewall()
    asa.type_lines(["prompt hostname context priority state"])
    asa.make_pair()
    asa.type_lines(GROUP, context="CUST1")
    terminal = Terminal(asa.device, "admin", auto_enable=True)
    assert type_in(terminal, "changeto context CUST1").endswith("ciscoasa/CUST1/pri/act# ")
    asa.fail_over()
    assert "G" in asa.device.spaces["CUST1"].configuration.groups
    assert type_in(terminal, "").endswith("ciscoasa/CUST1/pri/stby# ")
    said = type_in(terminal, "configure terminal", "object-group network H")
    assert "NOT performed from Standby" in said


def test_a_reload_keeps_what_each_context_has_saved() -> None:
    asa = firewall()
    asa.type_lines([*GROUP, "write memory"], context="CUST1")
    asa.type_lines(GROUP, context="CUST2")
    asa.reload()
    asa._end_start()
    assert "G" in asa.device.spaces["CUST1"].configuration.groups
    assert "G" not in asa.device.spaces["CUST2"].configuration.groups


def test_the_contexts_are_named_on_the_command_line(tmp_path: Any) -> None:
    (tmp_path / "password").write_text("secret\n")
    options = Options()
    words = ["--password-file", str(tmp_path / "password"), "--contexts"]
    options.parseOptions([*words, "A,B"])
    assert read_options(options).contexts == ("A", "B")
    with pytest.raises(Exception, match="not a context name"):
        Options().parseOptions([*words, "A,system"])
