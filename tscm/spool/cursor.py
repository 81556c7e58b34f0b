"""
A reader's position on disk: two slots, written in turn.

Each slot is a sector of its own with a sequence number and a checksum, so a torn write spoils
the one that was being written and the last good one is still there: a crash can make a
reader repeat, never skip.
"""

import struct
from zlib import crc32

from attrs import frozen

from tscm.model import Expired, Position

SLOT_BYTES = 512
CAUSES = tuple(Expired)
"""As a cursor counts them, by number."""
AGE, SIZE, SPACE, LOST = range(4)
_MAGIC = b"TSCMCUR1"
_SLOT = struct.Struct("<8sQQQQ4Q")


@frozen
class Cursor:
    """
    A position with what expired by cause, in the order of `CAUSES`.
    """

    sequence: int = 0
    offset: int = 0
    sent: int = 0
    not_selected: int = 0
    expired: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def position(self) -> Position:
        """As the readers' interface tells it."""
        return Position(
            offset=self.offset,
            sent=self.sent,
            not_selected=self.not_selected,
            expired=sum(self.expired),
        )

    @property
    def passed(self) -> int:
        """Lines of the log before the offset, by what was counted."""
        return self.sent + self.not_selected + sum(self.expired)

    def moved(self, offset: int, sent: int, not_selected: int, lost: tuple[int, int]) -> "Cursor":
        """
        The cursor after it: *lost* is a cause's number in `CAUSES`, and lines to add to it.
        """
        expired = list(self.expired)
        expired[lost[0]] += lost[1]
        return Cursor(
            self.sequence,
            offset,
            self.sent + sent,
            self.not_selected + not_selected,
            (expired[0], expired[1], expired[2], expired[3]),
        )


def slot_of(cursor: Cursor) -> int:
    """Where in the file the cursor is written."""
    return cursor.sequence % 2 * SLOT_BYTES


def encode_cursor(cursor: Cursor) -> bytes:
    """One slot's bytes."""
    body = _SLOT.pack(
        _MAGIC, cursor.sequence, cursor.offset, cursor.sent, cursor.not_selected, *cursor.expired
    )
    return body + crc32(body).to_bytes(4, "little")


def decode_cursor(data: bytes) -> tuple[Cursor | None, int]:
    """
    The newest good slot of a cursor file, and how many slots were damaged.
    """
    best: Cursor | None = None
    damaged = 0
    for at in (0, SLOT_BYTES):
        slot = data[at : at + _SLOT.size + 4]
        if not slot.strip(b"\0"):
            continue
        body, crc = slot[: _SLOT.size], slot[_SLOT.size :]
        if len(crc) != 4 or crc32(body) != int.from_bytes(crc, "little") or body[:8] != _MAGIC:
            damaged += 1
            continue
        _, sequence, offset, sent, not_selected, *expired = _SLOT.unpack(body)
        if best is None or sequence > best.sequence:
            best = Cursor(
                sequence,
                offset,
                sent,
                not_selected,
                (expired[0], expired[1], expired[2], expired[3]),
            )
    return best, damaged
