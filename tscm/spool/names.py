"""
What the files of one device's log are called.
"""

import os
import re
import stat
from pathlib import Path

from attrs import field, frozen

from tscm.base.backup_rule import BackupRule, Treatment

DIGITS = 20
_SEGMENT = re.compile(r"syslog\.([0-9]{20})(\.zst)?")
_INDEX = re.compile(r"([0-9]{20})\.index")
_TORN = re.compile(r"torn\.[0-9]{20}\.[0-9]+")
_COPY = re.compile(r"copy\.[0-9]+\.new")
_PACKING = re.compile(r"packing\.([0-9]{20})")
_CURSOR = re.compile(r"cursor\.([a-z0-9][a-z0-9_.-]{0,99})")
_READER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


def backup_rules(logs: str) -> tuple[BackupRule, ...]:
    """
    What a backup does with the files of logs that have a folder each in *logs*, relative to the root directory.

    Without the logs themselves it carries the readers' positions, and a state of its own making
    (`tscm.backup.positions`).
    """
    spool = f"{logs}/*/.spool"
    return (
        BackupRule(f"{spool}/*.new", Treatment.LEFT_OUT, "being written"),
        BackupRule(f"{spool}/cursor.*", Treatment.COPY),
        BackupRule(f"{spool}/packing.*", Treatment.LEFT_OUT, "being compressed"),
        BackupRule(
            f"{spool}/id", Treatment.LEFT_OUT, "a restored log is another one in the cluster"
        ),
        BackupRule(f"{spool}/state.before", Treatment.LEFT_OUT, "older than the state"),
        BackupRule(f"{spool}/mended", Treatment.LEFT_OUT, "being written"),
        BackupRule(f"{spool}/state", Treatment.LOG),
        BackupRule(f"{spool}/segments", Treatment.LOG),
        BackupRule(f"{spool}/*.index", Treatment.LOG),
        BackupRule(f"{spool}/next", Treatment.LOG),
        BackupRule(f"{spool}/torn.*", Treatment.LOG),
        BackupRule(f"{spool}/early/**", Treatment.LOG),
        BackupRule(f"{logs}/*/syslog", Treatment.LOG),
        BackupRule(f"{logs}/*/syslog.*", Treatment.LOG),
    )


BACKUP = backup_rules("var/log/threatstop/devices")
"""What a backup does with the logs of devices."""


def reader_name(name: str) -> str:
    """*name*, which becomes part of a file's name; raises `ValueError` for what must not."""
    if not _READER.fullmatch(name) or name.endswith(".new"):
        raise ValueError(f"{name!r} is not a valid reader name")
    return name


@frozen
class LogFolder:
    """
    The folder `NAME` of one device; its name has passed `values.nickname`.
    """

    path: Path
    spool: Path = field(init=False)
    live: Path = field(init=False)
    next: Path = field(init=False)
    mended: Path = field(init=False)
    catalogue: Path = field(init=False)
    state: Path = field(init=False)
    state_before: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        spool = self.path / ".spool"
        for name, value in (
            ("spool", spool),
            ("live", self.path / "syslog"),
            ("next", spool / "next"),
            ("mended", spool / "mended"),
            ("catalogue", spool / "segments"),
            ("state", spool / "state"),
            ("state_before", spool / "state.before"),
        ):
            object.__setattr__(self, name, value)

    def segment(self, start: int) -> Path:
        """The sealed segment whose first byte is *start*."""
        return self.path / f"syslog.{start:0{DIGITS}}"

    def compressed(self, start: int) -> Path:
        """The same, compressed."""
        return self.path / f"syslog.{start:0{DIGITS}}.zst"

    def copying(self, number: int) -> Path:
        """Where the live text is being copied."""
        return self.spool / f"copy.{number}.new"

    def packing(self, start: int) -> Path:
        """Where the segment at *start* is being compressed."""
        return self.spool / f"packing.{start:0{DIGITS}}"

    def index(self, start: int) -> Path:
        """The index of the segment whose first byte is *start*."""
        return self.spool / f"{start:0{DIGITS}}.index"

    def cursor(self, reader: str) -> Path:
        """Where the reader's position lies."""
        return self.spool / f"cursor.{reader_name(reader)}"

    def torn(self, offset: int, number: int) -> Path:
        """Where bytes go that were cut off at *offset*."""
        return self.spool / f"torn.{offset:0{DIGITS}}.{number}"


def segment_starts(names: list[str]) -> list[int]:
    """Offsets of the sealed segments among a folder's *names*, ascending."""
    return sorted({int(found[1]) for found in map(_SEGMENT.fullmatch, names) if found})


def index_starts(names: list[str]) -> list[int]:
    """Offsets of the indexes among the names in `.spool`, ascending."""
    return sorted(int(found[1]) for found in map(_INDEX.fullmatch, names) if found)


def torn_names(names: list[str]) -> list[str]:
    """Bytes that were kept aside, among the names in `.spool`."""
    return [name for name in names if _TORN.fullmatch(name)]


def packing_starts(names: list[str]) -> list[int]:
    """Offsets of the segments that are being compressed, among the names in `.spool`."""
    return sorted(int(found[1]) for found in map(_PACKING.fullmatch, names) if found)


def copy_names(names: list[str]) -> list[str]:
    """Copies of live texts among the names in `.spool`."""
    return [name for name in names if _COPY.fullmatch(name)]


def cursor_readers(names: list[str]) -> list[str]:
    """Readers with a cursor among the names in `.spool`."""
    found = (_CURSOR.fullmatch(name) for name in names)
    return [one[1] for one in found if one and not one[1].endswith(".new")]


def log_names(logs: Path) -> list[str]:
    """
    Folders under *logs* that hold a log, whether a device of that name exists or not.

    Raises `PermissionError` where *logs* may not be read: that is not the same as no log.
    """
    return sorted(name for name, known in _looked_into(logs).items() if known)


def closed_logs(logs: Path) -> list[str]:
    """Folders under *logs* that this user may not look into."""
    return sorted(name for name, known in _looked_into(logs).items() if known is None)


def _looked_into(logs: Path) -> dict[str, bool | None]:
    """By folder whether it holds a log; None where it may not be looked into, as `lost+found`."""
    try:
        with os.scandir(logs) as folders:
            names = [one.name for one in folders if one.is_dir() and one.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, bool | None] = {}
    for name in names:
        try:
            found[name] = stat.S_ISDIR((logs / name / ".spool").stat().st_mode)
        except PermissionError:
            found[name] = None
        except OSError:
            found[name] = False
    return found
