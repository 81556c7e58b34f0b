"""
How commands may be shortened, which are ambiguous, and which belong to another system.
"""

import pytest

from tests.simulator.test_simulator_terminal import enabled, session, type_in
from tscm.simulator.cli import MAX_LINE, Console
from tscm.simulator.commands import mode_of
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.grammar import resolve, table
from tscm.simulator.loading import load
from tscm.simulator.refusal import Refused

INVALID = "ERROR: % Invalid input detected at '^' marker."


@pytest.fixture
def console() -> Console:
    device = Device()
    load(device, "\n".join(FACTORY_LINES), 0.0)
    assert device.load_errors == []
    return Console.of(device)


@pytest.mark.parametrize(
    ("level", "typed", "whole"),
    [
        ("exec", "conf t", "configure terminal"),
        ("exec", "config term", "configure terminal"),
        ("exec", "wr", "write"),
        ("exec", "wr mem", "write memory"),
        ("exec", "wri m", "write memory"),
        ("exec", "sh ver", "show version"),
        ("exec", "sh run access-l", "show running-config access-list"),
        ("exec", "sh run user", "show running-config username"),
        ("exec", "sh run logg", "show running-config logging"),
        ("exec", "sh acc", "show access-list"),
        ("exec", "term pag 0", "terminal pager 0"),
        ("exec", "terminal pager lines 0", "terminal pager lines 0"),
        ("exec", "packet in inside tcp", "packet-tracer in inside tcp"),
        ("exec", "pi 10.0.0.1", "ping 10.0.0.1"),
        ("exec", "dis", "disable"),
        ("config", "log enable", "logging enable"),  # `login` and `logout` are not of this mode
        ("config", "logg ho inside 192.0.2.9", "logging host inside 192.0.2.9"),
        ("config", "loggi ti", "logging timestamp"),
        ("config", "int gi0/1", "interface gi0/1"),
        ("config", "access-g a in int outside", "access-group a in interface outside"),
        ("config", "access-l a ext per ip any any", "access-list a extended permit ip any any"),
        ("config", "object-group net G", "object-group network G"),
        ("config", "obj net N", ""),
        ("config", "object net N", "object network N"),
        ("config", "sh run", "show running-config"),
        ("config", "user joe pass x priv 15", "username joe password x priv 15"),
        ("config", "host fw", "hostname fw"),
        ("user", "en", "enable"),
        ("user", "sh ver", "show version"),
    ],
)
def test_a_unique_beginning_stands_for_the_word(level: str, typed: str, whole: str) -> None:
    if not whole:
        with pytest.raises(Refused, match="Ambiguous"):
            resolve(typed.split(), mode_of(level))
        return
    assert " ".join(resolve(typed.split(), mode_of(level)).words) == whole


@pytest.mark.parametrize(
    ("level", "typed"),
    [
        ("exec", "s"),
        ("exec", "c"),
        ("exec", "sh c"),
        ("exec", "sh run o"),
        ("config", "acc a extended permit ip any any"),
        ("config", "object-g network G"),
        ("config", "logg f 20"),
        ("config", "no logg h"),
        ("user", "e"),
    ],
)
def test_a_beginning_of_several_is_ambiguous(console: Console, level: str, typed: str) -> None:
    console.session.level = level
    before = console.device.running_config()
    assert console.run(typed, 0) == f'ERROR: % Ambiguous command:  "{typed}"\n'
    assert console.device.running_config() == before


def test_a_name_is_never_taken_for_a_keyword(console: Console) -> None:
    assert console.run("access-list de extended permit ip any any", 0) == ""
    assert "de" in console.device.configuration.access_lists
    assert console.run("object-group network net", 0) == ""
    assert console.run("group-object x", 0).startswith("ERROR: specified object group <x>")


def test_in_a_sub_mode_its_own_words_come_first_and_others_leave_it(console: Console) -> None:
    for line in ("object-g", "object-group network G", "des ours", "net ho 192.0.2.1"):
        console.run(line, 0)
    assert console.submode == "-network-object-group"
    assert console.run("sh run object-group id G", 0) == (
        "object-group network G\n description ours\n network-object host 192.0.2.1\n"
    )
    assert console.submode == "-network-object-group"
    assert INVALID in console.run("frobnicate", 0)
    assert console.submode == "-network-object-group"  # what is refused leaves nothing
    assert console.run("no net ho 192.0.2.1", 0) == ""
    assert console.run("hostname other", 0) == ""
    assert console.submode == ""


IOS = [
    "ip access-list extended X",
    "ip route 0.0.0.0 0.0.0.0 192.0.2.1",
    "ip domain-name example.org",
    "ip http server",
    "access-list 101 allow ip any any",
    "aaa new-model",
    "line vty 0 4",
    "router ospf 1",
    "service password-encryption",
    "enable secret x",
    "username joe privilege 15 secret x",
    "username joe password 0 x",
    "username joe password 7 070C285F",
    "snmp-server community public RO",
    "snmp-server host 192.0.2.9 version 2c public",
    "snmp-server ifindex persist",
    "ntp source Loopback0",
    "class-map match-any X",
    "interface FastEthernet0/1",
    "interface Loopback0",
    "interface range gi0/1 - 2",
    "interface Vlan1",
    "hostname#show ip int brief",
    "show ip int brief",
    "show ip access-lists",
    "show access-lists",
    "show ip interface brief",
    "show interfaces",
    "do show running-config",
    "logging 192.0.2.9",
    "logging host 192.0.2.9",
    "logging source-interface Vlan1",
    "no ip domain-lookup",
    "spanning-tree mode rapid-pvst",
    "vlan 10",
]


@pytest.mark.parametrize("line", IOS)
def test_a_line_of_ios_is_refused_with_a_caret_and_changes_nothing(
    console: Console, line: str
) -> None:
    before = console.device.running_config()
    printed = console.run(line, 0)
    assert printed.endswith(f"^\n{INVALID}\n"), printed
    assert console.device.running_config() == before


@pytest.mark.parametrize(
    "line",
    [
        "ip address 192.0.2.1 255.255.255.0 secondary",
        "ip access-group X in",
        "ip nat inside",
        "ip helper-address 192.0.2.1",
        "switchport mode access",
        "ip address 192.0.2.1/24",
        "ip address 192.0.2.1 0.0.0.255",
        "ip address 192.0.2.256 255.255.255.0",
        "security-level 101",
        "no ip redirects",
        "encapsulation dot1q 10",
    ],
)
def test_an_interface_line_that_an_asa_lacks_is_refused(console: Console, line: str) -> None:
    assert console.run("interface GigabitEthernet0/1", 0) == ""
    before = console.device.running_config()
    assert console.run(line, 0).endswith(f"^\n{INVALID}\n")
    assert console.device.running_config() == before
    assert console.submode == "-if"


def test_an_interface_line_takes_the_place_of_the_former_one(console: Console) -> None:
    for line in ("int g0/1", "ip add 192.0.2.1 255.255.255.0", "sh", "no nameif", "desc the lan"):
        console.run(line, 0)
    held = {one.hardware: one for one in console.device.interfaces()}["GigabitEthernet0/1"]
    assert (held.address, held.name, held.description) == ("192.0.2.1", "", "the lan")
    assert " no nameif" in held.lines
    console.run("nameif lan", 0)
    console.run("shutdown", 0)
    console.run("no ip address", 0)
    held = {one.hardware: one for one in console.device.interfaces()}["GigabitEthernet0/1"]
    assert (held.name, held.address, held.shutdown) == ("lan", "", True)
    assert " no nameif" not in held.lines


def test_the_caret_stands_under_the_word_at_fault() -> None:
    terminal = enabled()
    type_in(terminal, "conf t")
    typed = "access-group X in interfaze outside"
    echo, caret, sentence = type_in(terminal, typed).split("\r\n")[:3]
    assert echo == typed
    assert caret.index("^") == len("fw(config)# ") + typed.index("interfaze")
    assert sentence == INVALID
    device = terminal.device
    assert Console.of(device).run(f" {typed}", 0) == (
        f"\n {typed}\n{' ' * (1 + typed.index('interfaze'))}^\n{INVALID}\n"
    )


def test_end_leads_out_of_the_configuration_mode_alone() -> None:
    terminal = enabled()
    type_in(terminal, "conf t", "object-group network G", "end")
    assert terminal.prompt == "fw# "
    assert INVALID in type_in(terminal, "end")
    assert not terminal.closed


def test_what_a_user_without_rights_may_type() -> None:
    terminal = session()
    for line in ("conf t", "sh run", "terminal pager 0", "write", "copy run start", "show mode"):
        assert INVALID in type_in(terminal, line), line
    assert "P_UNPR" in type_in(terminal, "show curpriv")


def test_what_cannot_be_typed_does_not_get_in(console: Console) -> None:
    before = console.device.running_config()
    assert "longer than" in console.run("access-list X remark " + "x" * MAX_LINE, 0)
    assert console.device.running_config() == before
    console.run("banner motd one\nhostname two\x1b[2J\ud800", 0)
    assert "banner motd one hostname two [2J\n" in console.device.running_config()
    assert console.device.hostname == "ciscoasa"
    for name in ("<b>", "-fw", "fw-", "f\u00e9", "x" * 64):
        assert INVALID in console.run(f"hostname {name}", 0)
    for pattern in ("(a+)+$", "a*b*", "a+.*b", "(", "x" * 101):
        assert INVALID in console.run(f"show run | include {pattern}", 0)
    long = Console.of(console.device)
    for number in range(300):
        assert long.run(f"access-list X remark {number} {'x' * 900}", 0) == ""
    assert "too costly" in console.run("show run | include x*y", 0)
    assert console.run("show run | include x.*x.*x.*x.*x.*y.*z.*!", 0) == ""


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("inc ^hostname .*a$", "hostname ciscoasa\n"),
        ("i ^hostname", "hostname ciscoasa\n"),
        ("grep host.*asa", "hostname ciscoasa\nprompt hostname context\n"[:18]),
        ("include ^ftp|^hostname", "hostname ciscoasa\nftp mode passive\n"),
        ("include ^ho?stname", "hostname ciscoasa\n"),
        ("include ^rest-api a.*", "rest-api agent\n"),
        (r"include 10\.0\.0\.1 ", " ip address 10.0.0.1 255.255.255.0\n"),
    ],
)
def test_a_filter_lets_through_what_matches(console: Console, condition: str, shown: str) -> None:
    assert console.run(f"show running-config | {condition}", 0) == shown


def test_begin_and_exclude(console: Console) -> None:
    shown = console.run("show run | begin ^rest-api agent", 0)
    assert shown.startswith("rest-api agent\nCryptochecksum:")
    assert "rest-api" not in console.run("show run | exclude rest-api", 0)
    assert console.run("show run | grep -v .", 0) == console.run("show run | exc .", 0)


def test_a_table_is_read_as_it_says() -> None:
    root = table("""
        # a remark
        alpha one|two NAME
        alpha~a N
        beta ...
    """)
    assert sorted(root.words) == ["alpha", "beta"]
    assert root.candidates("a") == ["alpha"]
    assert sorted(root.words["alpha"].words) == ["one", "two"]
    assert root.words["alpha"].number is not None
    assert root.words["beta"].free
