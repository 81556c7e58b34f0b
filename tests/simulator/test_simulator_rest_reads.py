"""
What the agent only tells: interfaces, access rules, time ranges, and the requests of other clients.
"""

import re
from typing import Any

import pytest
import pytest_twisted

from tests.simulator.simulator_client import Client
from tscm.simulator.service import SimulatedAsa

LINES = (
    "object network web",
    " host 192.0.2.80",
    "object-group network G",
    " network-object host 192.0.2.66",
    "access-list outside_in remark what the list says",
    "access-list outside_in extended deny ip object-group G any log",
    "access-list outside_in extended permit tcp 198.51.100.0 255.255.255.0 object web eq https",
    "access-list outside_in extended permit udp any4 host 192.0.2.53 range 1 99 log disable inactive",
    "access-list everywhere extended permit ip any any",
    "access-group outside_in in interface outside",
    "access-group everywhere global",
)


async def json_of(client: Client, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


@pytest_twisted.ensureDeferred
async def test_rules_are_told_in_the_form_of_other_clients(
    asa: SimulatedAsa, client: Client
) -> None:
    assert asa.type_lines(LINES) == [""] * len(LINES)
    (bound,) = (await json_of(client, "/access/in"))["items"]
    assert bound["direction"] == "IN"
    assert bound["ACLName"] == "outside_in"
    assert bound["interface"]["name"] == "outside"
    assert bound["interface"]["objectId"] == "GigabitEthernet0_API_SLASH_0"
    assert (await json_of(client, "/access/in/outside")) == bound
    assert (await json_of(client, "/access/out"))["items"] == []
    assert [one["direction"] for one in (await json_of(client, "/access"))["items"]] == [
        "IN",
        "GLOBAL",
    ]
    page = await json_of(client, "/access/in/outside/rules")
    assert page["rangeInfo"] == {"offset": 0, "limit": 3, "total": 3}
    first, second, third = page["items"]
    assert list(first) == [
        "kind", "selfLink", "permit", "sourceAddress", "destinationAddress", "sourceService",
        "destinationService", "active", "remarks", "ruleLogging", "position", "isAccessRule",
        "objectId",
    ]  # fmt: skip
    assert first["kind"] == "object#ExtendedACE"
    assert first["permit"] is False
    assert first["remarks"] == ["what the list says"]
    assert first["sourceAddress"]["objectId"] == "G"
    assert first["sourceService"] == {"kind": "NetworkProtocol", "value": "ip"}
    assert first["ruleLogging"] == {"logInterval": 300, "logStatus": "Informational"}
    assert second["sourceAddress"] == {"kind": "IPv4Network", "value": "198.51.100.0/24"}
    assert second["destinationAddress"]["kind"] == "objectRef#NetworkObj"
    assert second["destinationService"] == {"kind": "TcpUdpService", "value": "tcp/443"}
    assert second["remarks"] == []
    assert third["active"] is False
    assert third["ruleLogging"]["logStatus"] == "Disabled"
    assert [one["position"] for one in page["items"]] == [1, 2, 3]
    (shown,) = asa.type_lines(["show access-list outside_in"])
    assert [int(found, 16) for found in re.findall(r"\) 0x([0-9a-f]{8})", shown)] == [
        int(one["objectId"]) for one in page["items"]
    ]
    path = first["selfLink"].partition("/api")[2]
    assert await json_of(client, path) == first
    (everywhere,) = (await json_of(client, "/access/global/rules"))["items"]
    assert everywhere["selfLink"].endswith(f"/access/global/rules/{everywhere['objectId']}")


@pytest_twisted.ensureDeferred
async def test_time_ranges_and_security_groups_are_told(asa: SimulatedAsa, client: Client) -> None:
    lines = (
        "time-range nights",
        " absolute start 00:00 1 jan 2026 end 03:47 14 May 2026",
        " periodic Wednesday 4:03 to Thursday 23:59",
        " periodic weekend 3:03 to 4:01",
        " periodic tue thu sat 0:00 to 1:01",
        "object-group security one",
        " description test12",
        " security-group name beep",
        " security-group tag 52",
        "object-group security two",
        " group-object one",
    )
    assert asa.type_lines(lines) == [""] * len(lines)
    (nights,) = (await json_of(client, "/objects/timeranges"))["items"]
    assert nights["value"]["start"] == "00:00 Jan 1 2026"
    assert nights["value"]["end"] == "03:47 May 14 2026"
    assert [one["frequency"] for one in nights["value"]["periodic"]] == [
        "Wednesday to Thursday",
        "weekend",
        "Tuesday Thursday Saturday ",
    ]
    assert nights["value"]["periodic"][0] == {
        "frequency": "Wednesday to Thursday",
        "startHour": 4,
        "startMinute": 3,
        "endHour": 23,
        "endMinute": 59,
    }
    assert await json_of(client, "/objects/timeranges/nights") == nights
    one, two = (await json_of(client, "/objects/securityobjectgroups"))["items"]
    assert one["description"] == "test12"
    assert one["members"] == [
        {"kind": "SecurityName", "value": "beep"},
        {"kind": "SecurityTag", "value": "52"},
    ]
    assert two["members"][0]["kind"] == "objectRef#SecurityObjGroup"
    assert two["members"][0]["refLink"] == one["selfLink"]
    assert await json_of(client, "/objects/securityobjectgroups/one") == one
    for wrong in ("absolute", "periodic", "periodic 4:03 to 5:00", "periodic daily 25:00 to 1:00",
                  "absolute start 00:00 32 May 2026", "periodic daily 1:00 2:00"):  # fmt: skip
        (_, printed) = asa.type_lines(["time-range nights", wrong])
        assert "% " in printed, wrong


@pytest_twisted.ensureDeferred
async def test_the_requests_of_a_napalm_driver_find_what_they_ask(
    asa: SimulatedAsa, client: Client
) -> None:
    """`get_facts` and `get_arp_table`, request by request; it does not send the agent's name."""
    asa.set_switches({"user_agent_gate": "off"})
    client.headers = {"Content-Type": "application/json"}
    token = await client.post("/tokenservices")
    assert token.status_code == 204
    client.headers["X-Auth-Token"] = token.headers["X-Auth-Token"]
    assert (await json_of(client, "/monitoring/serialnumber"))["serialNumber"] == asa.device.serial
    version = await json_of(client, "/monitoring/device/components/version")
    assert version["asaVersion"] == "9.15(1)1"
    assert await client.type("show hostname", "show hostname fqdn") == ["ciscoasa\n"] * 2
    asa.type_lines(["domain-name example.org"])
    assert await client.type("show hostname fqdn") == ["ciscoasa.example.org\n"]
    names = []
    for kind in ("physical", "vlan", "redundant", "portchannel"):
        page = await json_of(client, f"/interfaces/{kind}")
        assert page["rangeInfo"]["limit"] == page["rangeInfo"]["total"] == len(page["items"])
        names += [one["hardwareID"] for one in page["items"]]
    assert names == ["GigabitEthernet0/0", "GigabitEthernet0/1", "Management0/0"]
    for name, printed in zip(
        names, await client.type(*(f"show interface {one}" for one in names)), strict=True
    ):
        assert f"Interface {name} " in printed
        assert re.search(r"line protocol is (.{2,4})\n", printed)
        assert re.search(r"MAC address (.{14}),", printed)
        assert re.search(r"MTU (.{1,4})\n", printed)
    table = await json_of(client, "/monitoring/arp")
    assert table["rangeInfo"]["total"] > 0
    assert {one["interface"] for one in table["items"]} == {"outside", "inside", "management"}
    for one in table["items"]:
        assert re.fullmatch(r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}", one["macAddress"])


@pytest_twisted.ensureDeferred
async def test_the_requests_of_a_soar_are_answered(asa: SimulatedAsa, client: Client) -> None:
    for line in LINES:
        asa.type_lines([line])
    assert (await json_of(client, "/aaa/authorization"))["items"] == []
    asa.type_lines(["aaa authorization exec LOCAL auto-enable"])
    (exec_line,) = (await json_of(client, "/aaa/authorization"))["items"]
    assert (exec_line["service"], exec_line["serverGroup"]) == ("exec", "LOCAL")
    pages = [await json_of(client, f"/access/{way}") for way in ("global", "in", "out")]
    found = [
        (item["direction"].capitalize(), item.get("interface", {}).get("name"))
        for page in pages
        for item in page["items"]
    ]
    assert found == [("Global", None), ("In", "outside")]
    made = await client.post("/backup", {"location": "disk0:/before.cfg", "passphrase": "x"})
    assert made.status_code == 201
    assert [one["location"] for one in (await json_of(client, "/backup"))["items"]] == [
        "disk0:/before.cfg"
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/access/in/nowhere", 404),
        ("GET", "/access/in/nowhere/rules", 404),
        ("GET", "/access/in/outside/other", 404),
        ("GET", "/access/sideways", 404),
        ("GET", "/access/global/rules/1", 404),
        ("GET", "/access/global/rules/1/2", 404),
        ("GET", "/interfaces", 404),
        ("GET", "/interfaces/wireless", 404),
        ("GET", "/interfaces/physical/GigabitEthernet9_API_SLASH_9", 404),
        ("GET", "/interfaces/physical/a/b", 404),
        ("GET", "/objects/timeranges/none", 404),
        ("GET", "/objects/securityobjectgroups/none", 404),
        ("GET", "/aaa/accounting", 404),
        ("GET", "/aaa/authorization/1", 404),
        ("GET", "/monitoring/nothing", 404),
        ("GET", "/backup/one", 404),
        ("GET", "/access/in?limit=x", 400),
        ("GET", "/access/in?limit=\u00b2", 400),
        ("GET", "/interfaces/physical?offset=" + "9" * 5000, 400),
        ("POST", "/access/global/rules", 405),
        ("DELETE", "/interfaces/physical/Management0_API_SLASH_0", 405),
        ("PUT", "/objects/timeranges/none", 405),
        ("PATCH", "/monitoring/arp", 405),
    ],
    ids=str,
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_said(
    asa: SimulatedAsa, client: Client, method: str, path: str, status: int
) -> None:
    asa.type_lines(LINES)
    before = asa.device.running_config()
    answer = await client.call(method, path, None if method == "GET" else {})
    assert answer.status_code == status
    assert answer.json()["messages"][0]["details"]
    assert asa.device.running_config() == before


@pytest.mark.parametrize(
    "body",
    [{}, {"location": 7}, {"location": "nowhere"}, {"location": "disk0:/"}, {"location": "disk0:/a b"},
     {"location": "startup-config"}, {"location": "disk0:/" + "x" * 5000}],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_a_backup_to_nowhere_is_refused(asa: SimulatedAsa, client: Client, body: Any) -> None:
    assert (await client.post("/backup", body)).status_code == 400
    assert asa.device.files == {}
    assert (await client.call("DELETE", "/backup")).status_code == 405


@pytest_twisted.ensureDeferred
async def test_a_bulk_request_that_is_undone_has_modified_nothing(
    asa: SimulatedAsa, client: Client
) -> None:
    group = {"name": "G", "members": [{"kind": "IPv4Address", "value": "192.0.2.1"}]}
    uri = "/api/objects/networkobjectgroups"
    twice = [{"method": "POST", "resourceUri": uri, "data": group}] * 2
    assert (await client.post("", twice)).status_code == 400
    assert "has not been modified" in asa.type_lines(["show version"])[0]
    assert (await client.post("", twice[:1])).status_code == 200
    assert "last modified by admin at" in asa.type_lines(["show version"])[0]
    asa.type_lines(["write memory"])
    asa.reload()
    assert "has not been modified" in asa.type_lines(["show version"])[0]


HOSTILE = "x\nusername evil password evil privilege 15"
HOST = {"kind": "IPv4Address", "value": "192.0.2.1"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/objects/networkobjects", {"name": "O", "host": HOST, "description": HOSTILE}),
        ("/objects/networkobjects", {"name": "O", "host": HOST, "description": 7}),
        ("/objects/networkobjects", {"name": "O", "host": HOST, "description": "\ud800"}),
        ("/objects/networkobjects", {"name": "O", "host": {"kind": "IPv4FQDN", "value": HOSTILE}}),
        ("/objects/networkobjects", {"name": HOSTILE, "host": HOST}),
        ("/objects/networkobjectgroups", {"name": "O", "members": [HOST], "description": HOSTILE}),
        ("/objects/networkobjectgroups", {"name": "O", "members": [HOST], "description": "\x1b[2J"}),
        ("/objects/networkobjectgroups", {"name": "\ud800", "members": [HOST]}),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_a_text_is_no_line_of_the_configuration(
    asa: SimulatedAsa, client: Client, path: str, body: Any
) -> None:
    before = asa.device.running_config()
    assert (await client.post(path, body)).status_code == 400
    bulk = [{"method": "POST", "resourceUri": f"/api{path}", "data": body}]
    assert (await client.post("", bulk)).status_code == 400
    assert asa.device.running_config() == before
    for made in ("/objects/networkobjects", "/objects/networkobjectgroups"):
        good = {"name": f"G{len(made)}", "host": HOST, "members": [HOST]}
        assert (await client.post(made, good)).status_code == 201
        for text in (HOSTILE, "\ud800"):
            changed = await client.patch(f"{made}/{good['name']}", {"description": text})
            assert changed.status_code == 400
        changed = await client.patch(f"{made}/{good['name']}", {"description": "ours"})
        assert changed.status_code == 204
    assert asa.device.running_config().count(" description ours\n") == 2
    assert "evil" not in asa.device.running_config()
