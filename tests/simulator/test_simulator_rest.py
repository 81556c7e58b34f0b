"""
The REST agent over a real HTTPS connection.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
import requests
from twisted.internet.threads import deferToThread

from tests.simulator.simulator_client import GROUPS, Client, child, group, host, network
from tscm.simulator import web


def code_of(answer: Any) -> str:
    code: str = answer.json()["messages"][0]["code"]
    return code


@pytest_twisted.ensureDeferred
async def test_a_group_is_created_read_changed_and_deleted(client: Client) -> None:
    made = await client.post(GROUPS, group("X-1", host("192.0.2.1"), network("198.51.100.0/24")))
    assert made.status_code == 201
    assert made.content == b""
    assert made.headers["Content-length"] == "0"
    assert made.headers["Location"] == f"{client.asa.api_url}{GROUPS}/X-1"

    changed = await client.patch(f"{GROUPS}/X-1", {"members.add": [host("2001:db8::1")]})
    assert changed.status_code == 204
    changed = await client.patch(f"{GROUPS}/X-1", {"members.remove": [host("192.0.2.1")]})
    assert changed.status_code == 204

    read = await client.get(f"{GROUPS}/X-1")
    assert read.json() == {
        "kind": "object#NetworkObjGroup",
        "selfLink": f"{client.asa.api_url}{GROUPS}/X-1",
        "name": "X-1",
        "members": [network("198.51.100.0/24"), host("2001:db8::1")],
        "description": "",
        "objectId": "X-1",
    }
    assert (await client.call("DELETE", f"{GROUPS}/X-1")).status_code == 204
    gone = await client.get(f"{GROUPS}/X-1")
    assert gone.status_code == 404
    assert code_of(gone) == "RESOURCE-NOT-FOUND"


@pytest_twisted.ensureDeferred
async def test_put_replaces_and_never_creates(client: Client) -> None:
    assert (
        await client.call("PUT", f"{GROUPS}/X", group("X", host("192.0.2.1")))
    ).status_code == 404
    await client.post(GROUPS, group("X", host("192.0.2.1"), host("192.0.2.2")))
    wanted = group("X", host("192.0.2.3"), host("192.0.2.1")) | {"description": "ours"}
    assert (await client.call("PUT", f"{GROUPS}/X", wanted)).status_code == 204
    read = (await client.get(f"{GROUPS}/X")).json()
    assert read["members"] == [host("192.0.2.3"), host("192.0.2.1")]
    assert read["description"] == "ours"
    other = await client.call("PUT", f"{GROUPS}/X", group("Y", host("192.0.2.3")))
    assert code_of(other) == "READ-ONLY-FIELD"


BAD_MEMBERS: list[Any] = [
    {"kind": "IPv4Network", "value": "192.0.2.1/32"},
    {"kind": "IPv6Network", "value": "2001:db8::1/128"},
    {"kind": "IPv4Network", "value": "192.0.2.1/24"},
    {"kind": "IPv4Network", "value": "192.0.2.0"},
    {"kind": "IPv4Network", "value": "192.0.2.0/33"},
    {"kind": "IPv4Address", "value": "192.0.2.0/24"},
    {"kind": "IPv4Address", "value": "2001:db8::1"},
    {"kind": "IPv4Address", "value": "010.1.1.1"},
    {"kind": "IPv4Range", "value": "192.0.2.1-192.0.2.9"},
    {"kind": "IPv4FQDN", "value": "example.com"},
    {"kind": "Nonsense", "value": "192.0.2.1"},
    {"kind": "IPv4Address"},
    {"kind": "objectRef#NetworkObjGroup", "objectId": "NONE"},
    {"kind": "objectRef#NetworkObj", "objectId": "NONE"},
    {"kind": "objectRef#NetworkObj"},
    "192.0.2.1",
]


@pytest_twisted.ensureDeferred
async def test_a_bad_member_is_refused_and_nothing_of_its_request_stays(client: Client) -> None:
    await client.post(GROUPS, group("X", host("192.0.2.1")))
    for member in BAD_MEMBERS:
        added = await client.patch(f"{GROUPS}/X", {"members.add": [host("192.0.2.2"), member]})
        made = await client.post(GROUPS, group("Y", host("192.0.2.2"), member))
        assert (added.status_code, made.status_code) == (400, 400), member
        assert added.json()["messages"][0]["level"] == "Error"
        assert list(client.asa.configuration.groups) == ["X"], member
        held = client.asa.configuration.groups["X"].members
        assert list(held) == ["network-object host 192.0.2.1"], member


@pytest_twisted.ensureDeferred
async def test_every_kind_of_member_comes_back_as_it_went(client: Client) -> None:
    await client.post(
        "/objects/networkobjects",
        {"name": "web", "host": {"kind": "IPv4Address", "value": "192.0.2.80"}},
    )
    await client.post(GROUPS, group("C", host("192.0.2.1")))
    sent = [
        host("192.0.2.1"),
        network("192.0.2.0/25"),
        host("2001:db8::1"),
        network("2001:db8::/32"),
        {"kind": "AnyIPAddress", "value": "any4"},
        {"kind": "AnyIPv6Address", "value": "any6"},
        {"kind": "objectRef#NetworkObj", "objectId": "web"},
        child("C"),
    ]
    assert (await client.post(GROUPS, group("G", *sent))).status_code == 201
    read = (await client.get(f"{GROUPS}/G")).json()["members"]
    assert read[-1].pop("refLink") == f"{client.asa.api_url}{GROUPS}/C"
    assert read[-2].pop("refLink") == f"{client.asa.api_url}/objects/networkobjects/web"
    assert read == sent


@pytest_twisted.ensureDeferred
async def test_a_list_has_at_most_100_items_and_says_how_many_came(client: Client) -> None:
    for at in range(205):
        client.asa.type_lines([f"object-group network G-{at}", f" network-object host 10.1.0.{at}"])
    seen = []
    for offset, wanted in ((0, 100), (100, 100), (200, 5)):
        page = (await client.get(f"{GROUPS}?limit=1000&offset={offset}")).json()
        assert page["rangeInfo"] == {"offset": offset, "limit": wanted, "total": 205}
        assert page["kind"] == "collection#NetworkObjGroup"
        seen += [item["name"] for item in page["items"]]
    assert seen == [f"G-{at}" for at in range(205)]
    small = (await client.get(f"{GROUPS}?limit=2&offset=3")).json()
    assert [item["name"] for item in small["items"]] == ["G-3", "G-4"]
    beyond = (await client.get(f"{GROUPS}?offset=900")).json()
    assert beyond["items"] == []
    bad = await client.get(f"{GROUPS}?limit=many")
    assert bad.status_code == 400


@pytest_twisted.ensureDeferred
async def test_an_empty_list_is_all_zeros(client: Client) -> None:
    empty = (await client.get(GROUPS)).json()
    assert empty["rangeInfo"] == {"offset": 0, "limit": 0, "total": 0}
    assert empty["items"] == []
    client.asa.set_switches({"kind_on_empty_list": False})
    assert "kind" not in (await client.get(GROUPS)).json()


@pytest_twisted.ensureDeferred
async def test_the_graph_rules_hold_over_rest(client: Client) -> None:
    await client.post(GROUPS, group("C-1", host("192.0.2.1")))
    await client.post(GROUPS, group("C-2", host("192.0.2.2")))
    await client.post(GROUPS, group("P", child("C-1"), child("C-2")))
    refused = [
        await client.call("DELETE", f"{GROUPS}/C-1"),
        await client.patch(f"{GROUPS}/C-1", {"members.remove": [host("192.0.2.1")]}),
        await client.patch(f"{GROUPS}/C-1", {"members.add": [child("P")]}),
        await client.post(GROUPS, group("C-1", host("192.0.2.9"))),
        await client.post(GROUPS, group("E")),
        await client.patch(
            f"{GROUPS}/P", {"members.add": [child("C-9")], "members.remove": [child("C-1")]}
        ),
    ]
    assert [answer.status_code for answer in refused] == [400] * 6
    assert code_of(refused[3]) == "DUPLICATE"
    assert (await client.call("DELETE", GROUPS)).status_code == 405
    removed = await client.patch(f"{GROUPS}/P", {"members.remove": [child("C-1")]})
    assert removed.status_code == 204
    assert (await client.call("DELETE", f"{GROUPS}/C-1")).status_code == 204
    assert (await client.call("DELETE", f"{GROUPS}/C-1")).status_code == 404


@pytest_twisted.ensureDeferred
async def test_bulk_is_all_or_nothing_and_in_order(client: Client) -> None:
    def entry(method: str, path: str, data: Any = None) -> dict[str, Any]:
        made = {"method": method, "resourceUri": f"/api{path}"}
        return made if data is None else made | {"data": data}

    good = [
        entry("POST", GROUPS, group("C", host("192.0.2.1"))),
        entry("POST", GROUPS, group("P", child("C"))),
        entry("PATCH", f"{GROUPS}/C", {"members.add": [host("192.0.2.2")]}),
    ]
    answer = await client.post("", good)
    assert answer.status_code == 200
    assert answer.json() == {"entryMessages": [{"messages": []}] * 3, "commonMessages": []}
    before = client.asa.device.running_config()
    bad = [
        entry("DELETE", f"{GROUPS}/P"),
        entry("PATCH", f"{GROUPS}/C", {"members.remove": [host("192.0.2.2")]}),
        entry("POST", GROUPS, group("C", host("192.0.2.1"))),
        entry("DELETE", f"{GROUPS}/C"),
    ]
    answer = await client.post("", bad)
    assert answer.status_code == 400
    assert answer.json()["entryMessages"][2]["messages"][0]["code"] == "DUPLICATE"
    assert client.asa.device.running_config() == before
    many = [entry("GET", GROUPS)] * 1001
    assert (await client.post("", many)).status_code == 400
    assert (await client.post("", {"method": "POST"})).status_code == 400


@pytest_twisted.ensureDeferred
async def test_the_command_line_answers_text_and_drops_trailing_silence(client: Client) -> None:
    assert await client.type("hostname fw") == []
    printed = await client.type("hostname fw", "nonsense", "hostname fw")
    assert len(printed) == 2
    assert printed[0] == ""
    assert "% Invalid input detected at '^' marker." in printed[1]
    silent = await client.post("/cli", {"commands": ["hostname fw"]})
    assert silent.content == b'{"response":[]}'
    assert silent.headers["Content-length"] == "15"
    assert await client.type(
        "object-group network G",
        " network-object host 192.0.2.1",
        "show run object-group id G",
    ) == ["", "", "object-group network G\n network-object host 192.0.2.1\n"]
    assert (await client.post("/cli", {"commands": "show run"})).status_code == 400


@pytest_twisted.ensureDeferred
async def test_saving_is_apart_from_running_and_a_reload_loses_the_rest(client: Client) -> None:
    await client.post(GROUPS, group("SAVED", host("192.0.2.1")))
    saved = await client.post("/commands/writemem")
    assert saved.status_code == 200
    assert saved.json()["response"][0].endswith("[OK]\n")
    await client.post(GROUPS, group("LOST", host("192.0.2.2")))
    client.asa.reload()
    assert list(client.asa.configuration.groups) == ["SAVED"]
    assert (await client.get(f"{GROUPS}/SAVED")).status_code == 200


@pytest_twisted.ensureDeferred
async def test_monitoring_says_version_and_serial_number(client: Client) -> None:
    version = (await client.get("/monitoring/device/components/version")).json()
    assert version["asaVersion"] == "9.15(1)1"
    assert version["deviceType"] == "ASAv"
    assert version["selfLink"] == "/api/monitoring/device/version"
    serial = (await client.get("/monitoring/serialnumber")).json()
    assert serial == {"kind": "object#QuerySerialNumber", "serialNumber": client.asa.device.serial}
    assert (await client.get("/monitoring/nothing")).status_code == 404


@pytest_twisted.ensureDeferred
async def test_bodies_are_compact_and_headers_are_spelt_as_the_agent_spells_them(
    client: Client,
) -> None:
    await client.post(GROUPS, group("X/1".replace("/", "."), host("192.0.2.1")))
    answer = await client.get(GROUPS)
    assert answer.text == json.dumps(answer.json(), separators=(",", ":"))
    names = list(answer.raw.headers)
    assert names == [
        "Server",
        "Date",
        "Vary",
        "Accept-ranges",
        "X-frame-options",
        "Strict-transport-security",
        "X-content-type-options",
        "X-xss-protection",
        "Content-length",
        "Content-type",
    ]
    assert answer.headers["Server"] == "CiscoASARestApiServer"
    assert answer.headers["Content-type"] == "application/json; charset=UTF-8"
    client.asa.set_switches({"security_headers": False})
    assert "X-frame-options" not in (await client.get(GROUPS)).headers


@pytest_twisted.ensureDeferred
async def test_a_group_of_ten_thousand_is_one_document(client: Client) -> None:
    addresses = [f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}" for at in range(10_000)]
    assert (await client.post(GROUPS, group("BIG", *map(host, addresses)))).status_code == 201
    read = (await client.get(f"{GROUPS}/BIG")).json()
    assert [member["value"] for member in read["members"]] == addresses


@pytest_twisted.ensureDeferred
async def test_a_body_without_end_is_not_read_to_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 100_000)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    def send(data: Any) -> str:
        try:
            answer = requests.post(
                client.asa.api_url,
                data=data,
                verify=str(client.asa.certificate_path),
                auth=client.auth,
                timeout=60,
            )
        except requests.RequestException as error:
            return type(error).__name__
        return str(answer.status_code)

    for data in (endless(), b"x" * 200_000):
        assert await deferToThread(send, data) in ("ConnectionError", "SSLError")
    assert (await client.get(GROUPS)).status_code == 200
