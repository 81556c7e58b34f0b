"""
What an archive says of itself: a head in front, and a manifest at its end.  Pure.

The head comes first, so that a version that cannot restore an archive says so before it reads gigabytes.  The manifest
comes last, for sizes and digests are known when everything was read once; an archive that was cut off has none.
"""

import json
import re
from typing import Any

from attrs import asdict, field, frozen

FORMAT = 1
HEAD = "head.json"
MANIFEST = "manifest.json"
HEAD_BYTES = 1 << 16
MANIFEST_BYTES = 256 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MODES = 0o777


@frozen(kw_only=True)
class Head:
    """
    Which version made an archive, when (seconds since the epoch), of which host and installation, and what is in it.
    """

    format: int = FORMAT
    version: str
    schema: int
    """Number of the database's schema; 0 without a database."""
    host: str
    made_at: float
    logs: bool
    uploads: bool
    salt: str | None
    """For the passphrase, as hexadecimal digits; None without one."""


@frozen(kw_only=True)
class Member:
    """
    One file: its path below the root directory, its size in bytes and SHA-256 as it lies in the archive, and its mode.
    """

    path: str
    size: int
    digest: str
    mode: int
    encrypted: bool = False


@frozen(kw_only=True)
class Manifest:
    """
    All files of an archive; *seal* proves them, and the head, to who has the passphrase.
    """

    members: tuple[Member, ...] = field(factory=tuple)
    seal: str | None = None


def encode_head(head: Head) -> bytes:
    """The head's bytes."""
    return json.dumps(asdict(head), sort_keys=True).encode() + b"\n"


def decode_head(data: bytes) -> Head:
    """
    What `encode_head` was given.  Of a later format only `format` and `version` are read.

    Raises `ValueError` with what is wrong.
    """
    table = _table(data)
    form, version = table.get("format"), table.get("version")
    if not isinstance(form, int) or isinstance(form, bool) or not isinstance(version, str):
        raise ValueError("it is not a backup of tscm")  # noqa: TRY004 - foreign text
    if form != FORMAT:
        raise ValueError(
            f"version {version[:40]} made it in format {form}, and this version reads format "
            f"{FORMAT}; install the version that made it, or a later one"
        )
    return Head(
        version=version,
        schema=_typed(table, "schema", int),
        host=_typed(table, "host", str),
        made_at=float(_typed(table, "made_at", (int, float))),
        logs=_typed(table, "logs", bool),
        uploads=_typed(table, "uploads", bool),
        salt=_typed(table, "salt", (str, type(None))),
    )


def members_text(members: tuple[Member, ...]) -> bytes:
    """The members in the one form that digests and seals are made of."""
    return json.dumps([asdict(one) for one in members], sort_keys=True).encode()


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest's bytes."""
    table = {"members": [asdict(one) for one in manifest.members], "seal": manifest.seal}
    return json.dumps(table, sort_keys=True).encode() + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """What `encode_manifest` was given.  Raises `ValueError` with what is wrong."""
    table = _table(data)
    rows = _typed(table, "members", list)
    members = tuple(_member(row) for row in rows)
    if len({one.path for one in members}) != len(members):
        raise ValueError("its manifest names a file twice")
    return Manifest(members=members, seal=_typed(table, "seal", (str, type(None))))


def _member(row: Any) -> Member:
    if not isinstance(row, dict):
        raise ValueError("its manifest is damaged")  # noqa: TRY004 - as above
    one = Member(
        path=_typed(row, "path", str),
        size=_typed(row, "size", int),
        digest=_typed(row, "digest", str),
        mode=_typed(row, "mode", int),
        encrypted=_typed(row, "encrypted", bool),
    )
    if one.size < 0 or one.mode & ~_MODES or not _DIGEST.fullmatch(one.digest):
        raise ValueError("its manifest is damaged")
    return one


def _table(data: bytes) -> dict[str, Any]:
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise ValueError("it is not a backup of tscm")  # noqa: TRY004 - as above
    return table


def _typed(table: dict[str, Any], name: str, kind: Any) -> Any:
    value = table.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise ValueError(f"its field {name} is damaged")
    return value
