"""
What an uploader must still know after a crash: the batch in hand, and batches kept as rejected.
"""

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import UnfitFile, read_regular
from tscm.settings.files import write_private
from tscm.upload.batch import Part
from tscm.upload.outcome import RejectedBatch

_VERSION = 1
_MOST_BYTES = 1 << 20
MAX_ASIDE = 100


BACKUP = (
    BackupRule("var/log/threatstop/devices/*/.spool/upload", Treatment.COPY),
    BackupRule("var/log/threatstop/devices/*/.spool/aside/**", Treatment.COPY),
)
"""What a backup does with the batch in hand and those that were rejected."""


def encode(parts: Sequence[Part]) -> bytes:
    """The state file's content: the parts still to be sent, oldest first."""
    table = {"version": _VERSION, "parts": [attrs.asdict(part) for part in parts]}
    return json.dumps(table).encode() + b"\n"


def decode(content: bytes) -> tuple[Part, ...]:
    """
    What `encode` was given; nothing where the content is damaged.

    A damaged file costs no line: the range is batched again, under another key.
    """
    try:
        table = json.loads(content)
        if table["version"] != _VERSION:
            return ()
        parts = tuple(_part(one) for one in table["parts"])
    except (ValueError, KeyError, TypeError):
        return ()
    for one, following in itertools.pairwise(parts):
        if one.end != following.start:
            return ()
    return parts


def _part(table: dict[str, Any]) -> Part:
    part = Part(**table)
    texts = (part.key, part.encoding, part.digest)
    numbers = (part.start, part.end, part.refusals)
    if not all(isinstance(one, str) for one in texts) or not all(type(n) is int for n in numbers):
        raise TypeError("a field has the wrong type")
    if not part.key or not 0 <= part.start < part.end:
        raise ValueError("no range")
    return part


def read_state(path: Path) -> tuple[Part, ...]:
    """Blocking: the parts that were in hand; nothing where there is no file or a damaged one."""
    try:
        return decode(read_regular(path, _MOST_BYTES))
    except (FileNotFoundError, UnfitFile):
        return ()


def write_state(path: Path, parts: Sequence[Part]) -> None:
    """Blocking: make *parts* the ones in hand; durable on return."""
    if parts:
        write_private(path, encode(parts))
    else:
        path.unlink(missing_ok=True)


def store_rejected(folder: Path, aside: RejectedBatch, selected: bytes) -> int:
    """
    Blocking: keep *selected*, the lines of a refused batch; how many old ones had to go for it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    write_private(folder / f"{aside.key}.lines", selected)
    write_private(folder / f"{aside.key}.json", json.dumps(attrs.asdict(aside)).encode() + b"\n")
    kept = list_rejected(folder)
    for one in kept[:-MAX_ASIDE]:
        drop_rejected(folder, one.key)
    return max(0, len(kept) - MAX_ASIDE)


def list_rejected(folder: Path) -> list[RejectedBatch]:
    """Blocking: what was kept as rejected, oldest first; files that cannot be read are passed over."""
    found = []
    for path in folder.glob("*.json"):
        try:
            found.append(RejectedBatch(**json.loads(read_regular(path))))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda one: (one.at, one.start))


def read_rejected(folder: Path, key: str) -> bytes:
    """Blocking: the lines of one.  Raises `OSError`."""
    return (folder / f"{key}.lines").read_bytes()


def drop_rejected(folder: Path, key: str) -> None:
    """Blocking: forget one."""
    for suffix in ("json", "lines"):
        (folder / f"{key}.{suffix}").unlink(missing_ok=True)
    if folder.is_dir() and not any(os.scandir(folder)):
        folder.rmdir()
