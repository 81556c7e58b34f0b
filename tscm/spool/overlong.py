"""
A live file that is longer than its log, by whatever another process put behind it: cut within a bounded time.

`truncate -s 3G`, or a program that writes to the file, makes a tail of any size.  A hole in a file takes no
time and keeps nothing (lseek(2), SEEK_DATA); a small tail is copied aside; of a large one the head is copied
instead, and the file itself is what is kept aside.
"""

from pathlib import Path

from attrs import frozen

from tscm.spool.disk import CREATE_EMPTY, Disk
from tscm.spool.text import CHUNK_BYTES, written

COPIED_MOST = 64 << 20
"""Of a tail; a larger one stays where it is, and the log's own text is copied out of it."""


@frozen
class Places:
    """
    The file's own, where its tail is kept, and a *spare* one to put its head together.
    """

    file: Path
    aside: Path
    spare: Path


@frozen
class Cut:
    """
    What came of it: the descriptor to go on with, how many bytes were *kept* and where (None: nothing was there).
    """

    fd: int
    kept: int
    aside: Path | None


def cut_tail(disk: Disk, fd: int, places: Places, whole: int, size: int) -> Cut:
    """
    Keep what stands behind *whole* in an open file of *size* bytes aside, and end the file there.

    Kept first and cut then, so that a crash in between repeats it.  Raises `OSError`; then *fd* is still the file.
    """
    extents = written(disk, fd, whole, size)
    kept = sum(end - start for start, end in extents)
    if not kept:
        disk.truncate(fd, whole)
        return Cut(fd, 0, None)
    if kept > COPIED_MOST:
        return Cut(_head_apart(disk, fd, places, whole), kept, places.aside)
    torn = disk.open(places.aside, CREATE_EMPTY)
    try:
        for start, end in extents:
            _copy(disk, fd, torn, (start, end), whole)
    except OSError:
        disk.unlink(places.aside)  # the next try begins again, and would leave one more behind
        raise
    finally:
        disk.close(torn)
    disk.truncate(fd, whole)
    return Cut(fd, kept, places.aside)


def _head_apart(disk: Disk, fd: int, places: Places, whole: int) -> int:
    head = disk.open(places.spare, CREATE_EMPTY)
    try:
        _copy(disk, fd, head, (0, whole), 0)
        disk.link(places.file, places.aside)
        disk.rename(places.spare, places.file)
    except OSError:
        disk.close(head)
        disk.unlink(places.spare)
        raise
    disk.close(fd)
    return head


def _copy(disk: Disk, source: int, target: int, extent: tuple[int, int], begin: int) -> None:
    """An extent of one file into another that begins where the first has *begin*."""
    start, end = extent
    for at in range(start, end, CHUNK_BYTES):
        data = disk.read_at(source, min(CHUNK_BYTES, end - at), at)
        disk.write_all(target, data, at - begin)
