"""
Root at work in the folders of a manager that runs as a user of its own.

`tsadmin` is often run by root, and the manager as `tscm`.  The user `tscm` may put links in the place of
files and folders there, at any moment and SQLite's included, and root would write where they lead.  No look
beforehand helps against that.  So root works there with the rights of the owner: a link leads
him no further than the owner comes by himself, and what is made is the owner's from the start.

Only folders that lie in folders of root's are made by root, and given away by their descriptor.
"""

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tscm.settings.layout import Layout

_LINKS_MOST = 40  # path_resolution(7)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def owner_of(layout: Layout) -> tuple[int, int] | None:
    """
    User and group that the node's files belong to; None where root has no rights to give up.

    A link on the way to one of the node's folders that is not root's is who made it: with his rights it leads no
    further than he comes by himself.  One that root made is as good as a folder.
    """
    if os.geteuid() != 0:
        return None
    for folder in (layout.devices, layout.state, layout.logs, layout.run, layout.portal):
        made_by = _foreign_link(folder)
        if made_by is not None:
            return made_by
    for folder in (layout.devices, layout.settings_file.parent, layout.state):
        with contextlib.suppress(OSError):
            found = folder.stat()
            if found.st_uid != 0:
                return found.st_uid, found.st_gid
    return None


def _foreign_link(folder: Path) -> tuple[int, int] | None:
    """User and group of the first symbolic link on the way to *folder* that is not root's."""
    at, way, links = Path("/"), [*folder.absolute().parts[1:]][::-1], 0
    try:
        while way and links <= _LINKS_MOST:
            at /= way.pop()
            found = at.lstat()
            if not stat.S_ISLNK(found.st_mode):
                continue
            if found.st_uid != 0:
                return found.st_uid, found.st_gid
            links += 1
            target = at.parent / at.readlink()
            way += [*target.parts[1:]][::-1]
            at = Path("/")
    except OSError:  # what is missing, or no folder, leads nowhere
        pass
    return None


@contextmanager
def chown_to_owner(layout: Layout) -> Iterator[None]:
    """The node's folders are there and the owner's, and what is done in them is done with his rights."""
    with as_caller():
        owner = owner_of(layout)
        if owner is not None:
            for folder in (layout.devices, layout.state, layout.logs, layout.run):
                _make_folder(folder, *owner)
    with as_owner(layout):
        yield


@contextmanager
def as_owner(layout: Layout) -> Iterator[None]:
    """
    What is done meanwhile is done with the rights of the owner, where root does it.

    For the whole process, its threads included.  Root still reads everything: his own certificates and
    passwords, and a Python that is installed for him alone.
    """
    with _with_rights_of(owner_of(layout)):
        yield


@contextmanager
def as_web_owner(layout: Layout) -> Iterator[None]:
    """
    The same with the rights of the user who owns the page's own folder, which may be another user.
    """
    owner = owner_of(layout)
    if os.geteuid() == 0 and _foreign_link(layout.web) is None:
        with contextlib.suppress(OSError):
            found = layout.web.stat()
            owner = (found.st_uid, found.st_gid) if found.st_uid != 0 else owner
    with _with_rights_of(owner):
        yield


@contextmanager
def _with_rights_of(owner: tuple[int, int] | None) -> Iterator[None]:
    if owner is None:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    _take(*owner)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(os.getgid())
        os.setgroups(groups)


@contextmanager
def as_caller() -> Iterator[None]:
    """Inside `as_owner`: what is done meanwhile is root's own, as a file that he named for his output."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 or os.getuid() != 0:
        yield
        return
    os.seteuid(0)
    os.setegid(os.getgid())
    try:
        yield
    finally:
        _take(user, group)


def become_owner(layout: Layout) -> str | None:
    """
    For good, with no way back: the owner's name, or None where root is not given up.
    """
    owner = owner_of(layout)
    if owner is None:
        return None
    user, group = owner
    os.setgroups(_groups_of(user, group))
    os.setgid(group)
    os.setuid(user)
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _take(user: int, group: int) -> None:
    # Here: once the rights are given up, a Python that is root's alone cannot be read any more.
    from tscm.settings.capabilities import keep_reading

    os.setegid(group)
    os.seteuid(user)
    keep_reading()


def _make_folder(folder: Path, user: int, group: int) -> None:
    """
    Make *folder* and give it away, as far as the way to it lies in folders that the owner cannot change.

    From the first other folder on nothing is done here: what is missing there the owner makes himself.
    """
    groups, names = _groups_of(user, group), folder.absolute().parts
    at, made = os.open(names[0], _FOLDER), False
    try:
        for name in names[1:]:
            inside, made = _entered(at, name, groups)
            os.close(at)
            at = inside
        if os.fstat(at).st_uid == 0:
            os.fchown(at, user, group)
            if made:
                os.fchmod(at, 0o750)
    except OSError:
        return  # the code that needs it reports it
    finally:
        os.close(at)


def _entered(at: int, name: str, groups: Collection[int]) -> tuple[int, bool]:
    """
    The folder *name* in the open folder *at*, and whether it was made.

    A link is followed where it is root's, and only root can have put it there.  Raises `OSError`.
    """
    found = os.fstat(at)
    writers = found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid in groups)
    if found.st_uid != 0 or (writers and not found.st_mode & stat.S_ISVTX):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    try:
        ours = not writers and os.stat(name, dir_fd=at, follow_symlinks=False).st_uid == 0
        inside = os.open(name, _FOLDER | (0 if ours else os.O_NOFOLLOW), dir_fd=at)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=at)
        inside = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
        os.fchmod(inside, 0o755)  # whatever the umask: the owner must come through
        return inside, True
    return inside, False


def _groups_of(user: int, group: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except KeyError:
        return [group]
