"""
A running configuration, read for what the doctor wants to know.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.kinds.asa.access_lists import read_entry
from tscm.kinds.asa.running import Binding, Interface, LogHost, read_running

TEXT = """\
: Saved
ASA Version 9.15(1)1
hostname fw
interface GigabitEthernet0/0
 nameif outside
 security-level 0
 ip address 198.51.100.1 255.255.255.0 standby 198.51.100.2
!
interface GigabitEthernet0/1
 no nameif
 no security-level
!
interface Management0/0
 management-only
 nameif management
 security-level 100
 ip address dhcp
!
object-group service Web tcp
 port-object eq www
object-group network X-Block
 group-object X-Block-1
access-list acl remark extended permit ip any any
access-list acl extended deny ip any object-group X-Block log
access-list acl standard permit host 192.0.2.1
access-group acl in interface outside
access-group ctl in interface outside control-plane
access-group all global
logging enable
logging trap informational
logging host management 192.0.2.9 6/1470
logging host inside 192.0.2.10 17/1514 format emblem
logging host inside 192.0.2.11
logging host inside 192.0.2.12 tcp/6514 secure reference-identity x
logging permit-hostdown
no logging message 106023
username api password $sha512$5000$a$b pbkdf2 privilege 5
username ops password x encrypted
: end
"""


def test_what_concerns_us_is_read_and_the_rest_passed_over() -> None:
    found = read_running(TEXT)
    assert [one.line for one in found.using("X-Block")] == [
        "access-list acl extended deny ip any object-group X-Block log"
    ]
    assert found.bindings == (
        Binding(access_list="acl", way="in", interface="outside"),
        Binding(access_list="all", way="global"),
    )
    assert found.interfaces == (
        Interface(name="outside", level=0, address="198.51.100.1", mask="255.255.255.0"),
        Interface(name="management", level=100, management=True),
    )
    assert found.log_enabled
    assert found.permit_hostdown
    assert (found.trap, found.trap_list) == (6, None)
    assert found.log_hosts == (
        LogHost(interface="management", address="192.0.2.9", protocol="tcp", port=1470),
        LogHost(interface="inside", address="192.0.2.10", protocol="udp", port=1514),
        LogHost(interface="inside", address="192.0.2.11", protocol="udp", port=514),
        LogHost(interface="inside", address="192.0.2.12", protocol="tcp", port=6514, secure=True),
    )
    assert found.silenced == {"106023"}
    assert found.privileges == {"api": 5}


@pytest.mark.parametrize(
    ("rest", "source", "destination", "narrowed"),
    [
        ("ip any4 any", "any", "any", False),
        ("ip any object-group B log", "any", "object-group B", False),
        ("ip host 192.0.2.1 198.51.100.0 255.255.255.0", "host 192.0.2.1", None, False),
        ("tcp any object-group B eq https", "any", "object-group B", True),
        ("tcp any range 1 5 object-group B", "any", "object-group B", True),
        ("tcp any object-group Web object-group B", "any", "object-group B", True),
        ("object-group Web object-group B any", "object-group B", "any", True),
        ("ip user DOM\\me any object-group B", "any", "object-group B", True),
        ("ip security-group name S any any", "any", "any", True),
        ("ip object-group-security S any any", "any", "any", True),
        ("ip 2001:db8::/32 any6", "2001:db8::/32", "any6", False),
        ("ip interface outside any", "interface outside", "any", False),
    ],
)
def test_the_two_sides_of_an_entry(
    rest: str, source: str, destination: str | None, narrowed: bool
) -> None:
    entry = read_entry(f"access-list a line 3 extended deny {rest}", frozenset({"Web"}))
    assert entry is not None
    assert entry.source == source
    assert entry.destination == (destination or "198.51.100.0 255.255.255.0")
    assert entry.narrowed is narrowed


@pytest.mark.parametrize(
    ("tail", "level", "muted"),
    [
        ("", None, False),
        (" log", 6, False),
        (" log informational interval 600", 6, False),
        (" log debugging", 7, False),
        (" log 4", 4, False),
        (" log interval 60", 6, False),
        (" log disable", None, True),
        (" log default", None, False),
    ],
)
def test_how_an_entry_logs(tail: str, level: int | None, muted: bool) -> None:
    entry = read_entry(f"access-list a extended deny ip any any{tail} inactive")
    assert entry is not None
    assert (entry.level, entry.muted, entry.inactive) == (level, muted, True)


@pytest.mark.parametrize("word", ["8", "mylist"])
def test_a_message_list_is_no_level(word: str) -> None:
    found = read_running(f"logging trap {word}\n")
    assert (found.trap, found.trap_list) == (None, word)


WORDS = st.sampled_from(
    [
        "access-list",
        "access-group",
        "logging",
        "host",
        "trap",
        "interface",
        "object-group",
        "extended",
        "permit",
        "deny",
        "ip",
        "tcp",
        "any",
        "host",
        "log",
        "level",
        "disable",
        "line",
        "6",
        "6/x",
        "17/514",
        "global",
        "in",
        "eq",
        "range",
        "nameif",
        "time-range",
        "-",
        "x",
        "username",
        "privilege",
        "security-group",
        "user",
        "secure",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=12), st.text(max_size=80))
def test_nothing_that_a_configuration_holds_raises(lines: list[str], text: str) -> None:
    read_running("\n".join([*lines, text, *(f" {line}" for line in lines)]))
