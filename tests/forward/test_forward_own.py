"""
A target that is the manager itself.
"""

from pathlib import Path

import pytest

from tscm.forward.own import Ip, Listeners, is_local, listeners_of, loop_of, own_listener
from tscm.forward.target import Target
from tscm.settings.node import Listen

EVERYWHERE: Listeners = {"udp": ["0.0.0.0:514", "[::]:514"], "tcp": ["0.0.0.0:1470"]}
HERE = {"192.0.2.5", "2001:db8::5"}


def local(ip: Ip) -> bool:
    return ip.is_loopback or str(ip) in HERE


@pytest.mark.parametrize(
    ("address", "port", "protocol", "listeners", "found"),
    [
        ("127.0.0.1", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("127.9.9.9", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("192.0.2.5", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("192.0.2.6", 514, "UDP", EVERYWHERE, None),
        ("::ffff:192.0.2.5", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("::1", 514, "UDP", EVERYWHERE, "udp [::]:514"),
        ("2001:db8::5", 514, "UDP", EVERYWHERE, "udp [::]:514"),
        ("2001:db8::6", 514, "UDP", EVERYWHERE, None),
        ("0.0.0.0", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("::", 514, "UDP", EVERYWHERE, "udp 0.0.0.0:514"),
        ("192.0.2.5", 515, "UDP", EVERYWHERE, None),
        ("192.0.2.5", 514, "TCP", EVERYWHERE, None),  # another program may listen there
        ("192.0.2.5", 1470, "TCP", EVERYWHERE, "tcp 0.0.0.0:1470"),
        ("192.0.2.5", 6514, "TLS", {"tls": ["192.0.2.5:6514"]}, "tls 192.0.2.5:6514"),
        ("192.0.2.5", 6514, "TCP", {"tls": ["192.0.2.5:6514"]}, "tls 192.0.2.5:6514"),
        ("127.0.0.1", 6514, "TLS", {"tls": ["192.0.2.5:6514"]}, None),
        ("192.0.2.5", 514, "UDP", {"udp": ["[::]:514"]}, "udp [::]:514"),
        ("0.0.0.0", 514, "UDP", {"udp": ["127.0.0.1:514"]}, "udp 127.0.0.1:514"),
        ("fe80::1%eth0", 514, "UDP", {"udp": ["[fe80::1]:514"]}, "udp [fe80::1]:514"),
        ("siem.example", 514, "UDP", EVERYWHERE, None),
    ],
)
def test_what_leads_back_is_told(
    address: str, port: int, protocol: str, listeners: Listeners, found: str | None
) -> None:
    assert own_listener(address, port, protocol, listeners, local) == found


def test_names_are_looked_up() -> None:
    listeners = {"tcp": ["127.0.0.1:1470"]}
    assert loop_of(Target(address="localhost", port=1470, protocol="TCP"), listeners) is not None
    assert loop_of(Target(address="siem.invalid", port=1470, protocol="TCP"), listeners) is None


def test_the_kernel_tells_what_is_local() -> None:
    from ipaddress import ip_address

    assert is_local(ip_address("127.3.4.5"))
    assert not is_local(ip_address("192.0.2.77"))


def test_the_settings_say_where_it_would_listen() -> None:
    assert listeners_of(Listen())["udp"] == ["0.0.0.0:514", "[::]:514"]


def test_every_address_of_this_host_is_local_also_those_of_one_link() -> None:
    from ipaddress import IPv6Address

    held = [one.split()[0] for one in Path("/proc/net/if_inet6").read_text().splitlines()]
    for one in held:
        assert is_local(IPv6Address(bytes.fromhex(one))), one
    assert not is_local(IPv6Address("fe80::dead:beef"))
