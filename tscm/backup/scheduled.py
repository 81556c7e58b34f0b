"""
When the next scheduled backup is made, what it is called, and which of the old ones go.  Pure.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attrs import define

_NAME = re.compile(r"tscm-backup-([0-9]{8}T[0-9]{6}Z)\.tar\.zst")
_STAMP = "%Y%m%dT%H%M%SZ"
RETRY_SECONDS = 3600.0
"""After a backup that failed."""


@define
class BackupFigures:
    """
    How the scheduled backups stand: when the latest was made, in POSIX seconds, and why the last attempt failed.
    """

    latest_at: float | None = None
    failed_at: float | None = None
    fault: str | None = None


def file_name(at: float) -> str:
    """The name of a backup that is made at *at*, in POSIX seconds."""
    return f"tscm-backup-{datetime.fromtimestamp(at, UTC).strftime(_STAMP)}.tar.zst"


def made_at(name: str) -> float | None:
    """When the backup of this name was made; None for another file."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def backups_among(names: Iterable[str]) -> list[str]:
    """Names of scheduled backups, the oldest first."""
    return sorted(name for name in names if made_at(name) is not None)


def is_due(names: Sequence[str], now: float, every_seconds: float, failed_at: float | None) -> bool:
    """
    Whether a backup is to be made *now*, given the *names* of those that there are.

    A clock that was set back keeps nothing waiting for longer than the interval.
    """
    if failed_at is not None and 0 <= now - failed_at < RETRY_SECONDS:
        return False
    times = [at for name in names if (at := made_at(name)) is not None and at <= now]
    return not times or now - max(times) >= every_seconds


def expired(names: Sequence[str], keep: int) -> list[str]:
    """Those of the backups that go when *keep* of them stay."""
    return backups_among(names)[:-keep]
