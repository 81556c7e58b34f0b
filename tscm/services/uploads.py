"""
Uploaded batches on the log service's disk: checked, complete or not at all, known again by name.

A batch is one file, `uploads/DEVICE_ID/BATCH~LINES~SHA256.log[.gz|.zst]`, content as it was sent.
The name is the record: one rename makes the batch stored, and a repeated upload is recognised
by a look at the folder, after a restart too.  One that was deleted has left a receipt (`tscm.services.receipts`).
"""

import errno
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.services.decoding import ContentRefused, count_lines
from tscm.services.receipts import Stored, read_receipts, write_receipts
from tscm.services.upload_retention import DeviceUploads
from tscm.upload_format import BatchHead

_MIN_FREE_BYTES = 64 << 20
_SUFFIX = {"": ".log", "gzip": ".log.gz", "zstd": ".log.zst"}
_NAME = re.compile(
    r"(?P<batch>[A-Za-z0-9._-]+)~(?P<lines>\d+)~(?P<digest>[0-9a-f]{64})\.log[.a-z]*"
)
TEMPORARY = ".new-"


BACKUP = (BackupRule("var/lib/tscm/portal/uploads/**", Treatment.UPLOAD),)
"""What a backup does with the stored batches."""


def uploads_folder(portal: Path, device_id: str) -> Path:
    """Where a device's batches lie; *device_id* has passed `upload_format.read_head`."""
    return portal / "uploads" / device_id


def read_stored(portal: Path) -> dict[str, DeviceUploads]:
    """
    All batches and receipts by device ID; what a broken upload left behind is deleted.  Blocking.
    """
    found: dict[str, DeviceUploads] = {}
    for folder in (portal / "uploads").glob("*"):
        if not folder.is_dir():
            continue
        device = DeviceUploads(receipts=read_receipts(folder))
        batches, hollow = [], []
        for path in folder.iterdir():
            if path.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)
                continue
            said = _NAME.fullmatch(path.name)
            if said is None:
                continue
            state = path.stat()
            one = Stored(
                batch=said["batch"],
                lines=int(said["lines"]),
                digest=bytes.fromhex(said["digest"]),
                size=state.st_size,
                at=state.st_mtime,
                name=path.name,
            )
            if one.batch in device.receipts.known or (one.lines and not one.size):
                hollow.append(one)  # a stop came between its receipt, or its emptying, and its end
            else:
                batches.append(one)
        for one in delete(portal, folder.name, hollow)[0] if hollow else ():
            device.receipts.add(one)
        for one in sorted(batches, key=lambda one: (one.at, one.batch)):
            device.add(one)
        if batches or device.receipts.known:
            found[folder.name] = device
    return found


def delete(portal: Path, device_id: str, batches: Sequence[Stored]) -> tuple[list[Stored], str]:
    """
    Delete batches once their receipts are on the disk; gives those that are gone, and why not all.  Blocking.
    """
    folder = uploads_folder(portal, device_id)
    gone: list[Stored] = []
    try:
        try:
            write_receipts(folder, batches)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not batches:
                raise
            # No room for a receipt: a file's name is one too, and an empty file makes the room.
            os.truncate(folder / batches[0].name, 0)
            write_receipts(folder, batches)
        for one in batches:
            (folder / one.name).unlink(missing_ok=True)
            gone.append(one)
    except OSError as error:
        return gone, error.strerror or str(error)
    return gone, ""


def store(portal: Path, head: BatchHead, temporary: Path, max_plain: int) -> Stored:
    """
    Check what lies at *temporary* and make it a stored batch; on the disk on return.  Blocking.

    Raises `ContentRefused`, and OSError when the disk does not take it.
    """
    space = os.statvfs(temporary.parent)
    if space.f_bavail * space.f_frsize < _MIN_FREE_BYTES:
        raise OSError(errno.ENOSPC, "not enough free disk space for uploads")
    with temporary.open("rb") as file:
        lines = count_lines(file, head.encoding, max_plain)
    if lines != head.lines:
        raise ContentRefused(
            400, f"the content has {lines} lines, but the headers declare {head.lines}"
        )
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    folder = uploads_folder(portal, head.device_id)
    name = f"{head.batch}~{lines}~{head.digest.hex()}{_SUFFIX[head.encoding]}"
    temporary.rename(folder / name)
    for each in (folder, folder.parent):
        sync_folder(each)
    return Stored(
        batch=head.batch, lines=lines, digest=head.digest, size=size, at=time.time(), name=name
    )


def sync_folder(folder: Path) -> None:
    """Force the names of *folder* to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
