"""
The last lines of a log that lie before its live segment, newest first, offline.
"""

from collections.abc import Iterator
from pathlib import Path

from tscm.spool.disk import Disk
from tscm.spool.text import CHUNK_BYTES, Text, open_text
from tscm.spool.tools_list import LogView, view_log


def blocks_back(disk: Disk, logs: Path, name: str) -> Iterator[tuple[bytes, float]]:
    """
    Blocks of whole lines of the sealed segments as they are now, from the end to the beginning.

    Each with the time of its segment's last line.  A segment that cannot be read ends it: what lies
    before would not be the last lines.
    """
    try:
        view = view_log(disk, logs, name)
    except OSError:
        return iter(())
    return _back(disk, view)


def _back(disk: Disk, view: LogView) -> Iterator[tuple[bytes, float]]:
    for segment in reversed(view.kept):
        try:
            text = open_text(disk, view.folder, segment.start)
        except OSError:
            return
        try:
            for block in _lines_back(text, segment.size):
                yield block, segment.last_at
        except OSError:
            return
        finally:
            text.close()


def _lines_back(text: Text, size: int) -> Iterator[bytes]:
    end, rest = size, b""
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        data = _whole(text, start, end) + rest
        cut = data.find(b"\n") + 1 if start else 0  # the first line may begin before
        yield data[cut:]
        end, rest = start, data[:cut]


def _whole(text: Text, start: int, end: int) -> bytes:
    parts = []
    while start < end and (data := text.read(end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)
