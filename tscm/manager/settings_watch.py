"""
The watch over the settings files: what is edited by hand comes into force without a restart.

A file with a fault leaves what there is in force, and the fault is shown.  Where the kernel tells of changes in the
folder, all files are looked at only after one, and each minute for what it does not tell of.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from attrs import define, evolve, field
from twisted.logger import Logger

from tscm.base.folder_watch import FolderWatch
from tscm.base.schedule import in_slices
from tscm.errors import (
    DeviceBeingRemoved,
    LogOpening,
    NoSuchDevice,
    SameFirewall,
    SecretUnavailable,
    SenderConflict,
    TscmError,
)
from tscm.intake.service import IntakeService
from tscm.manager.devices_in_force import DevicesInForce
from tscm.metrics.pages import WatchService
from tscm.services.list_service import ListService
from tscm.services.log_service import LogService
from tscm.services.upload_retention import UploadBounds
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_entries, device_names, open_device, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.node import Listen, NodeSettings
from tscm.settings.sealed import while_sealed
from tscm.spool.service import SpoolService

WATCH_SECONDS = 2.0
GONE_LOOKS = 3
WALK_SECONDS = 60.0
"""How often all files are looked at where the kernel tells of changes: of a link's target or a bind mount it does not."""
FILES_PER_SECOND = 500
"""How many files a second are looked at where the kernel does not: half a percent of a core."""

_TICK_SECONDS = 0.1
"""Two edits within a tick of the file system's clock have one time; no tick of Linux is longer than 10 ms."""
_AHEAD_SECONDS = 60.0
"""A file system's clock that is ahead of ours by more is not waited for."""

Signature = tuple[int, int, int]
_GONE: Signature = (0, 0, 0)


class InForce(Protocol):
    """
    The settings in force, and the parts of a manager that take other ones.
    """

    layout: Layout
    node: NodeSettings
    in_force: DevicesInForce
    spool: SpoolService
    intake: IntakeService
    watch: WatchService
    lists: ListService

    @property
    def log_service(self) -> LogService | None:
        """The embedded log service, where there is one."""


@define(eq=False)
class SettingsWatch:
    """
    Knows the files as they were last read, and what became of each.
    """

    _log: ClassVar[Logger] = Logger()

    _service: InForce
    _clock: Any
    _folder: FolderWatch = field(init=False)
    _walked_at: float = field(default=float("-inf"), init=False)
    """When all files were last looked at, by the reactor's clock."""
    _links: bool = field(default=False, init=False)
    """Whether a file is a link: the kernel does not tell of what it leads to."""
    _seen: dict[str, Signature] = field(factory=dict, init=False)
    _fresh: set[str] = field(factory=set, init=False)
    """Files that had changed so lately when they were read that another edit may look the same: read with the next look, too."""
    _refused: set[str] = field(factory=set, init=False)
    """Devices that the disk or another device did not let begin: tried again."""
    _sealed: set[str] = field(factory=set, init=False)
    """Devices whose secrets the key did not open."""
    _key_seen: Signature = field(default=_GONE, init=False)
    _groups: dict[tuple[str, str], str] = field(factory=dict, init=False)
    """Which device has the groups of a prefix in a place."""
    _missing: dict[str, int] = field(factory=dict, init=False)
    """Looks since the file of a device that is in force was last seen."""

    def __attrs_post_init__(self) -> None:
        self._folder = FolderWatch(self._clock, self._service.layout.devices)

    def begin(self) -> None:
        """Put every device's file in force."""
        self._folder.changed()  # from here on the kernel tells
        self._note("", _signature_of(self._service.layout.settings_file))
        self._key_seen = _signature_of(self._service.layout.key)
        for name in device_names(self._service.layout):
            self._note(name, _signature_of(self._service.layout.device_file(name)))
            self._load(name)

    def _note(self, name: str, signature: Signature) -> None:
        """The file is about to be read, and is as *signature* tells."""
        self._seen[name] = signature
        if -_AHEAD_SECONDS < time.time() - signature[0] / 1e9 < _TICK_SECONDS:
            self._fresh.add(name)
        else:
            self._fresh.discard(name)

    def forget(self, name: str) -> None:
        """A device has ended; a file of its name is a new one."""
        self._seen.pop(name, None)
        self._fresh.discard(name)
        self._sealed.discard(name)

    def take(self, name: str) -> None:
        """Put a device's file in force now, in the place of what is."""
        self._seen[name] = _signature_of(self._service.layout.device_file(name))
        self._load(name)

    def _load(self, name: str) -> None:
        """
        Put the file of a device in force; one with a fault leaves what there is, and is shown.

        With the sealing key lost the device's lines are still collected: only what needs a
        password waits.
        """
        self._refused.discard(name)
        self._sealed.discard(name)
        try:
            settings = self._read(name)
            self._service.in_force.start(settings)
            self._look_for_twin(settings)
        except NoSuchDevice:
            return
        except (TscmError, OSError) as error:
            sentence = str(error)
            if isinstance(error, OSError):
                self._refused.add(name)
                sentence = (
                    f"it cannot be applied: {error}; check the disk of the logs and its "
                    f"permissions; retrying every {WATCH_SECONDS:.0f} s"
                )
            elif isinstance(error, SenderConflict | DeviceBeingRemoved | LogOpening):
                # Until another device's file, its own end, or the end of what its log needs makes room.
                self._refused.add(name)
            if self._service.in_force.faults.get(name) != sentence and not isinstance(
                error, LogOpening
            ):
                self._log.error("device {device}: {error}", device=name, error=sentence)
            self._service.in_force.faults[name] = sentence

    def _look_for_twin(self, settings: DeviceSettings) -> None:
        """
        Say where two devices manage the same groups in the same place: files from before that was refused.

        What only a look-up or the device itself shows is found by the first update.
        """
        groups, name = (settings.endpoint, settings.own_names), settings.name
        other = self._groups.setdefault(groups, name)
        room = self._service.in_force.rooms.get(other)
        if room is None or (room.settings.endpoint, room.settings.own_names) != groups:
            self._groups[groups] = name  # it has ended, or moved
        elif other != name:
            error = SameFirewall(settings.managed_at, name, other, settings.own_names)
            self._log.warn("only one of the two devices is updated: {error}", error=str(error))

    def _read(self, name: str) -> DeviceSettings:
        try:
            return open_device(self._service.layout, name)
        except SecretUnavailable as error:
            self._sealed.add(name)
            if name in self._service.in_force.rooms:
                raise
            settings = read_device(self._service.layout, name, None)
            self._service.in_force.start(while_sealed(settings))
            raise error from None

    def stop(self) -> None:
        """Give back what the watch over the folder takes."""
        self._folder.stop()

    def look_at_all(self) -> None:
        """Look at all files with the next look, whatever the kernel tells."""
        self._walked_at = float("-inf")

    async def poll(self) -> None:
        """Put in force what has changed since the last look."""
        key = _signature_of(self._service.layout.key)
        key_changed, self._key_seen = key != self._key_seen, key
        for name in sorted(self._refused | (self._sealed if key_changed else set())):
            self._load(name)
        changed, now = self._folder.changed(), self._clock.seconds()
        told = self._folder.works and not self._links
        if self._missing or (changed and told) or now >= self._walked_at + self._pause(told=told):
            self._walked_at = now
            await self._walk()
        node = _signature_of(self._service.layout.settings_file)
        if self._seen.get("") != node or "" in self._fresh:
            self._note("", node)
            self._look_at_node()

    def _pause(self, *, told: bool) -> float:
        return WALK_SECONDS if told else max(0.0, len(self._seen) / FILES_PER_SECOND)

    async def _walk(self) -> None:
        """Look at every file, in slices: with thousands of them that takes many milliseconds."""
        entries = device_entries(self._service.layout)
        names = sorted(entries)
        self._links = any(entry.is_symlink() for entry in entries.values())
        async for name in in_slices(self._clock, names):
            signature = _signature_of(entries[name])
            changed = self._seen.get(name) != signature
            if signature == _GONE or not (changed or name in self._fresh):
                continue
            self._note(name, signature)
            if changed:
                self._log.info(
                    "the settings of {device} are new or have changed: they are read", device=name
                )
            self._load(name)
        for name in self._gone(names):
            self._log.info("the settings of {device} were removed", device=name)
            await self._service.in_force.stop(name)
        for name in (
            self._service.in_force.faults.keys()
            - self._service.in_force.rooms.keys()
            - {"", *names}
        ):
            del self._service.in_force.faults[
                name
            ]  # its file, which never came into force, is gone
            self._refused.discard(name)
            self._service.spool.close_device(name)

    def _gone(self, names: Iterable[str]) -> list[str]:
        """
        Devices in force whose file has been missing for a while.

        With a device go its readers' positions and its roll-ups.  So not at the first look: an editor
        or a checkout may be replacing the file; and not while the whole folder is away.
        """
        if not self._service.layout.devices.is_dir():
            names = self._service.in_force.rooms
        missing = self._service.in_force.rooms.keys() - set(names)
        self._missing = {name: self._missing.get(name, 0) + 1 for name in missing}
        return sorted(name for name, looks in self._missing.items() if looks >= GONE_LOOKS)

    def _look_at_node(self) -> None:
        try:
            wanted = read_node(self._service.layout)
        except TscmError as error:
            if self._service.in_force.faults.get("") != str(error):
                self._log.error("{error}; the previous settings remain in force", error=str(error))
            self._service.in_force.faults[""] = str(error)
            return
        if wanted == self._service.node:
            self._service.in_force.faults.pop("", None)
            return
        present = self._service.node.listen
        listen = evolve(wanted.listen, ipv6_takes_ipv4=present.ipv6_takes_ipv4)
        if (
            evolve(self._service.node, intake=wanted.intake, listen=listen, spool=wanted.spool)
            == wanted
            and self._service.spool.apply_limits(wanted.spool)
            and self._service.intake.apply_limits(wanted.intake)
        ):
            self._service.node = evolve(
                self._service.node, intake=wanted.intake, spool=wanted.spool
            )
            if self._service.log_service is not None:  # its uploads give way to the logs
                self._service.log_service.bounds = UploadBounds.of(wanted.portal, wanted.spool)
            if not self._take_listeners(listen):
                return
            self._service.node = wanted
            self._service.in_force.faults.pop("", None)
            self._log.info("listeners and the limits of intake and retention match the settings")
            return
        notice = (
            f"{self._service.layout.settings_file} has changed; restart the manager to apply it"
        )
        if self._service.in_force.faults.get("") != notice:
            self._log.warn("{notice}", notice=notice)
        self._service.in_force.faults[""] = notice

    def _take_listeners(self, listen: Listen) -> bool:
        """Those for lines, then those for metrics and lists; each stays as it is where that fails."""
        try:
            self._service.intake.apply_listeners(listen)
            for rooms in self._service.in_force.rooms.values():
                rooms.look_at_listeners()
            self._service.watch.apply_listeners(listen)
            self._service.lists.apply_listeners(listen)
        except TscmError as error:
            self._service.in_force.faults[""] = str(error)
            self._log.error("{error}; the previous listeners remain", error=str(error))
            return False
        return True


def _signature_of(file: "Path | os.DirEntry[str]") -> Signature:
    try:
        found = file.stat()
    except OSError:
        return _GONE
    return (found.st_mtime_ns, found.st_size, found.st_ino)
