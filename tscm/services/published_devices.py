"""
What is published for each device that pulls, as the disk had it at the last look.

A publication that cannot be read leaves the last one that could in force, and is told.
"""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tscm.base.threads import Threads
from tscm.services.list_gate import Door
from tscm.services.publication import CURRENT, Publication, PublicationDamaged, read_publication
from tscm.settings.pulled import PullSettings

LOOK_SECONDS = 1.0
"""Minimum interval between two looks at what is published for a device."""
Signature = tuple[int, int, int]
"""Time, size and inode of the file that names a publication."""


@define(eq=False)
class Shown:
    """One device: who may pull, what is served, and what is wrong with it."""

    settings: PullSettings
    door: Door
    publication: Publication | None = None
    signature: Signature | None = None
    looked_at: float | None = None
    looking: list[Deferred[None]] | None = None
    """Who waits for the look that is in progress; None where none is."""
    fault: str = ""
    refused: Counter[str] = field(factory=Counter)


@define(eq=False)
class PublishedDevices:
    """
    The devices of *folder*, a folder each, and their publications.  *threads* is the caller's, and must outlive it.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _threads: Threads
    folder: Path
    devices: dict[str, Shown] = field(factory=dict, init=False)

    def put(self, settings: PullSettings) -> None:
        """Take in a device, or its changed settings."""
        door, present = Door.of(settings), self.devices.get(settings.name)
        if present is None:
            self.devices[settings.name] = Shown(settings, door)
        else:
            present.settings, present.door = settings, door

    async def look_at_all(self) -> None:
        """Take up what has changed: one call finds the devices."""
        devices = list(self.devices.values())
        asked = [(self.folder / one.settings.name, one.signature) for one in devices]
        flags = await self._threads.run(_flags, asked)
        for one, changed in zip(devices, flags, strict=True):
            if changed or one.fault:
                await self.look_now(one)

    async def look_now(self, one: Shown) -> None:
        """Take up what is published for a device, however recent the last look is."""
        one.looked_at = None
        await self.look(one)

    async def look(self, one: Shown) -> None:
        """Take up what is published for a device by now, unless that was just done."""
        if one.looking is not None:
            if one.publication is None:
                waiting: Deferred[None] = Deferred()
                one.looking.append(waiting)
                await waiting
            return
        now = self._clock.seconds()
        recent = one.looked_at is not None and now - one.looked_at < LOOK_SECONDS
        if recent and one.publication is not None:
            return
        one.looked_at, one.looking = now, []
        try:
            await self._look(one)
        finally:
            waiters, one.looking = one.looking, None
            for waiter in waiters:
                waiter.callback(None)

    async def _look(self, one: Shown) -> None:
        folder = self.folder / one.settings.name
        try:
            signature, found = await self._threads.run(_read_changed, folder, one.signature)
        except (PublicationDamaged, OSError) as error:
            self.damaged(one, str(error))
            return
        if signature is None and one.publication is not None:
            self.damaged(one, f"{folder / CURRENT} is gone")
        elif signature != one.signature or one.fault:
            one.signature, one.fault = signature, ""
            if found is not _UNCHANGED:
                one.publication = found

    def damaged(self, one: Shown, fault: str) -> None:
        """What lies there cannot be read: told once, and read again at the next look."""
        one.signature = None
        if fault != one.fault:
            self._log.error(
                "the lists of {device} cannot be read, and the last good ones are served: {fault}",
                device=one.settings.name,
                fault=fault,
            )
        one.fault = fault


_UNCHANGED = object()


def _flags(asked: list[tuple[Path, Signature | None]]) -> list[bool]:
    """For each folder: is its publication another than the one with that signature?"""
    return [_signature(folder) != before for folder, before in asked]


def _signature(folder: Path) -> Signature | None:
    try:
        found = (folder / CURRENT).stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _read_changed(folder: Path, before: Signature | None) -> tuple[Signature | None, Any]:
    """Signature and publication of *folder*, the latter only where the former is another than *before*."""
    try:
        found = (folder / CURRENT).stat()
    except FileNotFoundError:
        return None, None
    signature = (found.st_mtime_ns, found.st_size, found.st_ino)
    if signature == before:
        return signature, _UNCHANGED
    return signature, read_publication(folder)
