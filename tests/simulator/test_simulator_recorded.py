"""
The simulator's answers beside those that were recorded on devices, byte for byte where that can be.

The recordings lie beside the checkout and not in it.
"""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.simulator.simulator_client import GROUPS, Client, group
from tscm.simulator.member_json import compact
from tscm.simulator.service import SimulatedAsa

RECORDED = Path(__file__).parents[3] / "shared" / "conformance" / "asa-rest"
OBJECTS = "/objects/networkobjects"
VERSION = "/monitoring/device/components/version"
NOT_OFFERED = {"asav-9.9.2_mgmtaccess_hosts_get": "/mgmtaccess/hosts"}
"""What nobody asks who pushes a policy: of these only the form of a collection is compared."""
Comparison = Callable[[SimulatedAsa, Client, Any], Awaitable[None]]
COMPARISONS: dict[str, Comparison] = {}

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded answers are not here")


def compares(name: str) -> Callable[[Comparison], Comparison]:
    def keep(made: Comparison) -> Comparison:
        COMPARISONS[name] = made
        return made

    return keep


def as_asked(client: Client, recorded: Any) -> None:
    """Ask the simulator by the name by which the device was asked, so that its links are the same."""
    host = recorded["request"]["url"].split("/")[2]
    client.headers["Host"] = host.replace("<", "").replace(">", "")


def same_head(answer: Any, recorded: Any) -> None:
    """Status, and every header with its spelling and value but for the time."""
    response = recorded["response"]
    assert answer.status_code == response["status"]
    ours, theirs = dict(answer.headers.items()), dict(response["headers"])
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", ours.pop("Date"))
    theirs.pop("Date")
    assert ours == theirs


@compares("ibm_networkobjectgroup_get")
async def a_group(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    body = recorded["response"]["body"]
    await client.post(GROUPS, group(body["name"], *body["members"]))
    assert (await client.get(f"{GROUPS}/{body['name']}")).text == compact(body)
    listed = (await client.get(GROUPS)).text
    assert f'"items":[{compact(body)}]' in listed


@compares("ibm_networkobjectgroup_members")
async def mixed_members(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    members = recorded["response"]["body"]["members"]
    await client.post(GROUPS, group("BLOCKLIST_IN", *members))
    assert f'"members":{compact(members)},' in (await client.get(f"{GROUPS}/BLOCKLIST_IN")).text


@compares("asav-9.5.2_networkobject_post")
async def a_creation(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    asa.set_switches({"security_headers": False})  # which came later than this release
    made = await client.post(OBJECTS, recorded["request"]["body"])
    same_head(made, recorded)
    assert made.content == b""


@compares("ibm_networkobject_fqdn_get")
async def a_named_object(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    body = recorded["response"]["body"]
    await client.post(OBJECTS, {"name": body["name"], "host": body["host"]})
    assert (await client.get(f"{OBJECTS}/{body['name']}")).text == compact(body)


@compares("asav-9.5.2_version_get")
async def the_version(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    body = recorded["response"]["body"]
    asa.device.asa_version = body["asaVersion"]
    answer = (await client.get(VERSION)).text
    for name in ("currentTimeinSeconds", "upTimeinSeconds"):
        answer = re.sub(rf'"{name}":\d+', f'"{name}":{body[name]}', answer)
    assert answer == compact(body)


@compares("napalm_monitoring_device_components_version")
async def the_version_again(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    answer = (await client.get(VERSION)).json()  # recorded out of order
    assert {k: type(v) for k, v in answer.items()} == {k: type(v) for k, v in recorded.items()}


@compares("napalm_monitoring_serialnumber")
async def the_serial_number(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    asa.device.serial = recorded["serialNumber"]
    assert (await client.get("/monitoring/serialnumber")).text == compact(recorded)


def lines_for(item: Any) -> list[str]:
    """What is typed to have an interface like the recorded one."""
    lines = [f"interface {item['hardwareID']}"]
    if item["interfaceDesc"]:
        lines.append(f"description {item['interfaceDesc']}")
    if item["name"]:
        lines += [f"nameif {item['name']}", f"security-level {item['securityLevel']}"]
    if item["managementOnly"]:
        lines.append("management-only")
    if "vlanID" in item:
        lines.append(f"vlan {item['vlanID']}")
    if item["ipAddress"] != "NoneSelected":
        address = item["ipAddress"]
        lines.append(f"ip address {address['ip']['value']} {address['netMask']['value']}")
    for member in item.get("pcMemberInterfaces", ()):
        hardware = member["objectId"].replace("_API_SLASH_", "/")
        number = item["hardwareID"].removeprefix("Port-channel")
        lines += [f"interface {hardware}", f"channel-group {number} mode active"]
    return lines


async def interfaces(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    """Each interface byte for byte; of those that were recorded not all were printed."""
    client.headers["Host"] = recorded["selfLink"].split("/")[2]
    for one in list(asa.device.interfaces()):
        asa.type_lines([f"no interface {one.hardware}"])
    for item in recorded["items"]:
        assert asa.type_lines(lines_for(item)) == [""] * len(lines_for(item))
    path = recorded["selfLink"].partition("/api")[2]
    answer = await client.get(path)
    for item in recorded["items"]:
        assert compact(item) in answer.text
        assert (await client.get(f"{path}/{item['objectId']}")).text == compact(item)
    ours = answer.json()
    count = len(recorded["items"])
    assert ours.pop("rangeInfo") == {"offset": 0, "limit": count, "total": count}
    del recorded["rangeInfo"]
    assert ours == recorded


for _kind in ("physical", "vlan", "redundant", "portchannel"):
    COMPARISONS[f"napalm_interfaces_{_kind}"] = interfaces


@compares("napalm_monitoring_arp")
async def the_neighbours(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    client.headers["Host"] = recorded["selfLink"].split("/")[2]
    for one in list(asa.device.interfaces()):
        asa.type_lines([f"no interface {one.hardware}"])
    for item in recorded["items"]:
        line = f"arp {item['interface']} {item['ipAddress']} {item['macAddress']}"
        assert asa.type_lines([line]) == [""]
    assert (await client.get("/monitoring/arp")).text == compact(recorded)


@compares("asav-9.9.2_localusers_get")
async def the_users(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    items = recorded["response"]["body"]["items"]
    asa.device.accounts.users.clear()
    for item in items:
        asa.device.accounts.add(item["name"], "secret", item["privilegeLevel"])
    client.auth = (items[0]["name"], "secret")
    answer = await client.get("/objects/localusers/")
    assert answer.text == compact(recorded["response"]["body"])
    same_head(answer, recorded)


@compares("asav-9.9.2_cli_no_output_command")
async def a_silent_command(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    answer = await client.post("/cli/", recorded["request"]["body"])
    assert answer.text == compact(recorded["response"]["body"])
    same_head(answer, recorded)


@compares("asav-9.9.2_cli_show_run_user")
async def the_users_lines(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    (wanted,) = recorded["response"]["body"]["response"]
    asa.device.accounts.users.clear()
    for name in re.findall(r"username (\S+)", wanted):
        asa.device.accounts.add(name, "secret")
    client.auth = (next(iter(asa.device.accounts.users)), "secret")
    answer = await client.post("/cli/", recorded["request"]["body"])
    text = re.sub(r"password \S+", "password REDACTED", answer.text)
    assert text == compact(recorded["response"]["body"])
    names = {name.lower() for name in recorded["response"]["headers"]}
    assert {name.lower() for name in answer.headers} == names


@compares("asav-9.9.2_cli_show_run")
async def the_configuration(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    (wanted,) = recorded["response"]["body"]["response"]
    asa.device.serial, asa.device.asa_version = "9A8NXWLKUGX", "9.9(2)"
    asa.type_lines(["hostname ASAv-02"])
    (text,) = (await client.post("/cli/", recorded["request"]["body"])).json()["response"]
    head = re.compile(r".*?\nhostname \S+\n", re.DOTALL)
    ours, theirs = head.match(text), head.match(wanted)
    assert ours is not None
    assert theirs is not None
    hardware = re.compile(r"(: Hardware: +)\S.*")  # ours says which ASAv it is
    assert hardware.sub(r"\1", ours[0]) == hardware.sub(r"\1", theirs[0])
    end = re.compile(r"\nCryptochecksum:[0-9a-f]{32}\n: end\n\Z")
    assert end.search(text)
    assert end.search(wanted)


@compares("maxalov_cli_two_commands")
async def two_commands(_: SimulatedAsa, client: Client, recorded: Any) -> None:
    answer = await client.post("/cli", {"commands": ["hostname other", "write"]})
    figures = re.compile(r"[0-9a-f]{8}|[0-9]+(?= bytes)")
    ours, theirs = answer.json()["response"], recorded["response"]["body"]["response"]
    assert [figures.sub("N", one) for one in ours] == [figures.sub("N", one) for one in theirs]


@compares("maxalov_pkcs12_import_post")
async def a_warning_with_a_success(asa: SimulatedAsa, client: Client, recorded: Any) -> None:
    (wanted,) = recorded["response"]["body"]["messages"]
    asa.set_switches({"success_warning": True})
    await client.post(GROUPS, group("A", {"kind": "IPv4Address", "value": "192.0.2.1"}))
    answer = await client.patch(f"{GROUPS}/A", {"description": "ours"})
    (ours,) = answer.json()["messages"]
    assert list(ours) == list(wanted)
    assert (ours["level"], ours["code"]) == (wanted["level"], wanted["code"])


@pytest.mark.parametrize("name", sorted(COMPARISONS))
@pytest_twisted.ensureDeferred
async def test_an_answer_is_as_recorded(asa: SimulatedAsa, client: Client, name: str) -> None:
    recorded = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    if "request" in recorded:
        as_asked(client, recorded)
    await COMPARISONS[name](asa, client, recorded)


@pytest.mark.parametrize("name", sorted(NOT_OFFERED))
@pytest_twisted.ensureDeferred
async def test_a_collection_has_the_form_of_a_recorded_one(client: Client, name: str) -> None:
    recorded = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    body = recorded.get("response", {}).get("body", recorded)
    await client.post(GROUPS, group("A", {"kind": "IPv4Address", "value": "192.0.2.1"}))
    ours = (await client.get(GROUPS)).json()
    assert list(ours) == list(body)
    assert list(ours["rangeInfo"]) == list(body["rangeInfo"])
    for page in (ours, body):
        assert page["kind"].startswith("collection#")
    unknown = await client.get(NOT_OFFERED[name])
    assert unknown.status_code == 404
    assert unknown.json()["messages"][0]["code"] == "RESOURCE-NOT-FOUND"


def test_every_recording_is_compared() -> None:
    assert {one.stem for one in RECORDED.glob("*.json")} == COMPARISONS.keys() | NOT_OFFERED.keys()
