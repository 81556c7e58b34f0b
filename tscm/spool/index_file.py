"""
The file of an index, read as far as it is one.
"""

from pathlib import Path
from zlib import crc32

from tscm.spool.disk import MOST_READ, READ, Disk
from tscm.spool.index import RECORD_BYTES

_PIECE_BYTES = 1 << 20
_CRC_BYTES = 4


def read_records(disk: Disk, path: Path) -> bytes | None:
    """
    What a file of records holds; None where there is none.  Raises `OSError`.

    Read piece by piece, and no further than the piece whose last record is none: another process may have made the file of
    any size.
    """
    try:
        fd = disk.open(path, READ)
    except FileNotFoundError:
        return None
    pieces: list[bytes] = []
    try:
        for at in range(0, MOST_READ, _PIECE_BYTES):
            piece = disk.read_at(fd, _PIECE_BYTES, at)
            pieces.append(piece)
            if len(piece) < _PIECE_BYTES or not _is_record(piece[-RECORD_BYTES:]):
                break
    finally:
        disk.close(fd)
    return b"".join(pieces)


def _is_record(record: bytes) -> bool:
    """Records are of equal size, and so are pieces, which end with one."""
    return crc32(record[:-_CRC_BYTES]).to_bytes(_CRC_BYTES, "little") == record[-_CRC_BYTES:]
