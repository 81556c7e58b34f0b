"""
Uploaded batches on the log service's disk: checked, complete or not at all, known again by name.

A batch is one file, `uploads/DEVICE_ID/BATCH~LINES~SHA256.log[.gz|.zst]`, content as it was sent.
The name is the record: one rename makes the batch stored, and a repeated upload is recognised
by a look at the folder, after a restart too.
"""

import errno
import os
import re
from pathlib import Path

from attrs import frozen

from tscm.portal.decoding import ContentRefused, count_lines
from tscm.upload_format import BatchHead

_MIN_FREE_BYTES = 64 << 20
_SUFFIX = {"": ".log", "gzip": ".log.gz", "zstd": ".log.zst"}
_NAME = re.compile(
    r"(?P<batch>[A-Za-z0-9._-]+)~(?P<lines>\d+)~(?P<digest>[0-9a-f]{64})\.log[.a-z]*"
)
TEMPORARY = ".new-"


@frozen(kw_only=True)
class Stored:
    """
    One batch that is safe.
    """

    batch: str
    lines: int
    digest: bytes
    size: int


def uploads_folder(portal: Path, device_id: str) -> Path:
    """Where a device's batches lie; *device_id* has passed `upload_format.read_head`."""
    return portal / "uploads" / device_id


def read_stored(portal: Path) -> dict[str, dict[str, Stored]]:
    """
    All batches by device ID and key; what a broken upload left behind is deleted.  Blocking.
    """
    found: dict[str, dict[str, Stored]] = {}
    for path in (portal / "uploads").glob("*/*"):
        if path.name.startswith(TEMPORARY):
            path.unlink(missing_ok=True)
            continue
        said = _NAME.fullmatch(path.name)
        if said:
            batches = found.setdefault(path.parent.name, {})
            batches[said["batch"]] = Stored(
                batch=said["batch"],
                lines=int(said["lines"]),
                digest=bytes.fromhex(said["digest"]),
                size=path.stat().st_size,
            )
    return found


def store(portal: Path, head: BatchHead, temporary: Path, max_plain: int) -> Stored:
    """
    Check what lies at *temporary* and make it a stored batch; on the disk on return.  Blocking.

    Raises `ContentRefused`, and OSError when the disk does not take it.
    """
    space = os.statvfs(temporary.parent)
    if space.f_bavail * space.f_frsize < _MIN_FREE_BYTES:
        raise OSError(errno.ENOSPC, "too little free space for uploads")
    with temporary.open("rb") as file:
        lines = count_lines(file, head.encoding, max_plain)
    if lines != head.lines:
        raise ContentRefused(400, f"the content has {lines} lines, the headers say {head.lines}")
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    folder = uploads_folder(portal, head.device_id)
    name = f"{head.batch}~{lines}~{head.digest.hex()}{_SUFFIX[head.encoding]}"
    temporary.rename(folder / name)
    for each in (folder, folder.parent):
        sync_folder(each)
    return Stored(batch=head.batch, lines=lines, digest=head.digest, size=size)


def sync_folder(folder: Path) -> None:
    """Force the names of *folder* to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
