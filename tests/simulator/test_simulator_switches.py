"""
Every switch in every position: what no document settles must show in what the firewall does.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from attrs import fields
from twisted.internet import reactor as global_reactor
from twisted.internet.task import deferLater

from tests.simulator.simulator_client import GROUPS, Client, child, group, host, network
from tscm.errors import SettingsFaulty
from tscm.simulator.matching import Packet
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.switches import Switches

reactor: Any = global_reactor
Scene = Callable[[Client], Awaitable[Any]]
SCENES: dict[str, tuple[Scene, dict[Any, Any]]] = {}
"""By switch: what is done, and what is seen in each position."""

ELSEWHERE = {
    "user_agent_gate", "user_agent_status", "token_lifetime", "token_maximum", "lockout_after",
    "restart_loses_tokens", "security_headers", "interval_counts_first", "deny_flow_max",
    "class_form", "lines_per_second", "stray_space_share", "split_segments", "reconnect_seconds",
    "enforce_budget", "time_scale", "concurrent_limit", "concurrent_fault", "crash_body_bytes",
    "agent_restart_seconds", "agent_start_seconds", "agent_restarts", "agent_stable_seconds",
    "down_status", "error_body", "accepted_late_seconds", "slow_body_seconds", "reload_seconds",
    "reload_hazard", "standby_has_agent", "standby_warns", "sync_warns", "cli_is_outside_change", "audit_lines",
    "trace_logs", "ssh_algorithms", "ssh_ahead_bytes", "ssh_line_seconds", "ssh_recompile_seconds",
    "ssh_idle_seconds", "ssh_cut_after_bytes", "ssh_unasked", "ssh_enable_prompt", "duplicate_message",
    "http_agent_status", "http_plus", "http_xml", "http_form_login", "http_form_seconds",
    "http_form_over", "http_post_seconds", "http_line_seconds", "http_timeout_seconds",
}  # fmt: skip
"""Switches whose positions other files of this folder try."""


def scene(*, seen: dict[Any, Any]) -> Callable[[Scene], Scene]:
    """Keep the scene under its name, which is its switch; *seen* by position."""

    def keep(made: Scene) -> Scene:
        SCENES[made.__name__] = (made, seen)
        return made

    return keep


@scene(seen={400: (400, "DUPLICATE"), 409: (409, "DUPLICATE"), 500: (500, "DUPLICATE")})
async def duplicate_status(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    answer = await client.post(GROUPS, group("A", host("192.0.2.2")))
    return answer.status_code, answer.json()["messages"][0]["code"]


@scene(seen={True: 1, False: 0})
async def reload_lines(client: Client) -> Any:
    client.asa.reload()
    await client.get(GROUPS)  # it is said a turn of the reactor later
    return sum("%ASA-6-199002: Startup completed." in line for line in client.asa.passage.buffer)


@scene(seen={400: [400, 400], 409: [409, 409], 500: [500, 500]})
async def in_use_status(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    await client.post(GROUPS, group("P", child("A")))
    answers = [
        await client.call("DELETE", f"{GROUPS}/A"),
        await client.patch(f"{GROUPS}/A", {"members.remove": [host("192.0.2.1")]}),
    ]
    return [answer.status_code for answer in answers]


@scene(seen={400: [400, 400], 404: [404, 404], 500: [500, 500]})
async def member_error_status(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1"), host("192.0.2.2")))
    answers = [
        await client.patch(f"{GROUPS}/A", {"members.add": [host("192.0.2.1")]}),
        await client.patch(f"{GROUPS}/A", {"members.remove": [host("192.0.2.9")]}),
    ]
    return [answer.status_code for answer in answers]


@scene(seen={400: 400, 404: 404, 500: 500})
async def unknown_reference_status(client: Client) -> Any:
    return (await client.post(GROUPS, group("A", child("NONE")))).status_code


@scene(seen={"refused": (400, 1), "ignored": (204, 2)})
async def member_present(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    body = {"members.add": [host("192.0.2.1"), host("192.0.2.2")]}
    answer = await client.patch(f"{GROUPS}/A", body)
    return answer.status_code, len(client.asa.configuration.groups["A"].members)


@scene(seen={"refused": (400, 3), "ignored": (204, 2)})
async def member_absent(client: Client) -> Any:
    await client.post(GROUPS, group("A", *(host(f"192.0.2.{n}") for n in (1, 2, 3))))
    body = {"members.remove": [host("192.0.2.9"), host("192.0.2.2")]}
    answer = await client.patch(f"{GROUPS}/A", body)
    return answer.status_code, len(client.asa.configuration.groups["A"].members)


@scene(seen={True: True, False: False})
async def kind_on_empty_list(client: Client) -> Any:
    empty = "kind" in (await client.get(GROUPS)).json()
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    assert "kind" in (await client.get(GROUPS)).json()
    return empty


@scene(seen={"empty": "", "absent": None})
async def description_when_unset(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    await client.post(GROUPS, group("B", host("192.0.2.1")) | {"description": "ours"})
    assert (await client.get(f"{GROUPS}/B")).json()["description"] == "ours"
    return (await client.get(f"{GROUPS}/A")).json().get("description")


@scene(seen={False: (204, ""), True: (200, "Warning")})
async def success_warning(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    answer = await client.patch(f"{GROUPS}/A", {"members.add": [host("192.0.2.2")]})
    assert len(client.asa.configuration.groups["A"].members) == 2
    return answer.status_code, answer.json()["messages"][0]["level"] if answer.text else ""


@scene(seen={"INVALID-INPUT": "INVALID-INPUT", "": ""})
async def error_code(client: Client) -> Any:
    answer = await client.post(GROUPS, group("A", network("192.0.2.1/24")))
    return answer.json()["messages"][0]["code"]


@scene(seen={"refused": (400, 400, 1), "accepted": (201, 204, 0)})
async def empty_group(client: Client) -> Any:
    made = await client.post(GROUPS, group("E"))
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    put = await client.call("PUT", f"{GROUPS}/A", group("A"))
    return made.status_code, put.status_code, len(client.asa.configuration.groups["A"].members)


@scene(
    seen={
        "refused": (400, ["1"]),
        "add-first": (204, ["2"]),
        "remove-first": (400, ["1"]),
        "only-add": (204, ["1", "2"]),
    }
)
async def both_lists(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    await client.post(GROUPS, group("P", child("A")))  # so that A must not become empty
    body = {"members.add": [host("192.0.2.2")], "members.remove": [host("192.0.2.1")]}
    answer = await client.patch(f"{GROUPS}/A", body)
    held = client.asa.configuration.groups["A"].members
    return answer.status_code, [member[-1] for member in held]


@scene(seen={True: ([400, 400], {"A": 1}), False: ([400, 400], {"A": 2, "B": 1})})
async def request_atomic(client: Client) -> Any:
    await client.post(GROUPS, group("A", host("192.0.2.1")))
    bad = network("192.0.2.1/24")
    answers = [
        await client.patch(
            f"{GROUPS}/A", {"members.add": [host("192.0.2.2"), bad, host("192.0.2.3")]}
        ),
        await client.post(GROUPS, group("B", host("192.0.2.1"), bad)),
    ]
    held = client.asa.configuration.groups
    return [answer.status_code for answer in answers], {n: len(g.members) for n, g in held.items()}


@scene(seen={"refused": (400, 400), "accepted": (201, 201)})
async def single_host_network(client: Client) -> Any:
    four = await client.post(GROUPS, group("A", network("192.0.2.1/32")))
    six = await client.post(GROUPS, group("B", network("2001:db8::1/128")))
    if four.status_code == 201:
        assert (await client.get(f"{GROUPS}/A")).json()["members"] == [host("192.0.2.1")]
    return four.status_code, six.status_code


@scene(seen={"refused": (400, []), "cleared": (201, ["192.0.2.0/24"])})
async def host_bits(client: Client) -> Any:
    made = await client.post(GROUPS, group("A", network("192.0.2.1/24")))
    read = (await client.get(f"{GROUPS}/A")).json()
    return made.status_code, [member["value"] for member in read.get("members", ())]


@scene(seen={0: 201, 2: 400, 3: 201})
async def max_members(client: Client) -> Any:
    return (
        await client.post(GROUPS, group("A", *(host(f"192.0.2.{n}") for n in (1, 2, 3))))
    ).status_code


@scene(seen={0: [201, 201, 201], 2: [201, 201, 400], 3: [201, 201, 201]})
async def max_nesting(client: Client) -> Any:
    bodies = (group("A", host("192.0.2.1")), group("B", child("A")), group("C", child("B")))
    return [(await client.post(GROUPS, body)).status_code for body in bodies]


@scene(seen={0: 201, 50: 400})
async def max_body_bytes(client: Client) -> Any:
    return (await client.post(GROUPS, group("A", host("192.0.2.1")))).status_code


def entries() -> list[dict[str, Any]]:
    return [
        {"method": "POST", "resourceUri": f"/api{GROUPS}", "data": group("A", host("192.0.2.1"))},
        {"method": "POST", "resourceUri": f"/api{GROUPS}", "data": group("A", host("192.0.2.2"))},
        {"method": "POST", "resourceUri": f"/api{GROUPS}", "data": group("B", host("192.0.2.2"))},
    ]


@scene(seen={"all": [], "validation": ["A"]})
async def bulk_atomic(client: Client) -> Any:
    assert (await client.post("", entries())).status_code == 400
    return list(client.asa.configuration.groups)


@scene(seen={400: 400, 200: 200, 500: 500})
async def bulk_failure_status(client: Client) -> Any:
    answer = await client.post("", entries())
    assert answer.json()["entryMessages"][-1]["messages"][0]["level"] == "Error"
    return answer.status_code


@scene(seen={"messages": {"messages": []}, "bare": [], "null": None})
async def bulk_entry_form(client: Client) -> Any:
    return (await client.post("", entries()[:1])).json()["entryMessages"][0]


@scene(seen={1000: 400, 2: 400, 3: 400})
async def bulk_maximum(client: Client) -> Any:
    position = int(client.asa.switches.bulk_maximum)
    entry = {"method": "GET", "resourceUri": f"/api{GROUPS}"}
    assert (await client.post("", [entry] * position)).status_code == 200
    return (await client.post("", [entry] * (position + 1))).status_code


@scene(seen={True: ("", 1), False: ("% Invalid input", 0)})
async def cli_keeps_submode(client: Client) -> Any:
    answer = await client.post(
        "/cli",
        {"commands": ["object-group network G", " network-object host 192.0.2.1", "show clock"]},
    )
    printed = answer.json()["response"]
    assert printed[0] == ""
    found = "% Invalid input" if "% Invalid input" in printed[1] else printed[1]
    return found, len(client.asa.configuration.groups["G"].members)


@pytest.mark.parametrize("name", list(SCENES))
@pytest_twisted.ensureDeferred
async def test_every_position_shows(name: str) -> None:
    made, seen = SCENES[name]
    for position, wanted in seen.items():
        asa = SimulatedAsa(reactor, AsaOptions(password="secret"))
        asa.startService()
        asa.set_switches({name: position})
        try:
            assert await made(Client(asa)) == wanted, position
        finally:
            await asa.stopService()


@scene(seen={0: (0, 0, True), 86_400: (1, 1, False)})
async def clock_ahead_seconds(client: Client) -> Any:
    told = (await client.get("/api/monitoring/clock")).json()["currentTimeinSeconds"]
    version = (await client.get("/api/monitoring/device/components/version")).json()
    (shown,) = (await client.post("/api/cli", {"commands": ["show clock"]})).json()["response"]
    today = time.strftime("%b %d %Y", time.gmtime())
    days = [round((one - time.time()) / 86_400) for one in (told, version["currentTimeinSeconds"])]
    return (*days, today in shown)


def test_no_switch_and_no_position_is_left_out() -> None:
    known = {item.name: item for item in fields(Switches)}
    assert set(SCENES) | ELSEWHERE == set(known)
    for name, (_, seen) in SCENES.items():
        allowed = known[name].metadata.get("allowed")
        assert allowed is None or set(seen) == set(allowed), name
        assert known[name].metadata["doc"], name


def test_the_first_position_is_the_default_and_all_read_back() -> None:
    switches = Switches()
    for item in fields(Switches):
        allowed = item.metadata.get("allowed")
        assert allowed is None or getattr(switches, item.name) in allowed
    wanted = {"duplicate_status": 409, "token_lifetime": 5, "reload_hazard": True}
    switches.update(wanted)
    assert wanted.items() <= switches.as_json().items()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"x": 1}, "there is no such switch"),
        ({"duplicate_status": 401}, "allowed: 400, 409, 500"),
        ({"reload_hazard": 1}, "allowed: False, True"),
        ({"token_lifetime": -1}, "a number from 0 up"),
        ({"token_lifetime": True}, "a number from 0 up"),
        ({"token_lifetime": "5"}, "a number from 0 up"),
        ({"duplicate_status": 409, "empty_group": "perhaps"}, "empty_group"),
    ],
)
def test_a_position_that_there_is_not_changes_nothing(wanted: dict[str, Any], words: str) -> None:
    switches = Switches()
    before = switches.as_json()
    with pytest.raises(SettingsFaulty, match=words):
        switches.update(wanted)
    assert switches.as_json() == before


@pytest.mark.parametrize(("limit", "unlogged"), [(0, 0), (5, 5), (10, 0)])
@pytest_twisted.ensureDeferred
async def test_the_number_of_denied_flows_that_are_kept(
    client: Client, limit: int, unlogged: int
) -> None:
    client.asa.set_switches({"deny_flow_max": limit})
    client.asa.type_lines(["access-list X extended deny ip any any log", "access-group X global"])
    packets = [Packet(source="192.0.2.1", destination="10.0.0.1", sport=n) for n in range(10)]
    assert client.asa.passage.send(packets).unlogged == unlogged


@pytest.mark.parametrize(("lifetime", "status"), [(0, 200), (0.05, 401), (60, 200)])
@pytest_twisted.ensureDeferred
async def test_how_long_a_token_lives(client: Client, lifetime: float, status: int) -> None:
    client.asa.set_switches({"token_lifetime": lifetime})
    token = (await client.post("/tokenservices")).headers["X-Auth-Token"]
    await deferLater(reactor, 0.1)
    holder = Client(client.asa, auth=None)
    holder.headers["X-Auth-Token"] = token
    assert (await holder.get(GROUPS)).status_code == status


@pytest.mark.parametrize(("position", "tag"), [(False, "%ASA-4-1"), (True, "%ASA-session-4-1")])
@pytest_twisted.ensureDeferred
async def test_the_class_form_of_the_tag(client: Client, position: bool, tag: str) -> None:
    client.asa.set_switches({"class_form": position})
    client.asa.type_lines(["access-list X extended deny ip any any", "access-group X global"])
    client.asa.passage.send([Packet(source="192.0.2.1", destination="10.0.0.1")])
    assert tag in client.asa.passage.buffer[-1]


@pytest_twisted.ensureDeferred
async def test_how_long_the_start_of_the_agent_takes(client: Client) -> None:
    client.asa.set_switches({"agent_start_seconds": 0.7})
    client.asa.kill_agent()
    client.asa.revive_agent()
    assert (await client.get(GROUPS)).status_code == 500
    await deferLater(reactor, 0.75)
    assert (await client.get(GROUPS)).status_code == 200


@pytest.mark.parametrize("position", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_packet_tracer_makes_up_is_logged_where_that_is_on(
    client: Client, position: bool
) -> None:
    client.asa.set_switches({"trace_logs": position})
    await client.type(
        "access-list X extended deny ip host 203.0.113.7 any log", "access-group X global"
    )
    traced = "packet-tracer input outside tcp 203.0.113.7 1025 10.0.0.1 80"
    (shown,) = (await client.post("/cli", {"commands": [traced]})).json()["response"]
    assert "Action: drop" in shown
    lines = [one for one in client.asa.passage.buffer if "106100" in one and "203.0.113.7" in one]
    assert len(lines) == position


@pytest.mark.parametrize("position", [False, True])
@pytest_twisted.ensureDeferred
async def test_logins_and_commands_are_told_where_that_is_on(
    client: Client, position: bool
) -> None:
    client.asa.set_switches({"audit_lines": position})
    await client.post("/tokenservices")
    await Client(client.asa, auth=("admin", "wrong")).get(GROUPS)
    await client.type("hostname fw")
    client.asa.type_lines(["show clock"])
    said = "\n".join(client.asa.passage.buffer)
    for words in (
        "%ASA-6-605005: Login permitted from 127.0.0.1/",
        'to management:192.168.45.1/https for user "admin"',
        "%ASA-6-605004: Login denied from 127.0.0.1/",
        "%ASA-5-111008: User 'admin' executed the 'hostname fw' command.",
        "%ASA-5-111010: User 'admin', running 'CLI' from IP 127.0.0.1, executed 'hostname fw'",
        "User 'enable_15' executed the 'show clock' command.",
    ):
        assert (words in said) == position, words
    assert "executed 'show clock'" not in said
