"""
The doctor beside the whole product, broken in each way that it knows, one by one.
"""

import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_twisted
from twisted.logger import LogEvent

from tests.doctor.doctor_world import HERE, LISTED, PASSWORD, World, not_good, quiet
from tscm.doctor.examine_node import walk_node
from tscm.doctor.judge_node import Space
from tscm.doctor.probe_host import Host, free_space
from tscm.kinds.asa.lines import access_list_lines

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted

OURS = access_list_lines("X-Block", "X-Allow")
Break = Callable[[World], Awaitable[None]]
BEHIND_THE_DEVICE = {
    "version",
    "free budget",
    "groups",
    "access-lists",
    "access-list log",
    "logging",
    "logging host",
    "permit-hostdown",
    "test address",
}


@pytest_twisted.async_yield_fixture()
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.end()


@pytest_twisted.async_yield_fixture()
async def whole(world: World) -> AsyncIterator[World]:
    await world.add()
    await world.push()
    await world.hit()
    yield world


@pytest_twisted.ensureDeferred
async def test_a_chain_that_holds_is_all_good(whole: World) -> None:
    found = await whole.doctor()
    assert not not_good(found), found
    assert LISTED in found["test address"]["sentence"]
    host = await whole.doctor(None)
    assert set(not_good(host)) <= {"clock", "disk", "socket buffers"}  # this host's own
    assert "failed" not in not_good(host).values()


async def wrong_password(world: World) -> None:
    world.asa.device.accounts.add("admin", "another")


async def privilege_5(world: World) -> None:
    world.asa.device.accounts.add("admin", PASSWORD, 5)


async def agent_down(world: World) -> None:
    world.type("no rest-api agent")


async def no_agent(world: World) -> None:
    world.asa.set_switches({"down_status": 404})
    world.type("no rest-api agent")


async def device_away(world: World) -> None:
    await world.stop("asa")


async def another_certificate(world: World) -> None:
    world.asa.renew_certificate()


async def groups_missing(world: World) -> None:
    world.type("clear configure access-list global_access", "clear configure object-group")


async def without_log(world: World) -> None:
    world.type(*(one.removesuffix(" log") for one in OURS))


async def log_disabled(world: World) -> None:
    world.type(f"{OURS[3]} disable")


async def not_bound(world: World) -> None:
    world.type("no access-group global_access global")


async def everything_permitted_above(world: World) -> None:
    everything = "extended permit ip any any"
    world.type(
        f"no access-list global_access {everything}",
        f"access-list global_access line 1 {everything}",
    )


async def logs_elsewhere(world: World) -> None:
    world.type(
        f"no logging host management {HERE} 17/{world.syslog_port}",
        "logging host management 192.0.2.77",
    )


async def logs_over_tcp_too(world: World) -> None:
    world.type("logging host management 192.0.2.77 6/1470")


async def logging_off(world: World) -> None:
    world.type("no logging enable")


async def list_empty(world: World) -> None:
    world.publish()


async def policy_service_away(world: World) -> None:
    await world.stop("policy")


async def configuration_too_large(world: World) -> None:
    world.asa.set_switches({"enforce_budget": False})  # the agent's end is another break
    world.type(
        "object-group network OTHERS",
        *(f"network-object host 172.16.{n // 250}.{n % 250 + 1}" for n in range(16_000)),
    )


async def siem_away(world: World) -> None:
    await world.siem.go_away()


async def proxy_wrong_password(world: World) -> None:
    await world.change(log_proxy_password="x")


async def proxy_away(world: World) -> None:
    await world.proxy.stop()


async def log_service_away(world: World) -> None:
    await world.stop("logs")


async def wrong_upload_key(world: World) -> None:
    await world.change(upload_key="x")


async def loses_groups_in_reloads(world: World) -> None:
    world.asa.device.asa_version = "9.18(2)"


async def older_than_agents(world: World) -> None:
    world.asa.device.asa_version = "9.2(4)"


async def newer_than_agents(world: World) -> None:
    world.asa.device.asa_version = "9.20(1)"


async def version_untold(world: World) -> None:
    world.asa.device.asa_version = "unknown"


async def clock_an_hour_ahead(world: World) -> None:
    world.asa.set_switches({"clock_ahead_seconds": 3600})


@pytest.mark.parametrize(
    ("broke", "failed", "warning", "unchecked"),
    [
        (wrong_password, {"login"}, set(), {"privilege", "agent", *BEHIND_THE_DEVICE}),
        (
            privilege_5,
            {"privilege"},
            set(),
            {"agent", *BEHIND_THE_DEVICE} - {"version", "groups"},
        ),
        (agent_down, {"agent"}, set(), {"login", "privilege", *BEHIND_THE_DEVICE}),
        (no_agent, {"agent"}, set(), {"login", "privilege", *BEHIND_THE_DEVICE}),
        (device_away, {"reachability"}, set(), {"login", "privilege", "agent", *BEHIND_THE_DEVICE}),
        (
            another_certificate,
            {"reachability"},
            set(),
            {"login", "privilege", "agent", *BEHIND_THE_DEVICE},
        ),
        (loses_groups_in_reloads, set(), {"version"}, set()),
        (older_than_agents, {"version"}, set(), set()),
        (newer_than_agents, set(), {"version"}, set()),
        (version_untold, set(), {"version"}, set()),
        (clock_an_hour_ahead, set(), {"device clock"}, set()),
        (groups_missing, {"groups", "access-lists"}, {"test address"}, {"access-list log"}),
        (without_log, set(), {"access-list log"}, set()),
        (log_disabled, {"access-list log"}, set(), set()),
        (not_bound, {"access-lists"}, {"test address"}, {"access-list log"}),
        (everything_permitted_above, {"access-lists", "test address"}, set(), set()),
        (logs_elsewhere, set(), {"logging host"}, set()),
        (logs_over_tcp_too, {"permit-hostdown"}, set(), set()),
        (logging_off, {"logging"}, set(), set()),
        (list_empty, {"block list"}, set(), set()),
        (policy_service_away, {"policy service", "block list", "allow list"}, set(), set()),
        (configuration_too_large, {"free budget"}, set(), set()),
        (siem_away, {"SIEM"}, set(), set()),
        (proxy_wrong_password, {"proxy", "log service"}, set(), set()),
        (proxy_away, {"proxy", "log service"}, set(), set()),
        (log_service_away, {"log service"}, set(), set()),
        (wrong_upload_key, {"log service"}, set(), set()),
    ],
)
@pytest_twisted.ensureDeferred
async def test_each_break_is_found_where_it_is(
    whole: World, broke: Break, failed: set[str], warning: set[str], unchecked: set[str]
) -> None:
    await broke(whole)
    found = await whole.doctor()
    wanted = {
        **dict.fromkeys(failed, "failed"),
        **dict.fromkeys(warning, "warning"),
        **dict.fromkeys(unchecked, "not checked"),
    }
    assert not_good(found) == wanted, found
    assert all(found[link]["remedy"] for link in failed), found


@pytest_twisted.ensureDeferred
async def test_a_clock_that_is_ahead_is_told_by_how_much(whole: World) -> None:
    await clock_an_hour_ahead(whole)
    assert "s ahead of this host's" in (await whole.doctor())["device clock"]["sentence"]


@pytest_twisted.ensureDeferred
async def test_datagrams_that_the_kernel_dropped_are_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start(intake="receive_buffer_bytes = 65536")
    try:
        assert (await world.doctor(None))["kernel drops"]["verdict"] == "ok"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect((HERE, world.syslog_port))
            for _ in range(1000):  # nobody reads meanwhile: the manager's reactor is this thread's
                sender.send(b"<166>" + b"x" * 1400)
        found = (await world.doctor(None))["kernel drops"]
        assert found["verdict"] == "failed"
        assert "datagrams at" in found["sentence"]
        assert "receive_buffer_bytes" in found["remedy"]
    finally:
        await world.end()


@pytest.mark.parametrize("first", [4096, 0], ids=["pages", "whole"])
@pytest_twisted.ensureDeferred
async def test_a_database_damaged_under_the_manager_is_told_and_the_walk_goes_on(
    whole: World, first: int, logged_failures: list[LogEvent]
) -> None:
    database = whole.layout.database
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.seek(first)
        file.write(b"\xff" * (database.stat().st_size - first))
    found = (await whole.doctor(None))["database"]
    assert found["verdict"] == "failed"
    assert found["remedy"]
    device = await whole.doctor()
    assert device["groups"]["verdict"] == device["access-lists"]["verdict"] == "ok", device
    assert device["policy updates"]["verdict"] == "failed"
    assert "cannot read" in device["policy updates"]["sentence"]
    await wrong_password(whole)
    assert (await whole.doctor())["login"]["verdict"] == "failed"
    await whole.stop("node")
    assert (await whole.doctor_alone(None))["database"]["verdict"] == "failed"
    logged_failures.clear()


@pytest_twisted.ensureDeferred
async def test_a_device_that_was_only_added_has_no_groups_and_no_lines(world: World) -> None:
    await world.add()
    found = await world.doctor()
    assert not_good(found) == {
        "policy updates": "warning",
        "groups": "failed",
        "access-lists": "failed",
        "access-list log": "not checked",
        "lines arriving": "failed",
        "test address": "warning",
        "blocked and logged": "warning",
    }


@pytest_twisted.ensureDeferred
async def test_without_any_hit_the_event_is_waited_for_and_told_as_doubtful(world: World) -> None:
    await world.add()
    await world.push()
    found = await world.doctor()
    assert found["test address"]["verdict"] == "ok"
    assert found["blocked and logged"]["verdict"] == "warning"
    assert LISTED in found["blocked and logged"]["remedy"]


@pytest_twisted.ensureDeferred
async def test_the_line_of_the_traced_packet_proves_the_chain(world: World) -> None:
    await world.add()
    await world.push()
    world.asa.set_switches({"trace_logs": True})
    assert (await world.doctor())["blocked and logged"]["verdict"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_device_that_logs_elsewhere_and_is_not_heard_is_broken(world: World) -> None:
    await logs_elsewhere(world)
    await world.add()
    assert (await world.doctor())["logging host"]["verdict"] == "failed"


@pytest_twisted.ensureDeferred
async def test_a_lost_key_leaves_the_firewall_unasked(whole: World) -> None:
    whole.layout.key.unlink()
    assert (await whole.doctor(None))["key"]["verdict"] == "failed"
    whole.asa.reset_counts()
    found = await whole.doctor()
    assert found["login"]["verdict"] == found["log service"]["verdict"] == "not checked"
    assert "lost" in found["login"]["sentence"]
    assert not whole.asa.counts.as_json()["requests"]


@pytest_twisted.ensureDeferred
async def test_a_key_that_others_can_read_is_broken(whole: World) -> None:
    whole.layout.key.chmod(0o644)
    found = (await whole.doctor(None))["key"]
    assert found["verdict"] == "failed"
    assert "0644" in found["sentence"]


@pytest_twisted.ensureDeferred
async def test_a_damaged_file_is_told_and_what_is_in_force_is_walked(whole: World) -> None:
    whole.layout.device_file("fw").write_text("device = [")
    host = await whole.doctor(None)
    assert host["settings"]["verdict"] == "failed"
    assert "fw" in host["settings"]["sentence"]
    assert (await whole.doctor())["groups"]["verdict"] == "ok"


@pytest_twisted.ensureDeferred
async def test_wrong_passwords_are_not_tried_until_the_account_is_locked(whole: World) -> None:
    await wrong_password(whole)
    for _ in range(2):
        assert (await whole.doctor())["login"]["verdict"] == "failed"
    whole.asa.reset_counts()
    found = await whole.doctor()
    assert found["login"]["verdict"] == "not checked"
    assert found["policy updates"]["verdict"] == "failed"
    assert not whole.asa.counts.as_json()["requests"]


@pytest_twisted.ensureDeferred
async def test_without_a_manager_what_can_be_seen_is_seen(whole: World) -> None:
    await whole.stop("node")
    host = await whole.doctor_alone(None)
    assert host["manager"]["verdict"] == "failed"
    assert host["key"]["verdict"] == host["listeners"]["verdict"] == "ok"
    found = await whole.doctor_alone()
    wanted = {"lines arriving": "failed", "policy updates": "not checked", "logging host": "failed"}
    assert not_good(found) == wanted, found  # ports of the kernel's choice are gone with it


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path) -> None:
    from tscm.settings.layout import Layout

    def full(folder: Path) -> Space:
        found = free_space(folder)
        return Space(folder=found.folder, free=600 << 20, total=100 << 30)

    found = {
        one.link: one for one in walk_node(Layout(tmp_path), None, quiet, Host(free_space=full))
    }
    assert found["disk"].verdict == "warning"
    assert "600 MB" in found["disk"].sentence


def test_what_is_wrong_with_the_host_is_told_before_a_manager_starts(tmp_path: Path) -> None:
    from tscm.settings.layout import Layout

    layout = Layout(tmp_path)
    layout.settings_file.parent.mkdir(parents=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HERE, 0))
        layout.settings_file.write_text(f'[listen]\nudp = ["{HERE}:{taken.getsockname()[1]}"]\n')
        host = Host(now=lambda: 0.0, synchronised=lambda: False, rmem_max=lambda: 4096)
        found = {one.link: one for one in walk_node(layout, None, quiet, host)}
    assert found["listeners"].verdict == found["clock"].verdict == "failed"
    assert found["listeners"].remedy
    assert found["socket buffers"].verdict == "warning"
    assert "net.core.rmem_max" in found["socket buffers"].remedy


@pytest_twisted.ensureDeferred
async def test_over_tcp_without_permit_hostdown(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start("tcp")
    try:
        await world.add()
        await world.push()
        await world.hit()
        found = await world.doctor()
        assert found["permit-hostdown"]["verdict"] == "failed"
        assert "but not to this manager" not in found["permit-hostdown"]["sentence"]
        assert found["logging host"]["verdict"] == "ok"
        world.type("logging permit-hostdown")
        assert (await world.doctor())["permit-hostdown"]["verdict"] == "ok"
    finally:
        await world.end()
