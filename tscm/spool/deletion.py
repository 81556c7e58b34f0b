"""
Deleting the whole log of a device that is gone: all of its folder, or, where that fails half-way, the rest later.

Blocks.  No process may have the log open.
"""

import errno
import os
import shutil
from pathlib import Path

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.spool.disk import Disk
from tscm.spool.tools_list import LogSummary, summary, view_log

_APART = ".deleted."
"""Begins the name of a folder that is being deleted: no nickname begins so."""
_TRIES = 1000

BACKUP = (
    BackupRule(f"var/log/threatstop/devices/{_APART}*/**", Treatment.LEFT_OUT, "being deleted"),
)


def delete_log(disk: Disk, logs: Path, name: str) -> LogSummary:
    """
    Delete the log *name* under *logs*, with its readers' positions and rejected batches.

    The folder is renamed first, so that a crash leaves either a whole log or none.  What a crash left of an
    earlier deletion goes too.  Gives what there was.  Raises `FileNotFoundError` where there is no such log, `OSError`.
    """
    told = summary(disk, view_log(disk, logs, name))
    folder = logs / name
    if folder.is_symlink():
        raise NotADirectoryError(
            errno.ENOTDIR, "it is a symbolic link, not a folder; remove it", str(folder)
        )
    disk.rename(folder, _free_name(logs, name))
    delete_rest(logs)
    return told


def delete_rest(logs: Path) -> None:
    """Delete what earlier deletions left behind under *logs*.  Raises `OSError`."""
    with os.scandir(logs) as found:
        apart = [
            one.path
            for one in found
            if one.name.startswith(_APART) and one.is_dir(follow_symlinks=False)
        ]
    for path in apart:
        shutil.rmtree(path)


def _free_name(logs: Path, name: str) -> Path:
    for number in range(_TRIES):
        path = logs / f"{_APART}{name}.{number}"
        if not os.path.lexists(path):
            return path
    raise FileExistsError(errno.EEXIST, "too many deletions left unfinished", str(logs))
