"""
What lies in the place of a live file that was closed for a while, or for a stop.

Nothing watches it meanwhile: it may be deleted, moved, or replaced by a link, a pipe or the file of another program.
"""

from zlib import crc32

from attrs import frozen
from twisted.logger import Logger

from tscm.spool.disk import CREATE, READ_WRITE, Disk
from tscm.spool.names import LogFolder
from tscm.spool.text import LiveText, count_lines, unused_torn

_log = Logger()
_COUNTED_MOST = 4 << 20
"""Of a file that is another one now, in the reactor's thread; of a longer one its both ends alone are compared."""
_ENDS_BYTES = 4096


@frozen
class ParkedFile:
    """
    A live file as it was when it was closed: *number* on *volume*, with so many *lines* in *size* bytes behind *base*, and
    `ends_of` them.
    """

    volume: int
    number: int
    base: int
    size: int
    lines: int
    ends: int


def ends_of(disk: Disk, fd: int, size: int) -> int:
    """A checksum of the beginning and the end of the first *size* bytes: two short reads.  Raises `OSError`."""
    most = min(size, _ENDS_BYTES)
    return crc32(disk.read_at(fd, most, size - most), crc32(disk.read_at(fd, most, 0)))


def open_parked(disk: Disk, folder: LogFolder, was: ParkedFile) -> int:
    """
    Open the live file of *folder* again, or a new one in its place: the next look counts what is missing.

    What is not the text that *was* there is kept aside.  A folder that is gone is made again, as while its file is open, but not
    where its volume is away.  Raises `OSError`.
    """
    try:
        fd = disk.open(folder.live, READ_WRITE)
    except FileNotFoundError:
        if disk.is_free(folder.path) and disk.volume_for(folder.path) == was.volume:
            disk.make_folder(folder.path)
        return disk.open(folder.live, CREATE)
    except OSError:
        if not disk.is_foreign(folder.live):
            raise
        clear_place(disk, folder, was.base)
        return disk.open(folder.live, CREATE)
    try:
        if _is_text(disk, fd, was):
            return fd
        torn = unused_torn(disk, folder, was.base)
        disk.rename(folder.live, torn)
    except OSError:
        disk.close(fd)
        raise
    disk.close(fd)
    _log.error(
        "the live log of {device} was replaced by another file: it is kept as {path}, and a new log is "
        "written; no other program may write to this directory",
        device=folder.path.name,
        path=str(torn),
    )
    return disk.open(folder.live, CREATE)


def _is_text(disk: Disk, fd: int, was: ParkedFile) -> bool:
    """Whether an open file is the one that was closed, a copy of it, or an empty one that takes its place."""
    found = disk.size(fd)
    if not found or (disk.volume_of(fd), disk.number_of(fd)) == (was.volume, was.number):
        return True
    if found < was.size or ends_of(disk, fd, was.size) != was.ends:
        return False
    return was.size > _COUNTED_MOST or count_lines(LiveText(disk, fd), 0, was.size) == was.lines


def clear_place(disk: Disk, folder: LogFolder, offset: int) -> None:
    """
    Keep aside what lies in the live file's place and is no file, a link or a folder say.

    Nothing is written through a link, and no line is lost to what takes none.
    """
    if not disk.is_foreign(folder.live):
        return
    torn = unused_torn(disk, folder, offset)
    disk.rename(folder.live, torn)
    _log.error(
        "the live log of {device} was replaced by something that is not a file: it is "
        "kept as {path}, and a new log is written; no other program may write to this "
        "directory",
        device=folder.path.name,
        path=str(torn),
    )
