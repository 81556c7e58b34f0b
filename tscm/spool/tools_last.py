"""
The last lines of a log, offline: those before its live segment, newest first, and whence those in it came.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from tscm.spool.disk import Disk
from tscm.spool.index import IndexedRun, read_index
from tscm.spool.index_file import read_records
from tscm.spool.names import LogFolder
from tscm.spool.text import CHUNK_BYTES, LINE_MOST, Text, open_text
from tscm.spool.tools_export import Passage, runs_of
from tscm.spool.tools_list import LogView, read_list, view_log

_INDEX_MOST = 4 << 20
"""Bytes of a live index that are read; behind it neither time nor sender of a line is told."""
_SEALED_TRIED = 8


def blocks_back(disk: Disk, logs: Path, name: str) -> Iterator[tuple[Passage, float]]:
    """
    Whole lines of the sealed segments as they are now, from the end to the beginning.

    Each with the time of its segment's last line.  A segment that cannot be read ends it: what lies
    before would not be the last lines.
    """
    try:
        view = view_log(disk, logs, name)
    except OSError:
        return iter(())
    return _back(disk, view)


def live_runs(disk: Disk, folder: LogFolder, inode: int) -> Sequence[IndexedRun] | None:
    """
    What the index tells by now of the segment that was live when its file *inode* was opened, by the offset in it.

    None where no index tells anything of it, and none will.  Raises OSError.
    """
    records = read_list(disk, folder).records
    start = records[-1].end if records else 0
    if _inode(folder.live) != inode:  # it was sealed meanwhile
        starts = [one.start for one in records[-_SEALED_TRIED:]]
        found = [one for one in starts if _inode(folder.segment(one)) == inode]
        if not found:
            return None
        start = found[0]
    if (disk.size_of(folder.index(start)) or 0) > _INDEX_MOST:
        return None
    data = read_records(disk, folder.index(start))
    index = read_index(data) if data else None
    return None if index is None else index.runs


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _back(disk: Disk, view: LogView) -> Iterator[tuple[Passage, float]]:
    for segment in reversed(view.kept):
        try:
            text = open_text(disk, view.folder, segment.start)
        except OSError:
            return
        try:
            runs = runs_of(disk, view, segment.start, segment.size)
            for at, block in _lines_back(text, segment.size):
                start = segment.start
                yield (
                    Passage(offset=start + at, data=block, runs=runs, base=start),
                    segment.last_at,
                )
        except OSError:
            return
        finally:
            text.close()


def _lines_back(
    text: Text, size: int, chunk: int = CHUNK_BYTES, most: int = LINE_MOST
) -> Iterator[tuple[int, bytes]]:
    end, behind, is_line = size, deque[bytes](), True
    while end > 0:
        start = max(0, end - chunk)
        data = _whole(text, start, end)
        end = start
        if not is_line:
            data = data[: data.rfind(b"\n") + 1]
            is_line = bool(data)
        cut = data.find(b"\n") + 1 if start else 0  # the first line may begin before
        if cut or not start:
            yield start + cut, b"".join((data[cut:], *behind))
            behind = deque([data[:cut]])
        elif is_line:
            behind.appendleft(data)
            if sum(map(len, behind)) > most:
                behind, is_line = deque(), False


def _whole(text: Text, start: int, end: int) -> bytes:
    parts = []
    while start < end and (data := text.read(end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)
