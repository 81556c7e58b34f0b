"""
The parts of the room that open nothing.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.kinds.asa import platforms
from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    Group,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.lines import UNKNOWN_ADDRESS, removal_lines
from tscm.kinds.asa.portions import portions, weight
from tscm.kinds.asa.rest.driver import request_of
from tscm.kinds.asa.rest.lines import setup_lines
from tscm.kinds.asa.rest.members import cidr_of, group_of, member, reference
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.model import Cidr, Identity
from tscm.policy.cidr import read_cidr
from tscm.settings.device import DeviceSettings
from tscm.settings.node import Listen, NodeSettings

RECORDED = Path(__file__).parents[4] / "shared" / "conformance" / "asa-rest"

networks = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
).map(lambda pair: read_cidr(f"{pair[0]}/{pair[1]}")[0])


@given(networks)
@settings(deadline=None, max_examples=200)
def test_a_member_comes_back_as_the_network_that_it_was(cidr: Cidr) -> None:
    sent = member(cidr)
    assert cidr_of(sent["value"]) == cidr
    single = cidr.endswith("/128") if ":" in cidr else cidr.endswith("/32")
    assert sent["kind"].endswith("Address") == single
    assert ("/" in sent["value"]) != single


def test_ipv6_of_any_spelling_is_brought_to_one() -> None:
    assert cidr_of("2001:DB8:0:0::1") == "2001:db8::1/128"
    assert cidr_of("any") is None


def test_what_is_no_group_is_passed_over() -> None:
    for item in ({}, {"name": 3}, {"name": "G", "members": "x"}):
        assert group_of(item) is None
    assert group_of({"objectId": "G"}) == Group(name="G")
    odd = {"name": "G", "members": [None, 7, {"kind": "IPv4Address"}, {"kind": "AnyIPAddress"}]}
    found = group_of(odd)
    assert found is not None
    assert found.foreign == 4


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded payloads lie beside the checkout")
def test_a_recorded_group_is_read() -> None:
    answer = json.loads((RECORDED / "ibm_networkobjectgroup_get.json").read_text())["response"]
    found = group_of(answer["body"])
    assert found is not None
    assert found.name == "BLACKLIST_IN"
    assert found.members == ("192.168.10.1/32", "192.168.10.2/32", "192.168.10.3/32")


def test_names_are_quoted_in_urls() -> None:
    _, path, _ = request_of(AttachChildren(group="T%1#/x", children=("C",)))
    assert path.endswith("/T%251%23_API_SLASH_x")
    assert reference("C") == {"kind": "objectRef#NetworkObjGroup", "objectId": "C"}


steps = st.lists(
    st.one_of(
        st.builds(
            lambda n: CreateGroup(
                group="A", members=tuple(Cidr(f"10.0.0.{i}/32") for i in range(n))
            ),
            st.integers(1, 30),
        ),
        st.builds(
            lambda n: AddMembers(
                group="A", members=tuple(Cidr(f"10.0.1.{i}/32") for i in range(n))
            ),
            st.integers(1, 30),
        ),
        st.builds(
            lambda n: RemoveMembers(
                group="A", members=tuple(Cidr(f"10.0.2.{i}/32") for i in range(n))
            ),
            st.integers(1, 30),
        ),
        st.builds(
            lambda n: AttachChildren(group="P", children=tuple(f"A-{i}" for i in range(n))),
            st.integers(1, 30),
        ),
    ),
    max_size=20,
)


def atoms(some: list[Step]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for step in some:
        if isinstance(step, CreateGroup | AddMembers):
            found += [("add", str(one)) for one in step.members]
        elif isinstance(step, RemoveMembers):
            found += [("remove", str(one)) for one in step.members]
        elif isinstance(step, AttachChildren):
            found += [("attach", one) for one in step.children]
        else:
            found.append(("step", repr(step)))
    return found


@given(steps, st.integers(1, 12), st.booleans())
@settings(deadline=None, max_examples=150)
def test_portions_hold_the_same_work_in_the_same_order_and_bounded(
    some: list[Step], batch: int, join: bool
) -> None:
    made = portions(some, batch, join=join)
    assert atoms([step for portion in made for step in portion]) == atoms(some)
    for portion in made:
        assert portion
        assert len(portion) == 1 or join
        assert sum(weight(step) for step in portion) <= batch
    creates = [step for portion in made for step in portion if isinstance(step, CreateGroup)]
    assert len(creates) == len([step for step in some if isinstance(step, CreateGroup)])


@pytest.mark.parametrize(
    ("model", "memory", "entries"),
    [
        ("ASAv", 1536, 8000),
        ("ASAv", None, 8000),
        ("ASAv", 2048, 9000),
        ("ASAv", 8192, 19000),
        ("ASA5555", 16384, 40000),
        ("ASA5585-SSP-20", None, 40000),
        ("ASA5516", 8192, 9000),
        ("FPR-2110", 16384, None),
    ],
)
def test_the_platform_says_how_much_it_bears(
    model: str, memory: int | None, entries: int | None
) -> None:
    assert platforms.with_platform(Identity(), model, memory).entries == entries


def test_show_version_is_read() -> None:
    text = (
        "Cisco Adaptive Security Appliance Software Version 9.15(1)1 \n"
        "REST API Agent Version 7.15.1\n"
        "Hardware:   ASAv, 2048 MB RAM, CPU Xeon 4100/6100/8100 series 2100 MHz,\n"
        "Serial Number: 9AVP5MLG543\n"
    )
    who = platforms.read_show_version(Identity(), text)
    assert (who.version, who.agent, who.serial, who.model, who.entries) == (
        "9.15(1)1",
        "7.15.1",
        "9AVP5MLG543",
        "ASAv",
        9000,
    )


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Failover Off \nFailover unit Secondary\n", None),
        ("Failover On \n\tThis host: Primary - Active \n\t\tActive time: 5 (sec)\n", "active"),
        ("Failover On \n\tThis host: Secondary - Standby Ready \n", "standby"),
        ("Failover On \n\tThis host: Secondary - Bulk Sync\n", "standby"),
        ("", None),
    ],
)
def test_only_an_active_unit_counts_as_active(text: str, role: str | None) -> None:
    assert platforms.failover_role(text) == role


@pytest.mark.parametrize(
    ("state", "taking"),
    [("Standby Ready", False), ("Failed", False), ("Sync Config", True), ("Bulk Sync", True)],
)
def test_a_mate_that_takes_the_configuration_is_seen(state: str, taking: bool) -> None:
    text = f"Failover On \n\tThis host: Primary - Active \n\tOther host: Secondary - {state} \n"
    assert platforms.replicating(text) == taking
    assert platforms.failover_role(text) == "active"


def device(**changes: object) -> DeviceSettings:
    return AsaRestSettings(
        **{  # type: ignore[arg-type]  # a table of settings
            "name": "fw",
            "device_id": "tdid_abcd1234",
            "device": "192.0.2.10",
            "block_list": "b.example",
            "allow_list": "a.example",
            "username": "api",
            "password": Secret("hunter2"),
            "prefix": "TS",
            **changes,
        }
    )


def test_the_setup_lines_are_filled_in_and_in_order() -> None:
    text = setup_lines(device(), NodeSettings(address="192.0.2.9"))
    wanted = [
        "copy /noconfirm running-config flash:/pre-threatstop-config.backup",
        "aaa authentication http console LOCAL",
        "http server enable",
        "http 192.0.2.9 255.255.255.255 management",
        "username api password PASSWORD priv 15",
        "rest-api agent",
        "logging enable",
        "logging timestamp",
        "logging trap informational",
        "logging host management 192.0.2.9",
        "logging permit-hostdown",
        "logging host management 192.0.2.9 tcp/1470",
        "access-list global_access extended permit ip object-group TS-Allow any log",
        "access-list global_access extended permit ip any object-group TS-Allow log",
        "access-list global_access extended deny ip object-group TS-Block any log",
        "access-list global_access extended deny ip any object-group TS-Block log",
        "show running-config object-group id TS-Block",
        "show run | grep TS",
        "packet-tracer input inside tcp",
    ]
    places = [text.index(line) for line in wanted]
    assert places == sorted(places)
    assert "blocks all new connections" in text
    assert "hunter2" not in text


def test_lines_follow_ports_addresses_and_odd_names() -> None:
    node = NodeSettings(
        address="2001:db8::9",
        listen=Listen(udp=(HostPort("::", 5514),), tcp=()),
    )
    text = setup_lines(device(username="a b", rest_url="https://192.0.2.10:8443/api"), node)
    assert "http server enable 8443" in text
    assert "http 2001:db8::9/128 management" in text
    assert "logging host management 2001:db8::9 udp/5514" in text
    assert "permit-hostdown" not in text
    assert "username USER password" in text


def test_without_an_address_the_operator_is_told_where_to_set_it() -> None:
    text = setup_lines(device(), NodeSettings())
    assert f"logging host management {UNKNOWN_ADDRESS}" in text
    assert "tscm.toml" in text


def test_the_way_back_takes_access_lists_before_groups_and_parents_before_children() -> None:
    there = ["TS-Allow", "TS-Allow-1", "TS-Block", "TS-Block-10", "TS-Block-2", "TS-Block-1"]
    text = removal_lines(device(), NodeSettings(address="192.0.2.9"), there)
    wanted = [
        "no access-list global_access extended permit ip object-group TS-Allow any log",
        "no access-list global_access extended deny ip any object-group TS-Block log",
        "no access-group",
        "no object-group network TS-Block\n",
        "no object-group network TS-Block-1\n",
        "no object-group network TS-Block-2\n",
        "no object-group network TS-Block-10\n",
        "no object-group network TS-Allow-1\n",
        "no logging host management 192.0.2.9\n",
        "tdid_abcd1234",
        "a new entry gets a new device ID",
    ]
    places = [text.index(line) for line in wanted]
    assert places == sorted(places)


def test_children_that_nobody_knows_of_are_not_named_in_the_way_back() -> None:
    text = removal_lines(device(), NodeSettings(address="192.0.2.9"))
    assert "TS-Block-1" not in text
    assert "show running-config object-group | include TS-" in text
