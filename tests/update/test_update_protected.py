"""
Whom a block list must never reach: everybody that policy and log go through.
"""

from collections.abc import Mapping

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.settings.feed import Feed
from tscm.settings.node import NodeSettings, UploadSettings
from tscm.settings.policy import PolicySettings
from tscm.settings.shapes import read_options
from tscm.update.known_name import KnownName
from tscm.update.names import hosts
from tscm.update.rules import spared

NAMES = {
    "proxy.example": ("8.0.0.7",),
    "feeds.example": ("8.0.0.9", "2600::9"),
    "cdn.example": ("8.0.0.11",),
    "others.example": ("8.0.0.99",),
}
SOURCES = ("feeds.example", "cdn.example")


def protected(node: NodeSettings, **changes: object) -> Mapping[str, str]:
    settings, faults = read_options(
        {
            "name": "fw",
            "device_id": "tdid_test1",
            "device": "127.0.0.1",
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": "admin",
            "password": Secret("secret"),
            **changes,
        }
    )
    assert settings is not None, faults
    people = hosts(settings, node, SOURCES)
    known = {
        one.host: KnownName(name=one.host).after(NAMES.get(one.host, ()), 1.0)
        for one in people
        if one.named
    }
    return {one.cidr: one.what for one in spared(settings, node, people, known)}


def test_everybody_whom_policy_and_log_go_through_is_protected() -> None:
    node = NodeSettings(
        address="8.0.0.1",
        policy=PolicySettings(
            servers=(HostPort("8.0.0.2"),),
            feeds=(
                Feed(name="block.example", url="https://feeds.example/a"),
                Feed(name="a.example", url="https://others.example/a"),
                Feed(name="c.example", url="https://8.0.0.12/a"),
                Feed(name="b.example", url="file:///b"),
            ),
            protect=("8.0.0.3",),
        ),
        upload=UploadSettings(url="https://8.0.0.4/v1"),
    )
    forward = {
        "syslog_forward": True,
        "forward_address": "8.0.0.5",
        "forward_also": ("tcp://8.0.0.6:514?mode=rfc5424", "udp://[2600::6]:514"),
    }
    found = protected(
        node,
        log_proxy="http://proxy.example:3128",
        ha_members=("8.0.0.8",),
        rest_url="https://8.0.0.10/api",
        **forward,
    )
    assert found == {
        "8.0.0.1/32": "the manager",
        "127.0.0.1/32": "an address of the device",
        "8.0.0.8/32": "an address of the device",
        "8.0.0.2/32": "a policy server",
        "8.0.0.9/32": "a source of lists",
        "2600::9/128": "a source of lists",
        "8.0.0.11/32": "a source of lists",
        "8.0.0.12/32": "a source of lists",
        "8.0.0.4/32": "the log service",
        "8.0.0.5/32": "the SIEM",
        "8.0.0.6/32": "the SIEM",
        "2600::6/128": "the SIEM",
        "8.0.0.7/32": "the log upload proxy",
        "8.0.0.10/32": "an address of the device",
        "8.0.0.3/32": "protected by the settings",
    }


def test_without_a_set_address_the_manager_is_where_it_speaks_to_the_device_from() -> None:
    assert protected(NodeSettings())["127.0.0.1/32"] == "the manager"
    assert "the manager" not in protected(NodeSettings(), device="absent.invalid").values()


def test_a_siem_that_gets_nothing_is_nobody_to_protect() -> None:
    assert "the SIEM" not in protected(NodeSettings(), forward_address="8.0.0.5").values()
