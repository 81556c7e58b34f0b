"""
What is published for a firewall, as it lies on the disk: whole or as it was before.

A folder a device.  Bodies are named by what they hold, and `current.json`, which is replaced last, names those that
belong together: a reader at any moment finds one publication and all of its files.  Bodies are compressed here
and not where they are served.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.settings.files import write_private

TEXT = "text/plain; charset=utf-8"
PLAIN_BLOCK, PLAIN_ALLOW = "block.txt", "allow.txt"
"""Served to every consumer, one network a line: by these the published lists are read back."""
MD5 = ".md5"
"""Behind the name of a file: its checksum."""
CURRENT = "current.json"
MOST_BYTES = 256 << 20
"""Of one body; the largest list of any consumer takes less than half."""
_CURRENT_BYTES = 1 << 16
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9]{1,20}\.[a-z0-9]{1,5}")
_LEVEL = 6


@frozen
class Body:
    """A file as it is served."""

    content: bytes
    kind: str
    """Its media type."""
    entries: int
    """How many networks it names; 0 where it holds the placeholder alone."""
    left_out: int = 0
    """Networks that its form cannot express."""


BACKUP = (BackupRule("var/lib/tscm/lists/*/*", Treatment.COPY),)
"""What a backup does with what is published: a restored node serves it at once."""


class PublicationDamaged(Exception):
    """
    What lies in the folder cannot be served.
    """


@frozen(kw_only=True)
class File:
    """One file of a publication: SHA-256 and MD5 of its content, its media type, how many networks it names."""

    digest: str
    md5: str
    size: int
    zipped_size: int
    kind: str
    entries: int
    since: int = 0
    """The generation from which on it holds this content."""


@frozen(kw_only=True)
class Publication:
    """
    What is served for a device: the number of the policy generation with its time, and the files by name.

    *published_at* is when the files came to hold what they hold, which may have been for an earlier generation.  *purged*: nothing is to be blocked any more, and the lists hold the placeholder.
    """

    generation: int
    generation_at: float
    published_at: float
    files: Mapping[str, File]
    purged: bool = False

    @property
    def digests(self) -> Mapping[str, str]:
        """The content of each file."""
        return {name: one.digest for name, one in self.files.items()}


def file_of(body: Body, zipped: bytes) -> File:
    """How *body* is served."""
    return File(
        digest=hashlib.sha256(body.content).hexdigest(),
        md5=hashlib.md5(body.content, usedforsecurity=False).hexdigest(),
        size=len(body.content),
        zipped_size=len(zipped),
        kind=body.kind,
        entries=body.entries,
    )


def publish(
    folder: Path,
    bodies: Mapping[str, Body],
    *,
    generation: int,
    now: float,
    purged: bool = False,
) -> Publication:
    """
    Put *bodies* in the place of what is published in *folder*.  Blocks; raises OSError.

    The time stays where every body does: a consumer that asks by time fetches nothing then.  Other bodies are at least
    a second younger than those before, whatever the clock says: it may have been set back, and HTTP tells whole seconds.
    """
    before = _or_none(folder)
    files: dict[str, File] = {}
    for name, body in bodies.items():
        zipped = gzip.compress(body.content, _LEVEL, mtime=0)
        one = files[name] = _since(file_of(body, zipped), before, name, generation)
        for path, content in (
            (plain_path(folder, one), body.content),
            (zipped_path(folder, one), zipped),
        ):
            if not _holds(path, content):
                write_private(path, content)
    made = Publication(
        generation=generation, generation_at=now, published_at=now, files=files, purged=purged
    )
    if before is not None and before.generation == generation:
        made = evolve(made, generation_at=before.generation_at)
    if before is not None:
        same = before.digests == made.digests
        at = before.published_at if same else max(now, before.published_at + 1.0)
        made = evolve(made, published_at=at)
    write_private(folder / CURRENT, json.dumps(asdict(made), indent=1).encode())
    _clear(folder, made)
    return made


def _since(one: File, before: Publication | None, name: str, generation: int) -> File:
    """*one* with the generation from which on the file has held what it holds."""
    known = None if before is None else before.files.get(name)
    same = known is not None and known.digest == one.digest
    return evolve(one, since=min(generation, known.since) if known and same else generation)


def plain_path(folder: Path, one: File) -> Path:
    """Where the content of *one* lies."""
    return folder / one.digest


def zipped_path(folder: Path, one: File) -> Path:
    """Where it lies as gzip."""
    return folder / f"{one.digest}.gz"


def read_publication(folder: Path) -> Publication | None:
    """What is published in *folder*; None where nothing is.  Raises `PublicationDamaged`, OSError."""
    try:
        content = read_regular(folder / CURRENT, _CURRENT_BYTES, links=False)
    except FileNotFoundError:
        return None
    try:
        table = json.loads(content)
        generation = int(table["generation"])
        files = {_name(name): _file(one, generation) for name, one in table["files"].items()}
        return Publication(
            generation=generation,
            generation_at=float(table["generation_at"]),
            published_at=float(table["published_at"]),
            files=files,
            purged=bool(table["purged"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PublicationDamaged(f"{folder / CURRENT} cannot be read: {error}") from None


def read_body(folder: Path, one: File, *, zipped: bool = False) -> bytes:
    """
    A body as it was published.  Blocks; raises `PublicationDamaged`, OSError.
    """
    path = zipped_path(folder, one) if zipped else plain_path(folder, one)
    content = read_regular(path, MOST_BYTES, links=False)
    expected = one.zipped_size if zipped else one.size
    if len(content) != expected:
        raise PublicationDamaged(f"{path} has {len(content):,} bytes and not {expected:,}")
    if not zipped and hashlib.sha256(content).hexdigest() != one.digest:
        raise PublicationDamaged(f"{path} does not hold what was published")
    return content


def withdraw(folder: Path) -> None:
    """Take away all that is published in *folder*.  Blocks; raises OSError."""
    if not folder.is_dir():
        return
    (folder / CURRENT).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _is_body(path):
            path.unlink(missing_ok=True)
    folder.rmdir()


def _or_none(folder: Path) -> Publication | None:
    try:
        return read_publication(folder)
    except (PublicationDamaged, OSError):
        return None


def _name(value: Any) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a file has no such name")
    return str(value)


def _file(table: Mapping[str, Any], generation: int) -> File:
    one = File(
        digest=str(table["digest"]),
        md5=str(table["md5"]),
        size=int(table["size"]),
        zipped_size=int(table["zipped_size"]),
        kind=str(table["kind"]),
        entries=int(table["entries"]),
        since=int(table.get("since", generation)),
    )
    if not _DIGEST.fullmatch(one.digest) or not one.kind.isprintable():
        raise ValueError("a file has no digest or no media type")
    return one


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_regular(path, len(content), links=False) == content
    except OSError:
        return False


def _is_body(path: Path) -> bool:
    return _DIGEST.fullmatch(path.name.removesuffix(".gz")) is not None


def _clear(folder: Path, kept: Publication) -> None:
    """Delete bodies that *kept* does not name."""
    digests = set(kept.digests.values())
    for path in folder.iterdir():
        if _is_body(path) and path.name.removesuffix(".gz") not in digests:
            path.unlink(missing_ok=True)
