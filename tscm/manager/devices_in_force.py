"""
The devices in force: how one begins, changes, ends, and is left for another name.
"""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from tscm.errors import DeviceBeingRemoved, NoSuchDevice
from tscm.events.service import EventService
from tscm.intake.senders import SenderTable
from tscm.manager.consumers import DeviceConsumers
from tscm.manager.endings import Endings
from tscm.manager.log_consumers import DROP, EVENTS, Means
from tscm.services.list_service import ListService
from tscm.settings.device import DeviceSettings
from tscm.store.database import Store
from tscm.update.service import UpdateService


class SettingsFiles(Protocol):
    """What knows the files of devices as they were last read."""

    def forget(self, name: str) -> None:
        """A device has ended; a file of its name is a new one."""

    def take(self, name: str) -> None:
        """Put the file of a device in force now."""


class Parts(Means, Protocol):
    """The parts of a manager that a device takes part in."""

    senders: SenderTable
    events: EventService
    updates: UpdateService
    lists: ListService
    store: Store


@define(eq=False)
class DevicesInForce:
    """
    Brings a device into every part of the manager, and takes it out again.
    """

    _parts: Parts
    _files: Callable[[], SettingsFiles]
    _endings: Endings
    rooms: dict[str, DeviceConsumers] = field(factory=dict, init=False)
    """What reads the log of each, by nickname."""
    faults: dict[str, str] = field(factory=dict, init=False)
    """Why a device's settings file is not in force, by nickname; `""` is the node's own."""
    _ending: set[str] = field(factory=set, init=False)
    """Devices that are taken out of force and have not ended yet."""

    def device(self, name: str) -> DeviceConsumers:
        """What reads the log of a device that is in force.  Raises `NoSuchDevice`."""
        try:
            return self.rooms[name]
        except KeyError:
            raise NoSuchDevice(name) from None

    def start(self, settings: DeviceSettings) -> None:
        """
        Begin with a device, or go on with other settings.

        Raises `SenderConflict`, `DeviceBeingRemoved`, `OSError`.
        """
        name, parts = settings.name, self._parts
        if name in self._ending:
            raise DeviceBeingRemoved(name)
        parts.senders.claim(name, settings.senders, settings.tls_fingerprints)
        present = self.rooms.get(name)
        if present is None:
            parts.spool.open_device(name, settings.log_rotate_size * 1024)
            present = self.rooms[name] = DeviceConsumers(parts, settings)
            present.start()
        elif present.settings != settings:
            parts.spool.open_device(name, settings.log_rotate_size * 1024)
            present.change(settings)
        parts.events.follow(
            name,
            parts.spool.reader(name, EVENTS),
            settings.block_list,
            settings.allow_list,
            settings.access_lists,
            form=settings.type,
        )
        parts.updates.set_device(settings)
        parts.lists.set_device(settings)
        self.faults.pop(name, None)

    async def stop(self, name: str) -> None:
        """End with a device; its log stays on the disk."""
        parts, rooms = self._parts, self.rooms.pop(name, None)
        parts.senders.release(name)
        parts.updates.forget_device(name)
        parts.lists.forget_device(name)
        self.faults.pop(name, None)
        self._files().forget(name)
        if rooms is None:
            parts.spool.close_device(name)
            return
        self._ending.add(name)
        try:
            await self._endings.end(
                f"events of {name}", lambda: Deferred.fromCoroutine(self._no_events(name))
            )
            await self._endings.end(f"readers of {name}", rooms.stop)
            if rooms.settings.backlog == DROP:
                parts.spool.forget_device(name)
            else:  # a device that is added again goes on where its readers stand
                parts.spool.drop_reader(name, EVENTS)
                parts.spool.close_device(name)
        finally:
            self._ending.discard(name)

    async def _no_events(self, name: str) -> None:
        await self._parts.events.leave(name)
        if self._parts.store.fault is None:
            await self._parts.events.forget(name)

    def stop_readers(self) -> Deferred[Any]:
        """All at once: hundreds of devices with a SIEM that hangs must not wait one for another."""
        return DeferredList(
            [maybeDeferred(one.stop) for one in self.rooms.values()], consumeErrors=True
        )

    # -- under another name -----------------------------------------------------

    async def leave(self, name: str) -> None:
        """End with what reads a device's log, and begin nothing of it before `take`; lines are stored further."""
        rooms = self.device(name)
        if name in self._ending:
            raise DeviceBeingRemoved(name)
        self._ending.add(name)
        await self._endings.end(
            f"events of {name}", lambda: Deferred.fromCoroutine(self._parts.events.leave(name))
        )
        await self._endings.end(f"readers of {name}", rooms.stop)

    def release(self, name: str) -> None:
        """Take a device that was left out of force: it is about to come back under another name."""
        self.rooms.pop(name, None)
        self._parts.senders.release(name)
        self.faults.pop(name, None)
        self._files().forget(name)

    def take(self, left: str, name: str) -> None:
        """Put the file of *name* in force, in the place of *left*."""
        self.release(left)
        self._ending.discard(left)
        self._files().take(name)
