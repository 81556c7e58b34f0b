"""
The readers of one device over changes of its settings: one user a reader, none forgotten.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.changed import changed
from tscm.base.secrets import Secret
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.manager import log_consumers
from tscm.manager.consumers import RETRY_SECONDS, DeviceConsumers
from tscm.manager.log_consumers import UPLOAD
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import READER, ForwardTarget
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings, UploadSettings

SETTINGS = AsaRestSettings(
    name="fw",
    device_id="tdid_fw",
    device="192.0.2.1",
    block_list="block.example",
    allow_list="allow.example",
    username="admin",
    password=Secret("secret"),
    policy_updates=False,
    syslog_forward=True,
    forward=(ForwardTarget(reader=READER, address="192.0.2.9"),),
    upload_key=Secret("key"),
)


class Room:
    """Stands for a forwarder or an uploader; a test ends its stop."""

    made: ClassVar[list["Room"]] = []

    def __init__(self, _reactor: Any, _threads: Any, reader: str, *rest: Any, **_: Any) -> None:
        self.reader, self.rest = reader, rest
        self.running = False
        self.ended: Deferred[None] = Deferred()
        Room.made.append(self)

    def startService(self) -> None:
        self.running = True

    def stopService(self) -> Deferred[None]:
        self.running = False
        return self.ended


class Readers:
    """Gives the names of readers for readers; *full* plays a disk that takes no new cursor."""

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.known: list[str] = []
        self.full = False

    def readers(self, _: str) -> list[str]:
        return self.known

    def reader(self, device: str, name: str, **_: Any) -> str:
        assert device == "fw"
        if self.full:
            raise OSError(28, "No space left on device")
        return name

    def drop_reader(self, _: str, name: str) -> None:
        self.dropped.append(name)

    def seal(self, _: str) -> bool:
        return False


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Readers]:
    monkeypatch.setattr(log_consumers, "ForwardService", Room)
    monkeypatch.setattr(log_consumers, "UploadService", Room)
    Room.made.clear()
    yield Readers()
    Room.made.clear()


def rooms_on(
    readers: Readers, clock: Clock, settings: DeviceSettings = SETTINGS
) -> DeviceConsumers:
    node: Any = SimpleNamespace(
        reactor=clock,
        quick=None,
        slow=None,
        spool=readers,
        resolver=None,
        lags=None,
        upload_slots=None,
        layout=Layout(),
        node=NodeSettings(upload=UploadSettings(url="https://logs.example/")),
    )
    made = DeviceConsumers(node, settings)
    made.start()
    return made


def users_of(reader: str) -> list[Room]:
    return [one for one in Room.made if one.reader == reader]


@pytest.mark.parametrize(
    ("reader", "changes"),
    [
        (READER, ({"forward_port": 515}, {"forward_port": 516})),
        (UPLOAD, ({"upload_key": Secret("new")}, {"upload_key": Secret("newer")})),
    ],
)
def test_a_reader_has_one_user_at_a_time_over_changes_that_follow_each_other(
    readers: Readers, reader: str, changes: tuple[dict[str, Any], ...]
) -> None:
    rooms = rooms_on(readers, Clock())
    for change in changes:
        rooms.change(changed(rooms.settings, **change))
    (first,) = users_of(reader)
    assert not first.running
    first.ended.callback(None)
    first, second = users_of(reader)
    assert second.running
    assert readers.dropped == []
    others = [one for one in Room.made if one.reader != reader]
    assert [one.running for one in others] == [True]  # what did not change was left alone


def test_a_reader_that_is_switched_off_is_dropped_when_its_user_has_ended(
    readers: Readers,
) -> None:
    rooms = rooms_on(readers, Clock())
    rooms.change(evolve(SETTINGS, syslog_forward=False, send_logs=False, backlog="drop"))
    assert readers.dropped == []
    for one in Room.made:
        one.ended.callback(None)
    assert sorted(readers.dropped) == [READER, UPLOAD]
    assert len(Room.made) == 2
    assert rooms.forward == {}
    assert rooms.upload is None


ALSO = "tcp://192.0.2.20:514"
GONE: dict[str, Any] = {"syslog_forward": False, "send_logs": False}
MOVED: dict[str, Any] = {"forward_address": "192.0.2.10"}
OTHER_WORDS: dict[str, Any] = {"forward_mode": "rfc5424", "forward_also": (f"{ALSO}?mode=rfc5424",)}


@pytest.mark.parametrize("change", [GONE, MOVED, OTHER_WORDS, {"forward_also": ()}])
def test_without_another_choice_no_backlog_is_dropped(
    readers: Readers, change: dict[str, Any]
) -> None:
    rooms = rooms_on(readers, Clock(), changed(SETTINGS, forward_also=(ALSO,)))
    rooms.change(changed(rooms.settings, **change))
    for one in list(Room.made):
        one.ended.callback(None)
    assert readers.dropped == []


def test_where_backlogs_are_dropped_a_target_that_moved_begins_anew(readers: Readers) -> None:
    rooms = rooms_on(readers, Clock(), changed(SETTINGS, backlog="drop", forward_also=(ALSO,)))
    also = next(one.reader for one in Room.made if one.reader.startswith(f"{READER}-"))
    rooms.change(changed(rooms.settings, **OTHER_WORDS))  # the same places, spoken to otherwise
    for one in list(Room.made):
        if not one.running:
            one.ended.callback(None)
    assert readers.dropped == []
    rooms.change(changed(rooms.settings, **MOVED, forward_also=()))
    for one in list(Room.made):
        if not one.running and not one.ended.called:
            one.ended.callback(None)
    assert sorted(readers.dropped) == [READER, also]
    assert [one.running for one in users_of(READER)] == [False, False, True]


def test_what_was_taken_away_while_the_manager_was_down_is_dropped_by_the_same_choice(
    readers: Readers,
) -> None:
    readers.known = [READER, f"{READER}-0000002a", UPLOAD, "events"]
    rooms_on(readers, Clock(), evolve(SETTINGS, send_logs=False))
    assert readers.dropped == []
    rooms_on(readers, Clock(), evolve(SETTINGS, send_logs=False, backlog="drop"))
    assert sorted(readers.dropped) == [f"{READER}-0000002a", UPLOAD]


def test_a_reader_without_a_user_is_none_of_its_settings() -> None:
    settings = changed(SETTINGS, forward_also=(ALSO,))
    users = log_consumers.users_of(
        settings, NodeSettings(upload=UploadSettings(url="https://logs.example/"))
    )
    assert users[READER] == "UDP 192.0.2.9:514"
    assert "TCP 192.0.2.20:514" in users.values()
    assert {UPLOAD, "events"} < set(users)
    assert set(log_consumers.users_of(evolve(settings, **GONE), NodeSettings())) == {"events"}


def test_what_is_switched_off_and_on_again_in_between_keeps_its_backlog(readers: Readers) -> None:
    rooms = rooms_on(readers, Clock())
    rooms.change(evolve(SETTINGS, send_logs=False))
    rooms.change(SETTINGS)
    (first,) = users_of(UPLOAD)
    first.ended.callback(None)
    assert [one.running for one in users_of(UPLOAD)] == [False, True]
    assert readers.dropped == []


def test_readers_that_a_full_disk_refuses_begin_when_there_is_room(readers: Readers) -> None:
    clock = Clock()
    readers.full = True
    rooms = rooms_on(readers, clock)
    assert Room.made == []
    clock.advance(RETRY_SECONDS)
    assert Room.made == []
    readers.full = False
    clock.advance(RETRY_SECONDS)
    assert sorted(one.reader for one in Room.made) == [READER, UPLOAD]
    assert clock.getDelayedCalls() == []
    stopped = rooms.stop()
    assert not stopped.called
    for one in Room.made:
        one.ended.callback(None)
    assert stopped.called


def test_a_stop_ends_the_tries(readers: Readers) -> None:
    clock = Clock()
    readers.full = True
    rooms = rooms_on(readers, clock)
    assert rooms.stop().called
    assert clock.getDelayedCalls() == []
