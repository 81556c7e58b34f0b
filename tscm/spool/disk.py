"""
Every touch of the disk that the spool makes, in one place.

The log's code calls a `Disk`, never `os`: so a test can hand in one that is full, that fails
for one folder, or that kills the process at its n-th step.
"""

import contextlib
import ctypes
import errno
import os
import re
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

from tscm.base.safe_files import kind_of, unfit

_LOG_MODE = 0o640
_FOLDER_MODE = 0o750
READ_WRITE = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
CREATE = READ_WRITE | os.O_CREAT
CREATE_EMPTY = CREATE | os.O_TRUNC
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
"""
Nothing is written or read through a link (`tsadmin` of root's would show where it leads), and a pipe in the place of a
file blocks no caller.
"""
FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
MOST_READ = 256 << 20
"""Of one file into memory: an index of eight million runs, and no other file comes near it."""
_RELEASE = re.compile(r"(\d+)\.(\d+)")
_TELLS_SINCE = (5, 8)
MOST_STATE = 1 << 20
"""Of a cursor, and of what is remembered of a log: some hundred bytes."""


class Disk:
    """
    The real disk.  What changes something is a step at which a crash can come between.

    `pread`, `preadv`, `pwrite` and `close` are the system's own calls, for they are the hot ones.
    """

    pread = staticmethod(os.pread)
    preadv = staticmethod(os.preadv)
    pwrite = staticmethod(os.pwrite)
    close = staticmethod(os.close)

    def open(self, path: Path, flags: int) -> int:
        """
        A descriptor of a file or folder; files are made with mode 0640.

        Never waits for who is at the other end of a pipe.  Raises `UnfitFile`, OSError.
        """
        try:
            fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, _LOG_MODE)
        except OSError as error:
            if error.errno == errno.ELOOP:
                cause = "it is a symbolic link, not a regular file; remove it"
                raise unfit(path, cause) from None
            raise
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            os.close(fd)
            raise unfit(path, f"it is {kind_of(mode)}, not a regular file; remove it")
        return fd

    def size(self, fd: int) -> int:
        """Bytes in an open file."""
        return os.fstat(fd).st_size

    def size_of(self, path: Path) -> int | None:
        """Bytes in a file; None where there is none."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def changed_at(self, path: Path) -> float | None:
        """When a file was last written; None where there is none."""
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            return None

    def changed_ns(self, fd: int) -> int:
        """When an open file was last written, in nanoseconds."""
        return os.fstat(fd).st_mtime_ns

    def number_of(self, fd: int) -> int:
        """The number by which an open file is known on its volume."""
        return os.fstat(fd).st_ino

    def is_at(self, fd: int, path: Path) -> bool:
        """Whether the open file is the one that lies at *path*, itself and not by a link."""
        try:
            return os.path.samestat(os.fstat(fd), path.lstat())
        except FileNotFoundError:
            return False

    def is_free(self, path: Path) -> bool:
        """Whether nothing lies at *path*, no link to nowhere either."""
        return not os.path.lexists(path)

    def is_on_volume(self, fd: int, folder: Path) -> bool:
        """Whether what is made at *folder*, where nothing lies, comes on the volume of the open file."""
        return os.fstat(fd).st_dev == self.volume_for(folder)

    def volume_for(self, folder: Path) -> int:
        """The volume on which what is made at *folder* comes, where nothing lies."""
        above = next(one for one in folder.parents if one.exists())
        return above.stat().st_dev

    def is_foreign(self, path: Path) -> bool:
        """Whether what lies at *path* is no regular file: a link, a folder, a pipe."""
        try:
            return not stat.S_ISREG(path.lstat().st_mode)
        except FileNotFoundError:
            return False

    def names(self, folder: Path) -> list[str]:
        """What lies in a folder, sorted."""
        return sorted(one.name for one in folder.iterdir())

    def make_folder(self, folder: Path) -> None:
        """A folder and those above it, where they are not there yet."""
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def truncate(self, fd: int, size: int) -> None:
        """Cut an open file."""
        os.ftruncate(fd, size)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its other name; what had that name is gone."""
        old.rename(new)

    def link(self, old: Path, new: Path) -> None:
        """Give a file another name besides; where its disk knows no such names, the other one instead."""
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
                raise
            old.rename(new)

    def next_data(self, fd: int, at: int) -> int | None:
        """Where the next byte that was written stands, from *at* on; None where only a hole follows."""
        try:
            return os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            if error.errno == errno.EINVAL:  # a disk that knows no holes
                return at
            raise

    def next_hole(self, fd: int, at: int) -> int:
        """Where the next hole begins, or the file ends."""
        try:
            return os.lseek(fd, at, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return self.size(fd)
            raise

    def unlink(self, path: Path) -> None:
        """Delete a file; nothing happens where there is none."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder."""
        folder.rmdir()

    def fsync(self, fd: int) -> None:
        """Force a file to the disk.  Blocks for as long as the disk likes."""
        os.fsync(fd)

    @property
    def syncs_volumes(self) -> bool:
        """Whether `sync_volume` works here, and tells of what the disk refused."""
        return _syncfs() is not None

    def sync_volume(self, fd: int) -> None:
        """Force all that was written to the volume of an open file to the disk.  Blocks for as long as that takes."""
        call = _syncfs()
        if call is None or call(fd):
            number = ctypes.get_errno() or errno.ENOSYS
            raise OSError(number, os.strerror(number))

    def volume_of(self, fd: int) -> int:
        """The volume on which an open file lies."""
        return os.fstat(fd).st_dev

    def duplicate(self, fd: int) -> int:
        """A second descriptor, for a thread that outlives the first."""
        return os.dup(fd)

    def free_bytes(self, folder: Path) -> int:
        """What an ordinary user may still write on the disk under *folder*."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def free_files(self, folder: Path) -> tuple[int, int]:
        """
        How many files the disk under *folder* still takes, and of how many at most.

        Both are 0 for a file system that makes inodes as it needs them.
        """
        found = os.statvfs(folder)
        return found.f_favail, found.f_files

    def write_all(self, fd: int, data: bytes, at: int) -> None:
        """
        Write *data* whole, or raise; a short write is gone on with.

        A disk that fills takes a part first and refuses the next call, so the cause surfaces.
        """
        done = self.pwrite(fd, data, at)
        while done < len(data):
            more = self.pwrite(fd, data[done:], at + done)
            if not more:
                raise OSError(5, "the disk accepts no more bytes")
            done += more

    def read_file(self, path: Path, most: int = MOST_READ) -> bytes | None:
        """A file's content, its first *most* bytes where it is larger; None where there is none."""
        try:
            fd = self.open(path, READ)
        except FileNotFoundError:
            return None
        try:
            return self.read_at(fd, min(self.size(fd), most), 0)
        finally:
            self.close(fd)

    def read_at(self, fd: int, size: int, at: int) -> bytes:
        """*size* bytes from *at* on, fewer only at the file's end."""
        data = self.pread(fd, size, at)
        while data and len(data) < size:
            more = self.pread(fd, size - len(data), at + len(data))
            if not more:
                break
            data += more
        return data

    def read_into(self, fd: int, room: memoryview, at: int) -> int:
        """Fill *room* from *at* on, a part of it only at the file's end; gives how many octets came."""
        done = 0
        while done < len(room) and (more := self.preadv(fd, [room[done:]], at + done)):
            done += more
        return done

    def publish(self, path: Path, content: bytes, *, keep: Path | None = None) -> None:
        """
        Put *content* at *path*, whole or not at all; *keep* is where the old content goes.
        """
        temporary = path.with_name(path.name + ".new")
        fd = self.open(temporary, CREATE_EMPTY)
        try:
            self.write_all(fd, content, 0)
        except OSError:  # a full disk is not to be filled further by what is of no use
            with contextlib.suppress(OSError):
                self.unlink(temporary)
            raise
        finally:
            self.close(fd)
        if keep is not None:
            with contextlib.suppress(FileNotFoundError):
                self.rename(path, keep)
        self.rename(temporary, path)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """`syncfs` of the C library; None before Linux 5.8, which is the first to tell of files that it could not write."""
    release = _RELEASE.match(os.uname().release)
    if release is None or (int(release[1]), int(release[2])) < _TELLS_SINCE:
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None
    call.argtypes, call.restype = [ctypes.c_int], ctypes.c_int
    return cast(Callable[[int], int], call)
