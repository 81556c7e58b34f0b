"""
A device under another name: all that is kept of it follows, whatever fails, and no line is lost.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from tests.manager.manager_process import Manager, send_udp, wait_for
from tscm.alarms.alarm import Alarm
from tscm.alarms.book import Book as AlarmBook
from tscm.alarms.book_file import keep_book, load_book
from tscm.alarms.mutes import Mute
from tscm.base.secrets import Secret, load_key
from tscm.errors import DeviceExists, LogExists, NoSuchDevice, SettingsFaulty
from tscm.events.rollups import EventPosition, Rollups
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.ledger.book import Book, read_book, write_book
from tscm.manager import renaming
from tscm.manager.renaming import (
    DeviceBeingRenamed,
    Renaming,
    begin_renaming,
    check_renaming,
    complete_renaming,
    notes_on,
    read_renaming,
    rename_stored,
    unless_renamed,
)
from tscm.operations.handlers.renaming import _rename_in_force
from tscm.settings import files
from tscm.settings.files import device_names, open_device, write_device
from tscm.settings.layout import Layout
from tscm.store.database import Store, open_database, opened
from tscm.store.policies import Policies

ONE = Renaming("old", "new")
HIT = b"<166>%%ASA-6-106100: access-list a denied tcp i/192.0.2.1(1) -> o/1.2.3.4(%d)"


def stored_root(root: Path) -> Layout:
    """A device with a secret, a log, a position in the database, an alarm and a mute."""
    layout = Layout(root)
    settings = AsaRestSettings(
        name="old",
        device_id="tdid_old",
        device="192.0.2.1",
        block_list="block.example",
        allow_list="allow.example",
        username="admin",
        password=Secret("secret"),
    )
    write_device(layout, settings, load_key(layout.key, create=True))
    file = layout.device_file("old")
    file.write_text("# the one in the cellar\n" + file.read_text())
    spool = layout.device_log("old") / ".spool"
    spool.mkdir(parents=True)
    (spool / "cursor.forward").write_bytes(b"where it stands")
    (layout.lists / "old").mkdir(parents=True)
    store = Store(layout.database)
    with opened(store):
        Policies(store).keep_entry("old", "e1")
        Policies(store).keep_entry("new", "of a device that is gone")
        with closing(open_database(str(layout.database))) as counts:
            Rollups(counts).add("old", {}, EventPosition(offset=7, sent=3, not_selected=0))
    write_book(layout.ledger, Book(began_at=1.0, at=2.0, logs={"old": 5, "other": 1}))
    alarm = Alarm(rule="policy_age", subject="old")
    mutes = (Mute(name="all/old"), Mute(name="list_hits/old"))
    keep_book(layout.alarms, AlarmBook(alarms=(alarm,), mutes=mutes))
    return layout


def check_renamed(layout: Layout) -> None:
    assert device_names(layout) == ["new"]
    settings: Any = open_device(layout, "new")
    assert settings.password.reveal() == "secret"
    assert "in the cellar" in layout.device_file("new").read_text()
    assert (layout.device_log("new") / ".spool/cursor.forward").read_bytes() == b"where it stands"
    assert not layout.device_log("old").exists()
    assert (layout.lists / "new").exists()
    assert not (layout.lists / "old").exists()
    store = Store(layout.database)
    with opened(store):
        assert Policies(store).entries() == {"new": "e1"}
        with closing(open_database(str(layout.database))) as counts:
            assert Rollups(counts).position("new").offset == 7
            assert Rollups(counts).position("old").offset == 0
    book = read_book(layout.ledger)
    assert book is not None
    assert book.logs == {"new": 5, "other": 1}
    alarms = load_book(layout.alarms)
    assert [one.name for one in alarms.alarms] == ["policy_age/new"]
    assert [one.name for one in alarms.mutes] == ["all/new", "list_hits/old"]
    assert read_renaming(layout) is None
    assert not list(layout.devices.glob(".*"))


class Fails:
    """Lets so many steps succeed, and fails at the next."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, call: Any) -> Any:
        def tried(*args: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left == -1:
                raise OSError(5, "Input/output error")
            return call(*args, **more)

        return tried


def test_a_renaming_that_fails_anywhere_is_completed_by_the_next_start(tmp_path: Path) -> None:
    for steps in range(100):
        layout = stored_root(tmp_path / str(steps))
        begin_renaming(layout, ONE)
        fails = Fails(steps)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("rename", "unlink"):
                patch.setattr(Path, name, fails(getattr(Path, name)))
            for module, name in ((files, "write_private"), (renaming, "keep_book")):
                patch.setattr(module, name, fails(getattr(module, name)))
            patch.setattr(Policies, "rename", fails(Policies.rename))
            patch.setattr(Rollups, "rename", fails(Rollups.rename))
            try:
                rename_stored(layout, ONE, Store(layout.database))
                whole = True
            except OSError:
                whole = False
        if not whole:
            complete_renaming(layout, Store(layout.database))
        check_renamed(layout)
        if fails.left >= 0:
            break
    assert steps > 8


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    layout = stored_root(tmp_path)
    layout.device_log("gone").mkdir()
    layout.device_file("there").write_bytes(layout.device_file("old").read_bytes())
    for to, error in (
        ("gone", LogExists),
        ("there", DeviceExists),
        ("old", DeviceExists),
        ("../x", SettingsFaulty),
        ("", SettingsFaulty),
    ):
        with pytest.raises(error):
            check_renaming(layout, "old", to)
    assert read_renaming(layout) is None


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    yield one
    one.stop()


def test_a_running_manager_goes_on_under_the_new_name_and_loses_no_line(manager: Manager) -> None:
    manager.write_device("old")
    manager.start()
    port, number, over = manager.port("udp"), itertools.count(), threading.Event()

    def load() -> None:
        while not over.is_set():
            send_udp(port, HIT % next(number))
            over.wait(0.002)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        manager.when_lines("old", 50)
        inode = (manager.layout.device_log("old") / "syslog").stat().st_ino
        entry = manager.ask("/v1/devices/old")["settings"]["entry"]
        done = manager.command("POST", "/v1/devices/old/rename", {"to": "new"})
        assert done["result"]["name"] == "new", done
        manager.when_lines("new", len(manager.lines("new")) + 50)
    finally:
        over.set()
        sender.join()
    sent = next(number)
    assert manager.when_lines("new", sent) == [HIT % one for one in range(sent)]
    assert (manager.layout.device_log("new") / "syslog").stat().st_ino == inode
    assert not manager.layout.device_log("old").exists()
    assert manager.ask("/v1/devices/new")["settings"]["entry"] == entry
    assert "error" in manager.command("POST", "/v1/devices/old/rename", {"to": "other"})
    assert manager.ask("/v1/ledger")["balanced"], manager.ask("/v1/ledger")
    events = lambda: manager.ask("/v1/devices/new")["state"]["events"]  # noqa: E731
    wait_for(lambda: events()["waiting_bytes"] == 0, lambda: str(events()))
    manager.stop()
    manager.start()
    ledger = manager.ask("/v1/ledger")
    assert ledger["balanced"], ledger
    assert [row["name"] for row in manager.ask("/v1/devices")] == ["new"]


def test_what_names_a_device_in_the_settings_of_the_manager_is_told(tmp_path: Path) -> None:
    layout = stored_root(tmp_path)
    layout.settings_file.write_text(
        '[[sink]]\nname = "a"\ntype = "loki"\nurl = "https://loki.example"\ndevices = ["old"]\n'
        '[[sink]]\nname = "b"\ntype = "loki"\nurl = "https://loki.example"\n'
    )
    complete = Renaming("old", "new")
    begin_renaming(layout, complete)
    rename_stored(layout, complete, Store(layout.database))
    (said,) = notes_on(layout, complete)
    assert said.startswith("Sink a names old: change `devices`")


def test_settings_that_are_about_to_move_are_not_changed_meanwhile(tmp_path: Path) -> None:
    layout = stored_root(tmp_path)
    begin_renaming(layout, ONE)
    for name in ("old", "new"):
        with pytest.raises(DeviceBeingRenamed, match="old is being renamed to new"):
            unless_renamed(files.remove_device, layout, name, name)
    assert device_names(layout) == ["old"]
    rename_stored(layout, ONE, Store(layout.database))
    unless_renamed(files.remove_device, layout, "new", "new")
    assert not device_names(layout)


def test_a_name_that_was_taken_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    layout = stored_root(tmp_path)
    one = check_renaming(layout, "old", "new")
    content = layout.device_file("old").read_bytes()
    layout.device_file("new").write_bytes(content)
    with pytest.raises(DeviceExists):
        begin_renaming(layout, one)
    assert read_renaming(layout) is None
    assert device_names(layout) == ["new", "old"]


def test_where_the_readers_cannot_be_left_nothing_is_renamed(tmp_path: Path) -> None:
    layout = stored_root(tmp_path)

    async def leave(name: str) -> None:
        raise NoSuchDevice(name)

    manager: Any = SimpleNamespace(leave=leave)
    node: Any = SimpleNamespace(
        layout=layout,
        write=maybeDeferred,
        quick=SimpleNamespace(run=maybeDeferred),
        updates=SimpleNamespace(is_under_way=lambda _: False),
    )
    failures: list[Any] = []
    Deferred.fromCoroutine(_rename_in_force(node, manager, ONE)).addErrback(failures.append)
    assert failures[0].check(NoSuchDevice)
    assert read_renaming(layout) is None
    assert not list(layout.devices.glob(".*"))
    assert device_names(layout) == ["old"]
