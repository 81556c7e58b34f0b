"""
What to do where the system gives no right to a file.
"""

import os
from pathlib import Path

from tscm.printable import visible


def denied(error: PermissionError) -> str:
    """
    The sentence for *error*: cause and remedy.

    Root works in the manager's folders with the rights of their owner (`tscm.settings.owner`), so that he too may
    have no right; mostly because a link leads out of them.
    """
    cause = error.strerror or str(error)
    where = visible(str(error.filename)) if error.filename else "it"
    said = f"permission denied for {where} ({cause})"
    if os.geteuid() != 0:
        return f"{said}; run tsadmin as root or as a member of group tscm, or use --root DIR"
    link = None if not error.filename else link_out(Path(os.fsdecode(error.filename)))
    if link is None:
        return (
            f"{said}: root works with the permissions of the manager's user here; change the "
            "owner of the file or its directory to that user"
        )
    return (
        f"{said}: {visible(str(link))} is a link to {visible(str(link.readlink()))}, which "
        "does not belong to the manager's user, and root follows it only with that user's "
        "permissions; replace the link with a directory, or change the owner of its "
        "target to the manager's user"
    )


def link_out(path: Path) -> Path | None:
    """
    The link on the way to *path* that leads from folders of one user who is not root to those of another.
    """
    path = path.absolute()
    for one in (path, *path.parents):
        try:
            owner = one.parent.stat().st_uid
            if one.is_symlink() and owner not in {0, one.stat().st_uid}:
                return one
        except OSError:  # not there, or leads nowhere
            continue
    return None
