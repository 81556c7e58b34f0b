"""
The name and the time servers of the appliance.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.appliance.test_appliance_network import Host
from tscm.appliance.host import (
    host_name,
    hosts_with,
    parse_servers,
    render_servers,
    time_servers,
)
from tscm.appliance.refusal import NotPossible

HOSTS = "127.0.0.1 localhost\n127.0.1.1 tscm  # own\n::1 localhost\n192.0.2.9 siem\n"


@pytest.mark.parametrize(
    "text",
    ["", "-a", "a-", "a..b", "a_b", "a b", "a\nb", "x" * 65, "192.0.2.1", "12", "é", ".", "a;b"],
)
def test_what_is_not_a_host_name_is_refused(text: str) -> None:
    with pytest.raises(NotPossible):
        host_name(text)


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\.[a-z][a-z0-9]{0,20}", fullmatch=True))
def test_a_host_name_stands_in_hosts_once_and_the_other_lines_stay(name: str) -> None:
    text = hosts_with(hosts_with(HOSTS, "other"), host_name(name))
    assert text.splitlines() == [
        "127.0.0.1 localhost",
        f"127.0.1.1 {name} {name.partition('.')[0]}",
        "::1 localhost",
        "192.0.2.9 siem",
    ]
    assert hosts_with("", name).startswith("127.0.1.1 ")


@pytest.mark.parametrize(
    "words",
    [
        ("ntp.example\n[Other]",),
        ("-x",),
        ("a b",),
        ("0.0.0.0",),
        ("224.0.1.1",),
        ("192.0.2.256",),
        ("fe80::1%ens3",),
        ("fe80::1%x\n[Other]",),
        ("a",) * 9,
    ],
)
def test_what_is_not_a_time_server_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(NotPossible):
        time_servers(words)


def test_time_servers_are_read_back(tmp_path: Path) -> None:
    servers = time_servers(("NTP.example.org", "2001:db8::123", "192.0.2.123", "ntp.example.org"))
    assert servers == ("ntp.example.org", "2001:db8::123", "192.0.2.123")
    assert parse_servers(render_servers(servers)) == servers
    host = Host(tmp_path)
    host.machine.set_time_servers(servers)
    assert host.machine.time_servers() == servers
    host.machine.set_time_servers(())
    assert host.machine.time_servers() == ()
    assert host.ran == ["systemctl restart systemd-timesyncd.service"] * 2


def test_the_name_is_set_in_hosts_and_by_systemd(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.places.hosts.write_text(HOSTS)
    host.machine.set_host_name("collector")
    assert "127.0.1.1 collector\n" in host.places.hosts.read_text()
    assert host.ran == ["hostnamectl set-hostname -- collector"]
