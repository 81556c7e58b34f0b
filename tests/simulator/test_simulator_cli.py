"""
The command line: what it prints, and that a wrong line changes nothing.
"""

import pytest

from tscm.simulator.cli import Console
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.loading import load


@pytest.fixture
def console() -> Console:
    device = Device()
    load(device, "\n".join(FACTORY_LINES), 0.0)
    assert device.load_errors == []
    return Console.of(device)


def typed(console: Console, *lines: str) -> list[str]:
    return [console.run(line, 1000.0) for line in lines]


def test_configuration_lines_print_nothing(console: Console) -> None:
    printed = typed(
        console,
        "object-group network G",
        " description ours",
        " network-object host 192.0.2.1",
        "access-list X extended deny ip object-group G any log",
        "access-group X global",
        "logging host management 192.0.2.9 tcp/1470",
        "logging permit-hostdown",
        "no logging timestamp",
    )
    assert printed == [""] * 8


WRONG = [
    ("frobnicate", "% Invalid input detected at '^' marker."),
    ("object-group network", "% Incomplete command"),
    ("access-list X extended deny ip object-group NONE any", "object group <NONE> not found"),
    ("access-list X extended deny ip any", "% Incomplete command"),
    ("access-list X extended refuse ip any any", "% Invalid input"),
    ("access-group NONE global", "does not exist"),
    ("no object-group network NONE", "failed; it does not exist"),
    ("no access-list X extended deny ip any any", "does not exist"),
    ("show nothing", "% Invalid input"),
    ("show", "% Incomplete command"),
    ("packet-tracer input outside tcp 192.0.2.1 x 10.0.0.1 80", "% Invalid input"),
    ("username u privilege 15", "% Incomplete command"),
    ("object-group network a/b", "not valid"),
    ("object-group network " + "x" * 65, "not valid"),
]


def test_a_wrong_line_prints_its_error_and_changes_nothing(console: Console) -> None:
    before = console.device.running_config()
    for line, words in WRONG:
        assert words in console.run(line, 0), line
        assert console.device.running_config() == before, line


def test_a_member_twice_and_one_that_is_absent_have_their_own_words(console: Console) -> None:
    typed(console, "object-group network G", " network-object host 192.0.2.1")
    assert typed(
        console, " network-object host 192.0.2.1", " no network-object host 192.0.2.2"
    ) == [
        "Adding obj (network-object host 192.0.2.1 ) to grp (G) failed; object already exists\n",
        "Removing obj (network-object host 192.0.2.2) from grp (G) failed; "
        "obj does not exist in this group\n",
    ]


def test_show_prints_parts_of_the_running_configuration(console: Console) -> None:
    typed(
        console,
        "object-group network G",
        " network-object host 192.0.2.1",
        "access-list X extended deny ip object-group G any log",
        "access-group X global",
    )
    group = "object-group network G\n network-object host 192.0.2.1\n"
    acl = "access-list X extended deny ip object-group G any log\n"
    assert typed(
        console,
        "show running-config object-group id G",
        "show object-group",
        "show run access-list",
        "show run | include group",
        "show run | grep -v .",
        "show run access-group",
    ) == [
        group,
        group,
        acl,
        "object-group network G\n" + acl + "access-group X global\n",
        "\n" * console.device.running_config().splitlines().count(""),
        "access-group X global\n",
    ]
    assert "(hitcnt=0) 0x" in typed(console, "show access-list X")[0]


def test_show_access_list_names_level_and_interval_where_they_are_defaults(
    console: Console,
) -> None:
    typed(
        console,
        "configure terminal",
        "access-list Y extended deny ip any any log",
        "access-list Y extended deny tcp any any log warnings interval 60 inactive",
        "access-list Y extended permit udp any any log disable",
        "access-list Y extended permit ip any any",
        "end",
    )
    lines = typed(console, "show access-list Y")[0].splitlines()[1:]
    assert [line.rpartition(" 0x")[0] for line in lines] == [
        "access-list Y line 1 extended deny ip any any log informational interval 300 (hitcnt=0)",
        "access-list Y line 2 extended deny tcp any any log warnings interval 60 inactive"
        " (hitcnt=0) (inactive)",
        "access-list Y line 3 extended permit udp any any log disable (hitcnt=0)",
        "access-list Y line 4 extended permit ip any any (hitcnt=0)",
    ]
    assert "deny ip any any log\n" in typed(console, "show running-config access-list")[0]


def test_the_device_says_what_it_is(console: Console) -> None:
    version, agent, failover = typed(
        console, "show version", "show rest-api agent", "show failover"
    )
    assert "Software Version 9.15(1)1" in version
    assert "REST API Agent Version 7.15.1" in version
    assert f"Serial Number: {console.device.serial}" in version
    assert "currently enabled" in agent
    assert failover.startswith("Failover Off")


def test_write_memory_ends_in_ok_and_counts_its_bytes(console: Console) -> None:
    size = len(console.device.running_config())
    printed = console.run("write memory", 5.0)
    assert printed.startswith("Building configuration...\nCryptochecksum: ")
    assert printed.endswith(f" \n\n{size} bytes copied in 0.290 secs\n[OK]\n")
    assert not console.device.unsaved
    console.run("hostname other", 6.0)
    assert console.device.unsaved


def test_packet_tracer_names_the_entry_that_decides(console: Console) -> None:
    typed(
        console,
        "object-group network G",
        " network-object 192.0.2.0 255.255.255.0",
        "access-list X extended deny ip object-group G any log",
        "access-list X extended permit ip any any",
        "access-group X global",
    )
    dropped, passed = typed(
        console,
        "packet-tracer input outside tcp 192.0.2.77 1234 10.0.0.1 80",
        "packet-tracer input outside icmp 192.0.3.77 8 0 10.0.0.1",
    )
    assert "access-list X extended deny ip object-group G any log" in dropped
    assert "Action: drop" in dropped
    assert "Action: allow" in passed


def test_an_entry_typed_again_with_other_log_options_replaces_itself(console: Console) -> None:
    typed(
        console,
        "access-list X extended permit ip any any",
        "access-list X extended permit ip any any log interval 30",
        "access-list X line 1 extended deny udp any any",
    )
    assert console.run("show run access-list X", 0) == (
        "access-list X extended deny udp any any\n"
        "access-list X extended permit ip any any log interval 30\n"
    )
    typed(console, "no access-list X extended deny udp any any")
    typed(console, "clear configure access-list X")
    assert console.run("show run access-list", 0) == ""


def test_single_commands_replace_and_no_takes_away(console: Console) -> None:
    typed(console, "logging trap debugging", "logging trap errors", "no logging timestamp")
    shown = console.run("show run logging", 0)
    assert shown == "logging enable\nlogging trap errors\n"
