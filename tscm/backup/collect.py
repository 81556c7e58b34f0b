"""
A backup of a node, made from its files: beside a running manager, or without one.

The order is what makes it consistent.  Settings first; then the positions of readers; then the database, which so is
never older than a position; logs last, so that every line that the database has counted is in them.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from attrs import define, field, frozen

from tscm.backup.archive import CHUNK_BYTES, ArchiveWriter
from tscm.backup.leftovers import being_written, remove_leftovers
from tscm.backup.manifest import Head
from tscm.backup.passphrase import SALT_BYTES, ArchiveKey, archive_key
from tscm.backup.positions import position_files
from tscm.backup.rules import PLACES, rule_of, treatment_of
from tscm.base.backup_rule import Treatment
from tscm.base.safe_files import TEXT_BYTES, open_regular
from tscm.base.secrets import Secret
from tscm.settings.layout import Layout
from tscm.spool.cursor import Cursor, decode_cursor
from tscm.spool.disk import MOST_STATE, Disk
from tscm.spool.names import LogFolder, cursor_readers, log_names
from tscm.spool.tools_list import LogView, view_log
from tscm.store.copying import copy_database
from tscm.store.reading import read_only

_START_BYTES = 4096
_TRIES = 100
_NAMED = 20

Say = Callable[[str], None]


@frozen(kw_only=True)
class Wish:
    """
    What a backup is to contain besides settings, secrets, database and positions.

    Without a *passphrase* no secret is in it.
    """

    logs: bool = False
    uploads: bool = False
    passphrase: Secret | None = None


@frozen(kw_only=True)
class Made:
    """
    What a backup contains: files, their bytes before compression, and what it does not.
    """

    files: int
    size: int
    secrets_left_out: int
    foreign: tuple[str, ...]
    """Paths below the root directory of files that tscm did not write, or that are no regular files."""
    foreign_total: int
    key: bool
    """Is the sealing key in it?"""


def make_backup(
    layout: Layout, file: BinaryIO, wish: Wish, *, now: float, version: str, host: str, say: Say
) -> Made:
    """
    Write a backup of the node at *layout* to *file*.  Blocks, for as long as there is something to read.

    Raises `OSError`, `StoreUnusable`.
    """
    salt = None if wish.passphrase is None else os.urandom(SALT_BYTES)
    key = archive_key(wish.passphrase.reveal(), salt) if wish.passphrase and salt else None
    head = Head(
        version=version,
        schema=_schema(layout),
        host=host,
        made_at=now,
        logs=wish.logs,
        uploads=wish.uploads,
        salt=None if salt is None else salt.hex(),
    )
    return _Collector(layout, wish, key, ArchiveWriter(file, head, key), say).run()


@define(eq=False)
class _Collector:
    _layout: Layout
    _wish: Wish
    _key: ArchiveKey | None
    _archive: ArchiveWriter
    _say: Say
    _left: int = field(default=0, init=False)
    _foreign: list[str] = field(factory=list, init=False)
    _foreign_total: int = field(default=0, init=False)
    _has_key: bool = field(default=False, init=False)

    def run(self) -> Made:
        self._say("settings and positions")
        # Before their files are copied: a log's state must not take for read what a restored reader has not.
        logs = [(folder, _cursors(folder)) for folder in self._logs()]
        uploads: list[str] = []
        loose: list[str] = []  # lines that are in no log's folder, as those of unknown senders
        folders = tuple(f"{self._relative(place)}/" for place in self._log_places)
        for path in _files(self._layout.root):
            rule = rule_of(path)
            if rule is None:
                self._leave(path)
            elif rule.treatment in {Treatment.COPY, Treatment.SECRET, Treatment.KEY}:
                self._take(path)
            elif rule.treatment is Treatment.UPLOAD and self._wish.uploads:
                uploads.append(path)
            elif rule.treatment is Treatment.LOG and self._wish.logs:
                loose += [] if path.startswith(folders) else [path]
        self._say("database")
        self._take_database()
        for path in uploads:
            self._take(path)
        for folder, cursors in logs:
            self._say(f"log of {folder.path.name}")
            self._take_log(folder, cursors)
        for path in loose:
            self._take(path)
        self._archive.close()
        return Made(
            files=len(self._archive.members),
            size=sum(one.size for one in self._archive.members),
            secrets_left_out=self._left,
            foreign=tuple(self._foreign),
            foreign_total=self._foreign_total,
            key=self._has_key,
        )

    # -- single files ----------------------------------------------------------

    def _take(self, path: str) -> bool:
        """False where the file is not there any more: it was renamed or deleted meanwhile."""
        try:
            handle = open_regular(self._layout.root / path, links=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            if isinstance(error, PermissionError):
                raise
            self._leave(path)
            return True
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            rule = rule_of(path)
            assert rule is not None
            mode = stat.S_IMODE(found.st_mode)
            start = os.pread(handle, _START_BYTES, 0)
            treatment = treatment_of(rule, path, mode=mode, size=found.st_size, start=start)
            mode &= 0o755
            if treatment in {Treatment.SECRET, Treatment.KEY}:
                if found.st_size > TEXT_BYTES:
                    self._leave(path)
                    return True
                self._take_secret(path, mode, file.read(TEXT_BYTES))
                self._has_key |= treatment is Treatment.KEY and self._key is not None
            else:
                self._add(path, mode, found.st_size, _read(file, found.st_size))
        return True

    def _take_secret(self, path: str, mode: int, content: bytes) -> None:
        if self._key is None:
            self._left += 1
        else:
            self._archive.add_secret(path, mode, content)

    def _add(self, path: str, mode: int, size: int, chunks: Iterator[bytes]) -> None:
        try:
            self._archive.add(path, mode, size, chunks)
        except ValueError:  # a name too long for a tar: not one of ours
            self._leave(path)

    def _leave(self, path: str) -> None:
        self._foreign_total += 1
        if len(self._foreign) < _NAMED:
            self._foreign.append(path)

    # -- the database ----------------------------------------------------------

    def _take_database(self) -> None:
        database = self._layout.database
        if not database.exists():
            return
        copy = being_written(database)
        remove_leftovers(database.parent, database.name + ".*")
        try:
            copy_database(database, copy)
            size = copy.stat().st_size
            with copy.open("rb") as file:
                self._add(self._relative(database), 0o600, size, _read(file, size))
        finally:
            copy.unlink(missing_ok=True)

    # -- logs ------------------------------------------------------------------

    @property
    def _log_places(self) -> tuple[Path, ...]:
        return self._layout.logs, self._layout.audit_log

    def _logs(self) -> Iterator[LogFolder]:
        for place in self._log_places:
            for name in log_names(place):
                yield LogFolder(place / name)

    def _take_log(self, folder: LogFolder, cursors: Mapping[str, Cursor]) -> None:
        disk = Disk()
        if not self._wish.logs:
            view = view_log(disk, folder.path.parent, folder.path.name)
            for path, content in zip(
                (folder.state, folder.catalogue), position_files(view, cursors), strict=True
            ):
                self._add(self._relative(path), 0o640, len(content), iter([content]))
            return
        taken: set[int] = set()
        for _ in range(_TRIES):
            view = view_log(disk, folder.path.parent, folder.path.name)
            left = {start: path for start, path in _texts(view).items() if start not in taken}
            for start, path in left.items():
                if self._take(self._relative(path)):  # else it was compressed or deleted meanwhile
                    self._take(self._relative(folder.index(start)))
                    taken.add(start)
            if taken >= left.keys() and self._take_live(view):
                return
        raise OSError(f"{folder.path}: its segments are rotated faster than they can be copied")

    def _take_live(self, view: LogView) -> bool:
        """
        The live text and what lists the others; False where the live segment was rotated since *view*.
        """
        folder, disk = view.folder, Disk()
        listed = disk.read_file(folder.catalogue) or b""
        try:
            file = os.fdopen(open_regular(folder.live, links=False), "rb")
        except FileNotFoundError:
            file = None
        with file or contextlib.nullcontext():
            later = view_log(disk, folder.path.parent, folder.path.name)
            if later.base != view.base:
                return False
            self._add(self._relative(folder.catalogue), 0o640, len(listed), iter([listed]))
            state = disk.read_file(folder.state, MOST_STATE) or b""
            self._add(self._relative(folder.state), 0o640, len(state), iter([state]))
            self._take(self._relative(folder.index(view.base)))
            if file is not None:
                size = os.fstat(file.fileno()).st_size
                self._add(self._relative(folder.live), 0o640, size, _read(file, size))
        others = [folder.spool / name for name in view.spool_names if name.startswith("torn.")]
        others += [folder.next, *sorted((folder.spool / "early").rglob("*"))]
        for path in others:
            if not path.is_dir():
                self._take(self._relative(path))
        return True

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._layout.root))


def _schema(layout: Layout) -> int:
    if not layout.database.exists():
        return 0
    with read_only(layout.database) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _cursors(folder: LogFolder) -> dict[str, Cursor]:
    """Positions of a log's readers, as they lie there now."""
    disk = Disk()
    found: dict[str, Cursor] = {}
    for reader in cursor_readers(disk.names(folder.spool)):
        cursor, _ = decode_cursor(disk.read_file(folder.cursor(reader), MOST_STATE) or b"")
        if cursor is not None:
            found[reader] = cursor
    return found


def _texts(view: LogView) -> dict[int, Path]:
    """Sealed texts that are there, by where each starts."""
    folder, names = view.folder, set(view.names)
    return {
        segment.start: path
        for segment in view.kept
        for path in (folder.compressed(segment.start), folder.segment(segment.start))
        if path.name in names
    }


def _files(root: Path) -> Iterator[str]:
    """Paths of all files of the node below *root*, sorted; links and devices among them."""
    for place in PLACES:
        for folder, folders, names in os.walk(root / place):
            folders.sort()
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted([*names, *links]):
                yield str((Path(folder) / name).relative_to(root))


def _read(file: BinaryIO, size: int) -> Iterator[bytes]:
    """
    Exactly *size* bytes of *file*.  Raises `OSError` where it was truncated meanwhile.
    """
    left = size
    while left:
        chunk = file.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise OSError(f"{file.name} was truncated while it was copied; repeat the backup")
        left -= len(chunk)
        yield chunk
