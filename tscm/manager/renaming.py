"""
A device under another name: its settings, its log and all that is kept of it follow, whatever interrupts that.

A note on the disk says which device is being renamed.  Every step finds out by itself whether it was taken, so a
start of the manager, or the next `tsadmin rename`, completes what a crash left.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, frozen
from twisted.logger import Logger

from tscm.alarms.book_file import keep_book, load_book
from tscm.base.safe_files import read_regular
from tscm.errors import DeviceExists, Fault, LogExists, SettingsFaulty, TscmError
from tscm.events.rollups import Rollups
from tscm.ledger.book import rename_log
from tscm.settings import values
from tscm.settings.files import (
    device_names,
    prepare_renamed,
    prepared_file,
    read_device,
    write_private,
)
from tscm.settings.layout import Layout
from tscm.store.database import Store, open_database, opened
from tscm.store.policies import Policies

T = TypeVar("T")

_MOST_BYTES = 4096
_log = Logger()


@define(eq=False)
class RenamingUnderWay(TscmError):
    """
    One device at a time is renamed.
    """

    def __str__(self) -> str:
        return (
            "another device is being renamed; try again when that is complete, or, if a crash interrupted it, "
            "restart the manager, which completes it"
        )


@define(eq=False)
class DeviceBeingRenamed(TscmError):
    """
    The settings of a device are about to move to another name.
    """

    name: str
    to: str

    def __str__(self) -> str:
        return (
            f"device {self.name} is being renamed to {self.to}; try again when that is complete, or, if a crash "
            "interrupted it, restart the manager, which completes it"
        )


@frozen
class Renaming:
    """A device *name* is to be called *to*."""

    name: str
    to: str


def check_renaming(layout: Layout, name: str, to: str) -> Renaming:
    """
    Whether a device may be called so.  Blocking.

    Raises `SettingsFaulty`, `NoSuchDevice`, `DeviceExists`, `LogExists`, and what is wrong with its file.
    """
    try:
        values.nickname(to)
    except ValueError as error:
        raise SettingsFaulty("device settings", [Fault(where="TO", wrong=str(error))]) from None
    read_device(layout, name, None)
    if to in device_names(layout):
        raise DeviceExists(to)
    if os.path.lexists(layout.device_log(to)):
        raise LogExists(to)
    return Renaming(name, to)


def begin_renaming(layout: Layout, one: Renaming) -> None:
    """
    Write down what is to be done, and the settings under the new name beside those in force.  Blocking.

    Raises `RenamingUnderWay`, `SecretUnavailable`, `OSError`, and what `check_renaming` raises, for another may have
    taken the name since; then nothing has changed.
    """
    if read_renaming(layout) is not None:
        raise RenamingUnderWay
    check_renaming(layout, one.name, one.to)
    prepare_renamed(layout, one.name, one.to)
    with contextlib.suppress(FileNotFoundError):  # of a device that was removed
        shutil.rmtree(layout.lists / one.to)
    write_private(layout.renaming, json.dumps({"name": one.name, "to": one.to}).encode())


def unless_renamed(call: Callable[..., T], layout: Layout, name: str, *args: Any) -> T:
    """
    *call* with *layout* and *args*, which stores or removes the settings of *name*.  Blocking.

    Raises `DeviceBeingRenamed` while those of another name, or of this one for another, wait to be put in their place: a
    change would be lost with the file it went to.
    """
    one = read_renaming(layout)
    if one is not None and name in (one.name, one.to) and prepared_file(layout, one.to).exists():
        raise DeviceBeingRenamed(one.name, one.to)
    return call(layout, *args)


def move_settings(layout: Layout, one: Renaming) -> None:
    """Put what is published, and the prepared settings, in their places.  Raises `OSError`; then all is as before."""
    lists, moved = layout.lists / one.name, False
    prepared, placed = prepared_file(layout, one.to), False
    try:
        if os.path.lexists(lists):
            lists.rename(layout.lists / one.to)
            moved = True
        prepared.rename(layout.device_file(one.to))
        placed = True
        layout.device_file(one.name).unlink(missing_ok=True)
    except OSError:
        if placed:
            layout.device_file(one.to).unlink()
        if moved:
            (layout.lists / one.to).rename(lists)
        raise


def end_renaming(layout: Layout) -> None:
    """All that was to be done is done, or nothing of it: the note goes when that is on the disk.  Raises `OSError`."""
    for folder in (layout.logs, layout.devices):
        if folder.is_dir():
            _sync(folder)
    for left in layout.devices.glob(".*.renamed.new"):
        left.unlink(missing_ok=True)
    layout.renaming.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(names)
    finally:
        os.close(names)


def read_renaming(layout: Layout) -> Renaming | None:
    """What is in progress; None where nothing is, or the note says nothing sensible."""
    try:
        kept = json.loads(read_regular(layout.renaming, _MOST_BYTES))
        return Renaming(values.nickname(kept["name"]), values.nickname(kept["to"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # written by hand: a note of ours is whole or not there


def rename_stored(layout: Layout, one: Renaming, store: Store) -> None:
    """
    Take every step that was not taken yet, where nothing of the device is in use.  Blocking.

    Raises `TscmError`, `OSError`; then the next call goes on.
    """
    with contextlib.suppress(FileNotFoundError):
        if not os.path.lexists(layout.device_log(one.to)):
            layout.device_log(one.name).rename(layout.device_log(one.to))
    names = device_names(layout)
    if one.to in names:
        layout.device_file(one.name).unlink(missing_ok=True)
    elif one.name in names:  # otherwise another user removed it meanwhile
        prepare_renamed(layout, one.name, one.to)
        move_settings(layout, one)
    rename_log(layout.ledger, one.name, one.to)
    _rename_alarms(layout.alarms, one)
    _rename_in_database(
        layout, one, store
    )  # last: it may be unusable, and the rest must agree all the same
    end_renaming(layout)


def _rename_in_database(layout: Layout, one: Renaming, store: Store) -> None:
    """What the database keeps of the device, where there is one.  Raises `TscmError`."""
    if not layout.database.exists():
        return
    with opened(store):
        Policies(store).rename(one.name, one.to)
        with contextlib.closing(open_database(str(layout.database))) as counts:
            Rollups(counts).rename(one.name, one.to)


def _rename_alarms(path: Path, one: Renaming) -> None:
    with contextlib.suppress(ValueError):  # damaged: told when it is read for use
        book = load_book(path)
        if book.renamed(one.name, one.to) != book:
            keep_book(path, book.renamed(one.name, one.to))


def complete_renaming(layout: Layout, store: Store) -> None:
    """Complete what a crash left, before any device is in force; what fails is told and tried again at the next start."""
    one = read_renaming(layout)
    if one is None:
        return
    try:
        rename_stored(layout, one, store)
    except (TscmError, OSError) as error:
        _log.error(
            "the renaming of device {name} to {to} cannot be completed: {error}; it is tried again at the next start",
            name=one.name,
            to=one.to,
            error=str(error),
        )
    else:
        _log.info(
            "completed the renaming of device {name} to {to}, which was interrupted",
            name=one.name,
            to=one.to,
        )


def notes_on(layout: Layout, one: Renaming) -> Iterator[str]:
    """What still has the earlier name, in words.  Blocking."""
    from tscm.settings.files import read_node
    from tscm.settings.pulled import PullSettings

    with contextlib.suppress(TscmError):
        node = read_node(layout)
        users = [(f"Report {each.name}", each.devices) for each in node.reports.schedules]
        users += [(f"Sink {each.name}", each.devices) for each in node.sink]
        for user, devices in users:
            if one.name in devices:
                yield (f"{user} names {one.name}: change `devices` of it in {layout.settings_file}")
        if isinstance(read_device(layout, one.to, None), PullSettings):
            yield (
                "The URLs of its lists have changed: enter the lines of `tsadmin show "
                f"{one.to} --lines` on the firewall, which is refused until then"
            )
