"""
Files of devices that come, change and go under a running manager.
"""

import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.inotify import INotify, INotifyError
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, capturedLogs, formatEvent

from tests.manager.manager_process import Manager
from tscm.devices.stored import stored_device
from tscm.errors import DeviceChanged
from tscm.manager.devices_in_force import DevicesInForce
from tscm.manager.service import NodeService
from tscm.manager.settings_watch import FILES_PER_SECOND, GONE_LOOKS
from tscm.operations.arguments import ChangedDevice, Device, Nothing
from tscm.operations.call import Actor
from tscm.operations.table.devices import CHANGE, REMOVE, VIEW
from tscm.operations.table.listing import DEVICES
from tscm.operations.table.policies import HISTORY
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_entries
from tscm.settings.forward_target import READER
from tscm.settings.layout import Layout
from tscm.state import DeviceState
from tscm.update.figures import ACTS
from tscm.wire.reading import read
from tscm.wire.writing import as_json

reactor: Any = installed
FORWARD = {"syslog_forward": True, "forward_address": "127.0.0.1", "forward_port": 9}


def asleep(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds)


class Node:
    """A manager in this process; `look` is what it does every two seconds."""

    def __init__(self, root: Path) -> None:
        self.files = Manager(root)  # writes files and starts nothing here
        self.service = NodeService.from_files(self.files.layout, reactor)

    def start(self) -> None:
        self.service.privilegedStartService()
        self.service.startService()
        self.service._watch.stopService()

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.service.files.poll()

    async def ask(self, operation: Any, args: Any) -> Any:
        """As the control interface asks."""
        _, work = self.service.calls.start(operation, args, Actor(name="tester"))
        return await work

    def at_once(self, operation: Any, args: Any) -> Any:
        """The same for what answers at once, as JSON."""
        return as_json(self.service.calls.answer_at_once(operation, args, Actor(name="tester")))

    def owner(self, address: str) -> str | None:
        return self.service.senders.device_of(address)


@pytest_twisted.async_yield_fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    yield made
    await made.service.stopService()


@pytest_twisted.ensureDeferred
async def test_two_files_for_the_same_groups_of_one_firewall_are_told_at_start_and_later(
    node: Node,
) -> None:
    def told(events: Sequence[LogEvent]) -> list[str]:
        return [
            one
            for one in map(formatEvent, events)
            if "only one of the two devices is updated" in one
        ]

    there = {"rest_url": "https://127.0.0.9:8443/api"}
    node.files.write_device("one", device="127.0.0.2", **there)
    node.files.write_device("two", device="127.0.0.3", **there)
    node.files.write_device("other", device="127.0.0.4", prefix="Second", **there)
    with capturedLogs() as events:
        node.start()
    (sentence,) = told(events)
    assert "'two' is the same firewall as device 'one' (REST API at 127.0.0.9:8443)" in sentence
    with capturedLogs() as events:
        node.files.write_device("one", device="127.0.0.2", prefix="Third", **there)
        await node.look()
        node.files.write_device("two", device="127.0.0.3", log_rotate_size=60, **there)
        await node.look()
    assert told(events) == [], "another prefix is the remedy"
    with capturedLogs() as events:
        node.files.write_device("other", device="127.0.0.4", **there)
        await node.look()
    (sentence,) = told(events)
    assert "'other' is the same firewall as device 'two'" in sentence


@pytest_twisted.ensureDeferred
async def test_devices_that_change_places_are_both_taken_up(node: Node) -> None:
    node.files.write_device("one", device="127.0.0.2")
    node.files.write_device("two", device="127.0.0.3")
    node.start()
    node.files.write_device("one", device="127.0.0.3")
    node.files.write_device("two", device="127.0.0.4")
    await node.look()
    assert "already belongs" in node.service.in_force.faults["one"]
    await node.look()
    assert node.service.in_force.faults == {}
    assert (node.owner("127.0.0.3"), node.owner("127.0.0.4")) == ("one", "two")
    assert node.owner("127.0.0.2") is None


@pytest_twisted.ensureDeferred
async def test_a_file_that_is_being_replaced_costs_no_position(node: Node) -> None:
    node.files.write_device("fw", **FORWARD)
    node.start()
    path = node.files.layout.device_file("fw")
    text = path.read_text()
    path.unlink()
    await node.look(GONE_LOOKS - 1)
    path.write_text(text)
    await node.look(GONE_LOOKS)
    assert node.service.in_force.faults == {}
    assert READER in node.service.spool.readers("fw")
    path.unlink()
    await node.look(GONE_LOOKS)
    assert node.service.in_force.rooms == {}
    assert node.service.spool.devices() == []


@pytest_twisted.ensureDeferred
async def test_a_folder_that_is_away_takes_no_device_with_it(node: Node) -> None:
    node.files.write_device("fw")
    node.start()
    folder = node.files.layout.devices
    folder.rename(folder.with_name("elsewhere"))
    await node.look(GONE_LOOKS + 1)
    assert list(node.service.in_force.rooms) == ["fw"]
    folder.with_name("elsewhere").rename(folder)
    await node.look()
    assert list(node.service.in_force.rooms) == ["fw"]


@pytest_twisted.ensureDeferred
async def test_a_device_that_comes_back_while_it_ends_begins_when_it_has_ended(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.files.write_device("fw", **FORWARD)
    node.start()
    held: Deferred[None] = Deferred()

    async def slow_end() -> None:
        await held

    monkeypatch.setattr(DevicesInForce, "_no_events", lambda _, __: slow_end())
    node.files.layout.device_file("fw").unlink()
    ending = Deferred.fromCoroutine(node.service.in_force.stop("fw"))
    node.files.write_device("fw", **FORWARD)
    await node.look()
    assert " being removed" in node.service.in_force.faults["fw"]
    assert node.service.in_force.rooms == {}
    held.callback(None)
    await ending
    await node.look()
    assert node.service.in_force.faults == {}
    assert node.service.in_force.rooms["fw"].forward.keys() == {READER}
    assert node.service.spool.devices() == ["fw"]


@pytest_twisted.ensureDeferred
async def test_the_fault_of_a_file_goes_with_the_file(node: Node) -> None:
    node.start()
    path = node.files.layout.device_file("fw")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no settings at all")
    await node.look()
    assert "not valid TOML" in node.service.in_force.faults["fw"]
    path.unlink()
    await node.look()
    assert node.service.in_force.faults == {}


@pytest_twisted.ensureDeferred
async def test_a_lost_key_costs_the_upload_no_position(node: Node) -> None:
    node.files.write_device("fw", backlog="drop")
    node.start()
    node.service.spool.reader("fw", "upload")
    await node.service.stopService()
    node.files.layout.key.unlink()
    node.service = NodeService.from_files(node.files.layout, reactor)
    node.start()
    assert "is missing" in node.service.in_force.faults["fw"]
    assert "upload" in node.service.spool.readers("fw")


def acts(node: Node, name: str) -> list[str]:
    """What the history says became of the schedule."""
    rows = node.at_once(HISTORY, Device(name=name))["updates"]
    return [row["result"] for row in rows if row["result"] in ACTS]


@pytest_twisted.ensureDeferred
async def test_a_device_whose_secrets_are_sealed_is_shown_as_it_is_set(node: Node) -> None:
    node.files.write_device("fw", policy_updates=True, backlog="drop")
    node.files.write_device("off", device="127.0.0.2", policy_updates=False, send_logs=False)
    asked = stored_device(node.files.layout, "fw")
    node.start()
    await node.service.stopService()
    key = node.files.layout.key
    kept = key.read_text()
    key.unlink()
    node.service = NodeService.from_files(node.files.layout, reactor)
    node.start()
    assert "is missing" in node.service.in_force.faults["fw"]

    view = node.at_once(VIEW, Device(name="fw"))
    assert view["settings"]["policy_updates"] is True
    assert (view["settings"]["send_logs"], view["settings"]["backlog"]) == (asked.send_logs, "drop")
    assert "is missing" in view["state"]["fault"]
    policy = read(DeviceState, view["state"]).policy
    assert (policy.paused, policy.next_run_at) == (False, None), "nobody paused it, and it waits"
    rows = {row["name"]: row for row in node.at_once(DEVICES, Nothing())}
    assert (rows["fw"]["policy_updates"], rows["fw"]["send_logs"]) == (True, asked.send_logs)
    assert (rows["off"]["policy_updates"], rows["off"]["send_logs"]) == (False, False)
    assert not acts(node, "fw")

    key.write_text(kept)
    key.chmod(0o600)
    await node.look()
    view = node.at_once(VIEW, Device(name="fw"))
    assert read(DeviceState, view["state"]).policy.next_run_at is not None
    assert not acts(node, "fw")


@pytest_twisted.ensureDeferred
async def test_what_is_edited_while_a_change_is_asked_for_is_not_overwritten(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.files.write_device("fw")
    node.start()
    change = ChangedDevice(name="fw", settings={"log_rotate_size": 500})

    def read_and_then_edited(layout: Layout, name: str) -> DeviceSettings:
        monkeypatch.undo()
        found = stored_device(layout, name)
        node.files.write_device("fw", allow_list="other.example")
        return found

    monkeypatch.setattr("tscm.devices.stored.stored_device", read_and_then_edited)
    with pytest.raises(DeviceChanged, match="changed by another user or process"):
        await node.ask(CHANGE, change)
    assert stored_device(node.files.layout, "fw").allow_list == "other.example"
    done = await node.ask(CHANGE, change)
    assert list(done.changed) == ["log_rotate_size"]
    assert node.service.in_force.rooms["fw"].settings.allow_list == "other.example"
    gone = await node.ask(REMOVE, Device(name="fw"))
    assert gone.name == "fw"
    assert node.service.in_force.rooms == {}


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_brought_back_puts_its_devices_in_force(node: Node) -> None:
    node.files.write_device("fw")
    key = node.files.layout.key
    kept = key.read_text()
    key.unlink()
    node.start()
    assert "is missing" in node.service.in_force.faults["fw"]
    assert not node.service.in_force.rooms["fw"].settings.send_logs
    key.write_text(kept)
    key.chmod(0o600)
    await node.look()
    assert node.service.in_force.faults == {}
    assert node.service.in_force.rooms["fw"].settings.send_logs


@pytest_twisted.ensureDeferred
async def test_files_are_looked_through_only_after_a_change_in_their_folder(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = 0

    def counted(layout: Layout) -> Any:
        nonlocal walks
        walks += 1
        return device_entries(layout)

    monkeypatch.setattr("tscm.manager.settings_watch.device_entries", counted)
    node.files.write_device("one", device="127.0.0.2")
    node.start()
    await node.look()  # the first one looks at all
    walks = 0
    await node.look(5)
    assert walks == 0
    node.files.write_device("two", device="127.0.0.3")
    await node.look()
    assert node.owner("127.0.0.3") == "two"
    node.service.reload_settings()
    await node.look()
    assert walks == 2


@pytest_twisted.ensureDeferred
async def test_two_edits_of_one_size_and_time_both_come_into_force(node: Node) -> None:
    node.files.write_device("one", device="127.0.0.2")
    node.start()
    await node.look()
    file = node.files.layout.device_file("one")
    at = time.time_ns() + 30_000_000_000  # a tick that lasts, and a machine may be slow
    for number in (3, 4):
        before, after = f"127.0.0.{number - 1}", f"127.0.0.{number}"
        file.write_text(file.read_text().replace(before, after))
        os.utime(file, ns=(at, at))
        await node.look()
        assert node.owner(after) == "one"


@pytest_twisted.ensureDeferred
async def test_what_a_link_leads_to_is_looked_at_although_the_kernel_does_not_tell(
    node: Node, tmp_path: Path
) -> None:
    node.files.write_device("one", device="127.0.0.2")
    file = node.files.layout.device_file("one")
    elsewhere = tmp_path / "elsewhere.toml"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    node.start()
    await node.look(2)
    text = elsewhere.read_text().replace("127.0.0.2", "127.0.0.22")
    elsewhere.write_text(text)
    await asleep(2 / FILES_PER_SECOND)
    await node.look()
    assert node.owner("127.0.0.22") == "one"


@pytest_twisted.ensureDeferred
async def test_without_inotify_files_are_looked_at_in_turn(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise INotifyError("no room")

    monkeypatch.setattr(INotify, "watch", refused)
    node.files.write_device("one", device="127.0.0.2")
    node.start()
    await node.look()
    node.files.write_device("two", device="127.0.0.3")
    await asleep(2 / FILES_PER_SECOND)
    await node.look()
    assert node.owner("127.0.0.3") == "two"
    monkeypatch.undo()
    await node.look(2)
    node.files.layout.device_file("two").unlink()
    await node.look(GONE_LOOKS)
    assert node.owner("127.0.0.3") is None
