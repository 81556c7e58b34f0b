"""
How long the log service keeps uploads, and when it takes none: decided here, carried out by `LogService`.

Uploads are copies of what an uploader has in its own log.  On a disk that they share with the firewalls' logs
they go first, and are refused, before retention of the logs has to delete an original.
"""

import os
from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import islice
from pathlib import Path

from attrs import define, field, frozen

from tscm.services.receipts import Receipts, Stored, Tally
from tscm.settings.node import SpoolBounds
from tscm.settings.portal import PortalSettings

REFUSE_MB = 256
"""So far above `min_free_mb` uploads are refused."""
DELETE_MB = 128
"""So far above it the oldest of them are deleted."""
MIN_FREE_FILES = 4096
AGE, SIZE, COUNT, SPACE = "age", "size", "count", "space"
_MB = 1 << 20
_DAY = 86400.0


@frozen(kw_only=True)
class UploadBounds:
    """
    Bounds on what is kept of each device, and on what must stay free of the disk.
    """

    max_age_days: float = 90
    max_mb_per_device: float = 4096
    max_batches_per_device: int = 20_000
    min_free_mb: float = 512

    @classmethod
    def of(cls, portal: PortalSettings, spool: SpoolBounds) -> "UploadBounds":
        """By the node's settings; *spool* says below how much free space the logs themselves are deleted."""
        return cls(
            max_age_days=portal.uploads_max_age_days,
            max_mb_per_device=portal.uploads_max_mb_per_device,
            max_batches_per_device=portal.uploads_max_batches_per_device,
            min_free_mb=spool.min_free_mb,
        )

    @property
    def refuse_below(self) -> float:
        """Bytes that must stay free beside an upload."""
        return (self.min_free_mb + REFUSE_MB) * _MB

    @property
    def delete_below(self) -> float:
        """Bytes below which the oldest uploads go."""
        return (self.min_free_mb + DELETE_MB) * _MB


@frozen
class Space:
    """
    What is free of a disk: bytes, and files (None: the file system does not say).
    """

    bytes: int
    files: int | None = None

    @classmethod
    def of(cls, folder: Path) -> "Space":
        """Of the disk that *folder* lies on, or will.  Raises `OSError`."""
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        found = os.statvfs(folder)
        return cls(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


@define(eq=False)
class DeviceUploads:
    """
    What is kept of one device, oldest first, and the receipts of what was.
    """

    batches: dict[str, Stored] = field(factory=dict)
    kept: Tally = field(factory=Tally)
    receipts: Receipts = field(factory=Receipts)

    def known(self, batch: str) -> Stored | None:
        """The batch of this key, kept or deleted."""
        return self.batches.get(batch) or self.receipts.known.get(batch)

    def add(self, one: Stored) -> None:
        """A batch is stored; it is the newest."""
        self.batches[one.batch] = one
        self.kept.add(one)

    def delete(self, one: Stored) -> None:
        """A batch is deleted, and its receipt written."""
        if self.batches.pop(one.batch, None) is not None:
            self.kept.add(one, -1)
            self.receipts.add(one)


Doomed = tuple[str, Stored, str]
"""Device ID, batch, and why it goes."""


def doomed(
    uploads: Mapping[str, DeviceUploads],
    bounds: UploadBounds,
    now: float,
    space: Space,
    most: int,
) -> list[Doomed]:
    """
    What has to go now, oldest first for each device; at most *most*, and the rest the next time.
    """
    found: list[Doomed] = []
    for device, one in uploads.items():
        found += islice(_by_rules(device, one, bounds, now), most - len(found))
        if len(found) >= most:
            return found
    freed = sum(stored.size for _, stored, _ in found)
    missing = bounds.delete_below - space.bytes - freed
    files = 0 if space.files is None else MIN_FREE_FILES - space.files - len(found)
    if missing <= 0 and files <= 0:
        return found
    taken = {(device, stored.batch) for device, stored, _ in found}
    oldest = merge(*(_by_age(device, one) for device, one in uploads.items()))
    for _, device, batch, stored in oldest:
        if len(found) >= most or (missing <= 0 and files <= 0):
            break
        if (device, batch) not in taken:
            found.append((device, stored, SPACE))
            missing -= stored.size
            files -= 1
    return found


def _by_age(device: str, uploads: DeviceUploads) -> Iterator[tuple[float, str, str, Stored]]:
    for stored in uploads.batches.values():
        yield stored.at, device, stored.batch, stored


def _by_rules(
    device: str, uploads: DeviceUploads, bounds: UploadBounds, now: float
) -> Iterator[Doomed]:
    size, count = uploads.kept.bytes, uploads.kept.batches
    for stored in uploads.batches.values():
        if now - stored.at > bounds.max_age_days * _DAY:
            cause = AGE
        elif size > bounds.max_mb_per_device * _MB:
            cause = SIZE
        elif count > bounds.max_batches_per_device:
            cause = COUNT
        else:
            return
        size, count = size - stored.size, count - 1
        yield device, stored, cause


def refusal(bounds: UploadBounds, space: Space, coming: int) -> str | None:
    """Why no upload is taken, *coming* being bytes that are on their way; None where there is room."""
    free = space.bytes - coming
    if free < bounds.refuse_below:
        return (
            "the log service's disk is short of space: besides uploads in progress "
            f"{max(0, free) >> 20:,} MB are free, and below "
            f"{bounds.refuse_below / _MB:,.0f} MB it accepts none"
        )
    if space.files is not None and space.files < MIN_FREE_FILES:
        return (
            f"the log service's disk has only {space.files:,} free inodes, so it accepts no uploads"
        )
    return None
