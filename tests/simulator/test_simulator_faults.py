"""
The agent in trouble: armed faults, the ladder of restarts, budget, latency, reload, failover.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from tests.simulator.simulator_client import GROUPS, Client, group, host
from tests.waiting import PATIENCE_SECONDS
from tscm.errors import SettingsFaulty
from tscm.simulator.cli import Console
from tscm.simulator.cost import cost_of, over_budget
from tscm.simulator.device import Device
from tscm.simulator.faults import KINDS, Armed, Faults
from tscm.simulator.health import AgentHealth, Health
from tscm.simulator.http_values import Request
from tscm.simulator.loading import load
from tscm.simulator.pair import Pair
from tscm.simulator.profiles import PROFILES
from tscm.simulator.service import AsaOptions, SimulatedAsa
from tscm.simulator.switches import Switches

reactor: Any = global_reactor


async def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await deferLater(reactor, 0.01)


def status_of(client: Client, body: Any, timeout: float = 60) -> "Deferred[Any]":
    """The status of a POST of a group, or the name of what went wrong."""

    def send() -> Any:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(client.asa.certificate_path)
            try:
                answer = session.post(
                    client.asa.api_url + GROUPS,
                    json=body,
                    auth=client.auth,
                    headers=client.headers,
                    timeout=timeout,
                )
            except requests.RequestException as error:
                return type(error).__name__
            return answer.status_code

    return deferToThread(send)


@pytest.mark.parametrize(
    ("kind", "seen", "applied"),
    [
        ("500", 500, False),
        ("500-after", 500, True),
        ("503", 503, False),
        ("404-html", 404, False),
        ("200-html", 200, False),
        ("reset-before", "ConnectionError", False),
        ("reset-after", "ConnectionError", True),
        ("silence-before", "ReadTimeout", False),
        ("silence-after", "ReadTimeout", True),
        ("crash", 500, False),
        ("crash-after", 500, True),
        ("dead", 500, False),
        ("wait", 201, True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_armed_fault_strikes_at_its_request_alone(
    client: Client, kind: str, seen: Any, applied: bool
) -> None:
    client.asa.set_switches({"agent_restart_seconds": 0.0})
    client.asa.agent.faults.arm(kind, 2, seconds=0.05 if kind == "wait" else 0.0)
    assert await status_of(client, group("A", host("192.0.2.1"))) == 201
    told = await status_of(
        client, group("B", host("192.0.2.2")), timeout=0.5 if "silence" in kind else 60
    )
    assert told == seen
    assert ("B" in client.asa.configuration.groups) == applied
    third = await status_of(client, group("C", host("192.0.2.3")))
    assert third == (500 if kind == "dead" else 201)
    assert set(KINDS) >= {kind}


@pytest_twisted.ensureDeferred
async def test_a_body_that_is_cut_ends_in_an_error_of_the_connection(client: Client) -> None:
    client.asa.type_lines(["object-group network G", " network-object host 192.0.2.1"])
    client.asa.agent.faults.arm("cut-body")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        await client.get(GROUPS)
    assert (await client.get(GROUPS)).status_code == 200


@pytest_twisted.ensureDeferred
async def test_a_slow_body_is_a_whole_one_in_the_end(client: Client) -> None:
    client.asa.type_lines(["object-group network G", " network-object host 192.0.2.1"])
    client.asa.set_switches({"slow_body_seconds": 0.3})
    begun = reactor.seconds()
    answer = await client.get(f"{GROUPS}/G")
    assert answer.json()["name"] == "G"
    assert reactor.seconds() - begun > 0.2


@pytest_twisted.ensureDeferred
async def test_tokens_lines_and_failover_can_come_between_two_requests(client: Client) -> None:
    faults = client.asa.agent.faults
    token = (await client.post("/tokenservices")).headers["X-Auth-Token"]
    holder = Client(client.asa, auth=None)
    holder.headers["X-Auth-Token"] = token
    faults.arm(
        "outside-lines", 1, lines=("object-group network O", " network-object host 192.0.2.9")
    )
    faults.arm("lose-tokens", 2)
    assert [g["name"] for g in (await holder.get(GROUPS)).json()["items"]] == ["O"]
    assert (await holder.get(GROUPS)).status_code == 401
    faults.arm("failover", 2)
    token = (await client.post("/tokenservices")).headers["X-Auth-Token"]
    holder.headers["X-Auth-Token"] = token
    assert (await holder.get(GROUPS)).status_code == 401
    assert client.asa.device.unit == "Secondary"
    assert [g["name"] for g in (await client.get(GROUPS)).json()["items"]] == ["O"]


def test_faults_count_only_what_they_look_at() -> None:
    faults = Faults()
    faults.arm("500", 2, only="PATCH /api/objects")
    faults.arm("503", 3, forever=True)
    seen = [
        [armed.kind for armed in faults.strike(method, "/api/objects/x")]
        for method in ("GET", "PATCH", "GET", "PATCH", "PATCH")
    ]
    assert seen == [[], [], ["503"], ["500", "503"], ["503"]]
    faults.clear()
    assert faults.strike("GET", "/api") == []


@pytest.mark.parametrize(
    "wanted",
    [{}, {"kind": "x"}, {"kind": "500", "at": "1"}, {"kind": "500", "at": True}, [], {"kind": "500", "lines": "x"}],
)  # fmt: skip
def test_a_faulty_fault_is_refused(wanted: Any) -> None:
    with pytest.raises(SettingsFaulty):
        Armed.of(wanted)


# -- the ladder ---------------------------------------------------------------


def test_after_five_restarts_the_agent_gives_up_until_it_is_revived() -> None:
    health = AgentHealth(Switches(agent_restart_seconds=60.0))
    now = 0.0
    for _ in range(5):
        assert [message.id for message in health.crash(now)] == ["342003"]
        assert health.state is Health.RESTARTING
        assert health.crash(now + 1) == []
        assert health.poll(now + 59) == []
        now += 60
        assert [message.id for message in health.poll(now)] == ["342001"]
    assert [message.id for message in health.crash(now)] == ["342003", "342004"]
    assert health.poll(now + 1e6) == []
    assert health.start(now) == []  # without `no rest-api agent` first nothing happens
    health.stop()
    assert [message.id for message in health.start(now)] == ["342001"]
    assert health.state is Health.UP


def test_an_agent_that_was_well_for_long_has_all_its_restarts_again() -> None:
    health = AgentHealth(Switches(agent_restart_seconds=10.0, agent_stable_seconds=300.0))
    health.crash(0.0)
    health.poll(10.0)
    health.poll(309.0)
    assert health.failures == 1
    health.poll(310.0)
    assert health.failures == 0
    assert health.crashes == 1


@pytest.mark.parametrize("status", [500, 503, 404])
@pytest.mark.parametrize("body", ["html", "empty", "json"])
@pytest_twisted.ensureDeferred
async def test_a_dead_agent_answers_so_until_the_two_commands(
    client: Client, status: int, body: str
) -> None:
    client.asa.set_switches({"down_status": status, "error_body": body})
    client.asa.kill_agent()
    for _ in range(2):
        answer = await client.get(GROUPS)
        assert answer.status_code == status
        assert answer.text.startswith({"html": "<html>", "empty": "", "json": '{"messages"'}[body])
    assert any("%ASA-3-342004" in line for line in client.asa.passage.buffer)
    client.asa.type_lines(["rest-api agent"])
    assert (await client.get(GROUPS)).status_code == status
    assert client.asa.type_lines(["no rest-api agent"]) == [""]
    assert (await client.get(GROUPS)).status_code == 404
    client.asa.type_lines(["rest-api agent"])
    assert (await client.get(GROUPS)).status_code == 200


@pytest.mark.parametrize("loses", [True, False])
@pytest_twisted.ensureDeferred
async def test_whether_a_restart_ends_tokens_is_a_switch(client: Client, loses: bool) -> None:
    client.asa.set_switches({"restart_loses_tokens": loses, "agent_restart_seconds": 0.0})
    token = (await client.post("/tokenservices")).headers["X-Auth-Token"]
    client.asa.agent.crash()
    holder = Client(client.asa, auth=None)
    holder.headers["X-Auth-Token"] = token
    assert (await holder.get(GROUPS)).status_code == (401 if loses else 200)


@pytest_twisted.ensureDeferred
async def test_a_platform_without_an_agent_has_nothing_at_api() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", profile="FPR-1010"))
    asa.startService()
    client = Client(asa)
    answer = await client.get(GROUPS)
    assert answer.status_code == 404
    assert answer.text.startswith("<html>")
    (printed,) = asa.type_lines(["rest-api agent"])
    assert "% Invalid input" in printed
    assert "REST API Agent" not in asa.type_lines(["show version"])[0]
    assert asa.device.load_errors == []
    await asa.stopService()


# -- size, time and number ----------------------------------------------------


def filled(profile: str, members: int) -> Device:
    device = Device(profile=PROFILES[profile])
    load(
        device,
        "\n".join(
            (
                "object-group network G",
                *(f" network-object host 11.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(members)),
            )
        ),
        0.0,
    )  # fmt: skip
    return device


def test_each_platform_bears_what_the_release_notes_say() -> None:
    def budget(profile: str) -> int:
        return PROFILES[profile].budget_bytes

    assert budget("ASAv5") == 450_000
    assert budget("ASAv10") == 500_000
    assert budget("5555") == budget("5585") == 2_000_000
    assert over_budget(filled("ASAv5", 20_000))
    assert not over_budget(filled("5555", 20_000))
    assert not over_budget(filled("ASAv5", 5_000))


def test_calls_take_longer_the_more_is_configured_and_writes_most() -> None:
    small, large = filled("ASAv10", 10), filled("ASAv10", 10_000)

    def seconds(device: Device, method: str, *segments: str, body: bytes = b"") -> float:
        return cost_of(
            Request(method=method, segments=("api", *segments), body=body), device
        ).seconds

    groups = ("objects", "networkobjectgroups")
    assert 0.5 <= seconds(small, "GET", *groups) < seconds(large, "GET", *groups) <= 4.9
    assert 0.9 <= seconds(small, "PATCH", *groups, "G") < seconds(large, "PATCH", *groups, "G") < 23
    assert seconds(large, "PATCH", *groups, "G") > seconds(large, "GET", *groups)
    assert (
        seconds(small, "PATCH", *groups, body=b"x" * 48_000)
        > seconds(small, "PATCH", *groups) + 0.9
    )
    assert 7.4 <= seconds(small, "POST", "commands", "writemem") < 28
    assert seconds(large, "GET", "monitoring", "serialnumber") < 0.1
    before = seconds(large, "GET", *groups)
    large.outside_changes = 1
    assert seconds(large, "GET", *groups) > 2 * before


@pytest_twisted.ensureDeferred
async def test_over_its_budget_the_agent_crashes_although_the_write_was_done() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", profile="ASAv5"))
    asa.set_switches({"agent_restart_seconds": 0.0})
    asa.startService()
    client = Client(asa)
    many = [host(f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(18_000)]
    assert (await client.post(GROUPS, group("BIG", *many))).status_code == 500
    assert "BIG" in asa.configuration.groups
    assert (await client.get(GROUPS)).status_code == 500
    assert (await client.get("/monitoring/serialnumber")).status_code == 200
    assert asa.counts.agent_crashes == 2
    asa.type_lines(["no object-group network BIG"])
    assert (await client.get(GROUPS)).status_code == 200
    asa.set_switches({"enforce_budget": False})
    assert (await client.post(GROUPS, group("BIG", *many))).status_code == 201
    await asa.stopService()


@pytest.mark.parametrize(
    ("fault", "statuses", "crashes"),
    [("crash", {500}, 1), ("500", {200, 500}, 0), ("served", {200}, 0)],
)
@pytest_twisted.ensureDeferred
async def test_two_requests_at_a_time(
    client: Client, fault: str, statuses: set[int], crashes: int
) -> None:
    client.asa.set_switches({"time_scale": 2.0, "concurrent_fault": fault})
    answers = await gatherResults([client.get(GROUPS), client.get(GROUPS)])
    assert {answer.status_code for answer in answers} == statuses
    assert client.asa.counts.agent_crashes == crashes
    assert client.asa.counts.in_flight_most == (2 if fault == "served" else 1)
    assert client.asa.counts.in_flight == 0


@pytest_twisted.ensureDeferred
async def test_a_call_takes_effect_although_its_client_gave_up(client: Client) -> None:
    client.asa.set_switches({"time_scale": 5.0})
    told = await status_of(client, group("A", host("192.0.2.1")), timeout=0.3)
    assert told == "ReadTimeout"
    assert "A" not in client.asa.configuration.groups
    await until(lambda: "A" in client.asa.configuration.groups)
    assert client.asa.counts.in_flight == 0


@pytest_twisted.ensureDeferred
async def test_a_body_too_large_for_the_agent_crashes_it(client: Client) -> None:
    client.asa.set_switches({"crash_body_bytes": 2000, "agent_restart_seconds": 0.0})
    small = [host(f"192.0.2.{n}") for n in range(10)]
    large = [host(f"192.0.3.{n}") for n in range(100)]
    assert (await client.post(GROUPS, group("S", *small))).status_code == 201
    assert (await client.post(GROUPS, group("L", *large))).status_code == 500
    assert list(client.asa.configuration.groups) == ["S"]


@pytest_twisted.ensureDeferred
async def test_a_write_can_be_taken_and_done_later(client: Client) -> None:
    client.asa.set_switches({"accepted_late_seconds": 0.7})
    assert (await client.post(GROUPS, group("A", host("192.0.2.1")))).status_code == 202
    assert "A" not in client.asa.configuration.groups
    await until(lambda: "A" in client.asa.configuration.groups)


@pytest_twisted.ensureDeferred
async def test_who_asks_is_judged_when_a_write_is_taken_and_not_when_it_is_done(
    client: Client,
) -> None:
    client.asa.set_switches({"accepted_late_seconds": 0.3})
    token = (await client.post("/tokenservices")).headers["X-Auth-Token"]
    holder = Client(client.asa, auth=None)
    holder.headers["X-Auth-Token"] = token
    assert (await holder.post(GROUPS, group("A", host("192.0.2.1")))).status_code == 202
    assert (await client.call("DELETE", f"/tokenservices/{token}")).status_code == 204
    assert (await holder.post(GROUPS, group("B", host("192.0.2.1")))).status_code == 401
    await until(lambda: "A" in client.asa.configuration.groups)
    assert "B" not in client.asa.configuration.groups


@pytest_twisted.ensureDeferred
async def test_stopping_lets_go_of_what_is_under_way() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret"))
    asa.set_switches({"time_scale": 10.0})
    asa.startService()
    waiting = status_of(Client(asa), group("A", host("192.0.2.1")))
    while not asa.counts.in_flight:
        await deferLater(reactor, 0.01)
    await asa.stopService()
    assert await waiting == "ConnectionError"


@pytest.mark.parametrize("counts", [True, False])
@pytest_twisted.ensureDeferred
async def test_whether_cli_writes_are_outside_changes_is_a_switch(
    client: Client, counts: bool
) -> None:
    client.asa.set_switches({"cli_is_outside_change": counts})
    await client.type("show run")
    assert client.asa.device.outside_changes == 0
    await client.type("hostname other")
    assert client.asa.device.outside_changes == int(counts)
    await client.get(GROUPS)
    assert client.asa.device.outside_changes == 0


# -- reload and failover ------------------------------------------------------


def out_of_order(client: Client) -> None:
    client.asa.type_lines(
        [
            "object-group network C-1",
            " network-object host 192.0.2.1",
            "object-group network P",
            " group-object C-1",
            "object-group network C-2",
            " network-object host 192.0.2.2",
            "object-group network P",
            " group-object C-2",
            "access-list X extended deny ip object-group P any log",
            "write memory",
        ]
    )


@pytest.mark.parametrize("hazard", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_reload_of_9_18_loses_groups_that_stand_out_of_order(
    client: Client, hazard: bool
) -> None:
    client.asa.set_switches({"reload_hazard": hazard})
    out_of_order(client)
    client.asa.reload(version="9.18(2)")
    children = client.asa.configuration.groups["P"].children
    assert children == ({"C-1"} if hazard else {"C-1", "C-2"})
    assert bool(client.asa.device.load_errors) == hazard
    version = (await client.get("/monitoring/device/components/version")).json()
    assert version["asaVersion"] == "9.18(2)"
    assert version["upTimeinSeconds"] < PATIENCE_SECONDS


@pytest_twisted.ensureDeferred
async def test_nothing_answers_while_the_firewall_reloads(client: Client) -> None:
    client.asa.set_switches({"reload_seconds": 1.0})
    client.asa.reload()
    assert await status_of(client, group("A", host("192.0.2.1"))) == "ConnectionError"
    await deferLater(reactor, 1.05)
    assert (await client.get(GROUPS)).status_code == 200


@pytest_twisted.ensureDeferred
async def test_a_pair_replicates_until_somebody_types_on_the_standby_unit() -> None:
    asa = SimulatedAsa(reactor, AsaOptions(password="secret", standby_https=("127.0.0.1", 0)))
    asa.startService()
    client, standby = Client(asa), Client(asa)
    assert asa.standby_url is not None
    url = asa.standby_url

    def on_standby(method: str, path: str, body: Any = None) -> "Deferred[requests.Response]":
        def send() -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                session.verify = str(asa.certificate_path)
                session.headers.update(standby.headers)
                return session.request(method, url + path, json=body, auth=standby.auth, timeout=60)

        return deferToThread(send)

    await client.post(GROUPS, group("A", host("192.0.2.1")))
    assert (await on_standby("GET", f"{GROUPS}/A")).status_code == 200
    shown = (await on_standby("POST", "/cli", {"commands": ["show failover"]})).json()
    assert "This host: Secondary - Standby Ready" in shown["response"][0]
    assert "This host: Primary - Active" in (await client.type("show failover"))[0]
    assert asa.pair is not None
    assert asa.pair.in_step(reactor.seconds())

    wrote = await on_standby("POST", GROUPS, group("B", host("192.0.2.2")))
    assert wrote.status_code == 200
    assert "NOT performed from Standby" in wrote.json()["messages"][0]["details"]
    typed = await on_standby("POST", "/cli", {"commands": ["hostname standby"]})
    assert typed.json()["response"][0].startswith("**** WARNING ****")
    asa.set_switches({"standby_warns": False})
    silent = await on_standby("POST", GROUPS, group("C", host("192.0.2.3")))
    assert silent.status_code == 201
    assert not asa.pair.in_step(reactor.seconds())
    await client.post(GROUPS, group("D", host("192.0.2.4")))
    assert (await on_standby("GET", f"{GROUPS}/D")).status_code == 404

    asa.fail_over()
    assert sorted(asa.configuration.groups) == ["A", "B", "C"]
    assert (await client.get(f"{GROUPS}/D")).status_code == 404
    assert (await on_standby("GET", f"{GROUPS}/D")).status_code == 200
    asa.type_lines(["write standby"])
    assert asa.pair.in_step(reactor.seconds())
    assert any("%ASA-1-104001" in line for line in asa.passage.buffer)
    await asa.stopService()


@pytest.mark.parametrize("has_agent", [True, False])
@pytest_twisted.ensureDeferred
async def test_whether_the_other_unit_has_an_agent_is_a_switch(
    client: Client, has_agent: bool
) -> None:
    client.asa.set_switches({"standby_has_agent": has_agent})
    client.asa.fail_over()
    assert (await client.get(GROUPS)).status_code == (200 if has_agent else 404)


def test_a_pair_saves_both_units() -> None:
    primary = Device()
    pair = Pair.of(primary, 0.0)
    Console.of(primary).run("hostname fw", 0.0)
    primary.save(0.0)
    pair.keep_in_step(1.0)
    assert "hostname fw" in pair.standby.startup


TYPED = st.sampled_from(
    [
        "object-group network A",
        "object-group network B",
        " network-object host 192.0.2.1",
        " network-object host 192.0.2.2",
        " group-object A",
        " group-object B",
        "no object-group network A",
        "access-list X extended deny ip object-group A any",
        "no access-list X extended deny ip object-group A any",
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(TYPED, max_size=25))
def test_whatever_was_typed_a_saved_configuration_comes_back_whole(lines: list[str]) -> None:
    device = Device()
    console = Console.of(device)
    for line in lines:
        console.run(line, 0.0)
    device.save(0.0)
    again = Device()
    load(again, device.startup, 0.0)
    assert again.load_errors == []
    assert again.running_config() == device.running_config()


def test_time_passes_by_the_clock_that_was_handed_in() -> None:
    clock = Clock()
    asa = SimulatedAsa(clock, AsaOptions())
    clock.advance(100)
    asa.agent.crash()
    assert asa.state()["agent"] == "restarting"
    clock.advance(60)
    asa.agent.poll()
    assert asa.state()["agent"] == "up"


def test_what_is_typed_during_a_bulk_synchronisation_does_not_reach_the_mate() -> None:
    primary = Device()
    pair = Pair.of(primary, 0.0)
    console = Console.of(primary)
    pair.begin_sync(0.0, 10.0)
    assert "Other host: Secondary - Sync Config" in console.run("show failover", 5.0)
    assert console.run("hostname during", 5.0) == (
        "Beginning configuration replication: Sending to mate.\n"
    )
    pair.keep_in_step(5.0)
    assert console.run("show failover", 11.0).endswith("Secondary - Standby Ready\n")
    pair.keep_in_step(11.0)
    assert pair.standby.hostname == "ciscoasa"
    assert console.run("object-group network A", 12.0) == ""
    pair.keep_in_step(12.0)
    assert pair.standby.hostname == "during"
    assert pair.in_step(12.0)


@pytest.mark.parametrize("warns", [True, False])
@pytest_twisted.ensureDeferred
async def test_whether_writes_in_a_bulk_synchronisation_carry_its_notice_is_a_switch(
    client: Client, warns: bool
) -> None:
    client.asa.set_switches({"sync_warns": warns})
    client.asa.begin_sync(3600)
    entry = {
        "method": "POST",
        "resourceUri": f"/api{GROUPS}",
        "data": group("B", host("192.0.2.1")),
    }
    answers = [
        await client.post(GROUPS, group("A", host("192.0.2.1"))),
        await client.patch(f"{GROUPS}/A", {"members.add": [host("192.0.2.2")]}),
        await client.post("", [entry]),
    ]
    assert [answer.status_code for answer in answers] == ([200] * 3 if warns else [201, 204, 200])
    for answer in answers:
        assert ("Beginning configuration replication" in answer.text) == warns
    assert "replication" not in (await client.get(GROUPS)).text
    assert client.asa.pair is not None
    client.asa.device.sync_until = 1.0
    await client.get(GROUPS)
    assert not client.asa.pair.in_step(reactor.seconds())
    await client.post(GROUPS, group("C", host("192.0.2.1")))
    assert client.asa.pair.in_step(reactor.seconds())


@pytest_twisted.ensureDeferred
async def test_a_reload_in_a_pair_is_a_failover_that_loses_nothing(client: Client) -> None:
    client.asa.make_pair()
    await client.post(GROUPS, group("UNSAVED", host("192.0.2.1")))
    client.asa.reload(version="9.16(4)")
    assert client.asa.device.unit == "Secondary"
    assert (await client.get(f"{GROUPS}/UNSAVED")).status_code == 200
    assert client.asa.pair is not None
    assert client.asa.pair.in_step(reactor.seconds())
    assert client.asa.pair.standby.asa_version == "9.16(4)"


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_not_in_the_http_list_gets_no_connection(client: Client) -> None:
    for lines, admitted in (
        (["no http 0.0.0.0 0.0.0.0 management"], False),
        (["http 192.0.2.0 255.255.255.0 management"], False),
        (["http 127.0.0.0 255.0.0.0 management"], True),
        (["no http server enable"], False),
        (["http server enable 443"], True),
    ):
        assert client.asa.type_lines(lines) == [""]
        told = await status_of(client, group("E"))
        assert told == 400 if admitted else told in ("ConnectionError", "SSLError"), lines
