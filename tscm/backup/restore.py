"""
An archive checked, and put into a root directory.

Everything is checked before anything is changed, and everything lies on the disk before anything that is there gives
way.  What gives way is kept beside it.  A restore that is killed leaves the old files or the new ones, and those that it had
not come to in folders that tell their name.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen

from tscm.backup.archive import FILES, Entry, NotAnArchive, read_entries
from tscm.backup.errors import ArchiveRefused, PassphraseWrong, RootInUse
from tscm.backup.manifest import (
    HEAD,
    HEAD_BYTES,
    MANIFEST,
    MANIFEST_BYTES,
    Head,
    Manifest,
    decode_head,
    decode_manifest,
    encode_head,
    members_text,
)
from tscm.backup.passphrase import ArchiveKey, archive_key
from tscm.backup.rules import rule_of
from tscm.base.backup_rule import Treatment
from tscm.base.safe_files import TEXT_BYTES
from tscm.base.secrets import Secret
from tscm.pairing.book import raise_versions
from tscm.services.zone_files import raise_serials
from tscm.settings.layout import Layout
from tscm.store.copying import forget_installation
from tscm.store.database import upgrades

_BOXES = (
    "etc/tscm",
    "var/lib/tscm",
    "var/log/threatstop/devices",
    "var/log/threatstop",
)
"""Folders whose content is exchanged; each may be a volume of its own."""
_STAGE = ".restore-new"
_KEPT = "before-restore-"
_STAY = frozenset({"lock", "policy.lock", "lost+found", _STAGE})
_FREE_SPARE_BYTES = 64 << 20
_MORE_BYTES = 1 << 10
"""More than encryption adds to a text."""


@frozen(kw_only=True)
class Checked:
    """
    An archive that is whole: its head, its manifest, and the key to its secrets.
    """

    head: Head
    manifest: Manifest
    key: ArchiveKey | None

    @property
    def authentic(self) -> bool:
        """Whether the passphrase proves that nothing was changed since it was made."""
        return self.key is not None


@frozen(kw_only=True)
class Restored:
    """
    What a restore did: how many files it wrote, and where the files lie that were there before.
    """

    files: int
    kept: tuple[Path, ...]


def read_head(path: str, file: BinaryIO) -> Head:
    """
    What an archive says of itself, before anything else of it is read.  Raises `ArchiveRefused`.
    """
    file.seek(0)
    with _refused(path), contextlib.closing(read_entries(file)) as entries:
        for entry in entries:
            if entry.name != HEAD:
                break
            return _usable(decode_head(entry.content(HEAD_BYTES)))
    raise ArchiveRefused(path, "it is not a backup of tscm")


def check_archive(path: str, file: BinaryIO, passphrase: Secret | None) -> Checked:
    """
    Read all of an archive, and hold it against its manifest and the passphrase.  Blocks.

    Raises `ArchiveRefused`, `PassphraseWrong`, `OSError`.
    """
    head = read_head(path, file)
    key = None
    if passphrase is not None and head.salt is not None:
        with _refused(path):
            key = archive_key(passphrase.reveal(), bytes.fromhex(head.salt))
    file.seek(0)
    with _refused(path):
        found, manifest = _contents(file)
        for member in manifest.members:
            _check_path(member.path)
            if found.pop(member.path, None) != (member.size, member.digest):
                raise NotAnArchive(f"its file {member.path} is missing or damaged")
        if found:
            raise NotAnArchive(f"its file {next(iter(found))} is not in its manifest")
        if head.salt is not None and manifest.seal is None:
            raise NotAnArchive("its seal was removed")
    if key is not None and manifest.seal is not None:
        try:
            key.check_seal(manifest.seal, encode_head(head), members_text(manifest.members))
        except ValueError:
            raise PassphraseWrong(path) from None
    return Checked(head=head, manifest=manifest, key=key)


def _contents(file: BinaryIO) -> tuple[dict[str, tuple[int, str]], Manifest]:
    found: dict[str, tuple[int, str]] = {}
    manifest = None
    for entry in read_entries(file):
        if manifest is not None:
            raise NotAnArchive("it has data after its manifest")
        if entry.name == MANIFEST:
            manifest = decode_manifest(entry.content(MANIFEST_BYTES))
        elif entry.name.startswith(FILES):
            path = entry.name.removeprefix(FILES)
            if path in found:
                raise NotAnArchive(f"its file {path} is there twice")
            found[path] = (entry.size, _digest(entry))
        elif entry.name != HEAD:
            raise NotAnArchive(f"its file {entry.name} is unknown")
    if manifest is None:
        raise NotAnArchive("it is incomplete; use another backup")
    return found, manifest


def _digest(entry: Entry) -> str:
    digest = hashlib.sha256()
    for chunk in entry.chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _check_path(path: str) -> None:
    rule = rule_of(path)
    parts = path.split("/")
    if (
        rule is None
        or rule.treatment is Treatment.LEFT_OUT
        or any(part in {"", ".", ".."} or "\0" in part for part in parts)
    ):
        raise NotAnArchive(f"its file {path} does not belong to a node")


def _usable(head: Head) -> Head:
    known = upgrades()[-1][0]
    if head.schema > known:
        raise NotAnArchive(
            f"version {head.version[:40]} made it with database schema {head.schema}, and this "
            f"version supports at most {known}; install the version that made it, or a later one"
        )
    return head


@contextlib.contextmanager
def _refused(path: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ArchiveRefused(path, str(error)) from None


def is_in_use(layout: Layout) -> bool:
    """Whether the root directory has a node already: devices, a database, a key, or a log."""
    return (
        layout.database.exists()
        or layout.key.exists()
        or any(layout.devices.glob("*.toml"))
        or any(layout.logs.glob("*/.spool"))
    )


def restore(
    layout: Layout,
    path: str,
    file: BinaryIO,
    checked: Checked,
    *,
    now: float,
    replace: bool,
    as_new: bool,
) -> Restored:
    """
    Put a checked archive into a root directory whose locks the caller holds.  Blocks.

    With *as_new* the node forgets which installation it was, and becomes another one.  Raises
    `RootInUse`, `ArchiveRefused`, `OSError`; then nothing has changed.
    """
    if is_in_use(layout) and not replace:
        raise RootInUse(str(layout.root))
    stages = {box: layout.root / box / _STAGE for box in _BOXES}
    try:
        for box, stage in stages.items():
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(parents=True, mode=0o700)
            _check_space(stage, checked, box)
        with _refused(path):
            files = _unpack(file, checked, stages)
        _adapt(stages, now, as_new=as_new)
        for stage in stages.values():
            _sync(stage)
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        kept = _Exchange(stamp).run(layout.root, stages)
    finally:
        for stage in stages.values():
            shutil.rmtree(stage, ignore_errors=True)
    return Restored(files=files, kept=kept)


def _box_of(path: str) -> str:
    return next(box for box in _BOXES if path.startswith(f"{box}/"))


def _check_space(stage: Path, checked: Checked, box: str) -> None:
    wanted = sum(one.size for one in checked.manifest.members if _box_of(one.path) == box)
    free = shutil.disk_usage(stage).free
    if wanted + _FREE_SPARE_BYTES > free:
        raise OSError(
            f"{stage.parent}: the backup needs {wanted >> 20:,} MB, and {free >> 20:,} MB are free; "
            "make room and repeat the restore"
        )


def _unpack(file: BinaryIO, checked: Checked, stages: dict[str, Path]) -> int:
    members = {one.path: one for one in checked.manifest.members}
    written = 0
    file.seek(0)
    for entry in read_entries(file):
        if not entry.name.startswith(FILES):
            continue
        member = members.get(entry.name.removeprefix(FILES))
        if member is None or member.size != entry.size:
            raise NotAnArchive("it was changed while it was read")
        if member.encrypted and checked.key is None:
            continue
        box = _box_of(member.path)
        place = stages[box] / member.path.removeprefix(f"{box}/")
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as target:
            if member.encrypted:
                assert checked.key is not None
                data = entry.content(TEXT_BYTES + _MORE_BYTES)
                digest.update(data)
                target.write(checked.key.decrypt(data, member.path))
            else:
                for chunk in entry.chunks:
                    digest.update(chunk)
                    target.write(chunk)
                os.fchmod(handle, member.mode & 0o755)
            target.flush()
            os.fsync(handle)
        if digest.hexdigest() != member.digest:
            raise NotAnArchive("it was changed while it was read")
        written += 1
    return written


def _adapt(stages: dict[str, Path], now: float, *, as_new: bool) -> None:
    state = stages.get("var/lib/tscm")
    if state is None:
        return
    if (state / "portal/serials.json").exists():
        raise_serials(state / "portal", now)
    raise_versions(state / "portal", now)
    database = state / "tscm.db"
    if as_new and database.exists():
        forget_installation(database)


@define(eq=False)
class _Exchange:
    """
    What lies in each folder gives way to what was unpacked there; an error undoes all of it.
    """

    _stamp: str
    _moved: list[tuple[Path, Path]] = field(factory=list, init=False)

    def run(self, root: Path, stages: dict[str, Path]) -> tuple[Path, ...]:
        """Gives the folders with what was there before."""
        kept: list[Path] = []
        try:
            for box, stage in stages.items():
                folder, aside = root / box, root / box / f"{_KEPT}{self._stamp}"
                present = _children(root, folder)
                if present:
                    aside.mkdir(mode=0o700)
                    kept.append(aside)
                for one in present:
                    self._move(one, aside / one.name)
                for one in sorted(stage.iterdir()):
                    self._move(one, folder / one.name)
                _sync_folder(folder)
        except BaseException:
            for source, target in reversed(self._moved):
                target.rename(source)
            for one in kept:
                with contextlib.suppress(OSError):
                    one.rmdir()
            raise
        return tuple(kept)

    def _move(self, source: Path, target: Path) -> None:
        source.rename(target)
        self._moved.append((source, target))


def _children(root: Path, folder: Path) -> list[Path]:
    """What gives way: no lock, no other restore, and no folder whose content is exchanged by itself."""
    boxes = {root / box for box in _BOXES}
    return [
        one
        for one in sorted(folder.iterdir())
        if one not in boxes and one.name not in _STAY and not one.name.startswith(_KEPT)
    ]


def _sync(stage: Path) -> None:
    for folder, _, _ in os.walk(stage):
        _sync_folder(Path(folder))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
