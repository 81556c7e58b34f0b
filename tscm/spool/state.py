"""
What a log remembers of itself besides its segments: how it stopped, gaps, torn bytes.
"""

import json
from typing import Any
from zlib import crc32

from attrs import asdict, evolve, field, frozen

GAPS_KEPT = 100
STOP = "stop"
TRUNCATED = "truncated"
CHANGED = "changed"
"""Causes of gaps, besides a stop: what another process did to the live file."""
NOT_RESTORED = "not restored"
"""Why lines are gone, besides retention's causes: they were read, and a backup without logs did not carry them."""


@frozen(kw_only=True)
class Gap:
    """
    Lines that may be, or are, missing between two moments, and why.

    After an unclean *stop*: between *after* (the last line known to be stored) and *before* (the log's
    next start) lines may have come in that were not recorded.  Where another process has *truncated*
    the live file: *lost* lines that came after *after* are gone, which was seen at *before*.
    """

    offset: int
    lines: int
    after: float
    before: float
    cause: str = STOP
    lost: int = 0


@frozen(kw_only=True)
class LogState:
    """
    Kept in `.spool/state` as one line of JSON behind its checksum.

    *clean* is False for as long as a manager has the log open.  *unknown_runs* counts
    stretches whose sender and receive time a crash took.  *deleted* and *lost* count what
    is gone from the log, by cause.
    """

    clean: bool = False
    live: int = 0
    lines_before: int = 0
    last_at: float = 0.0
    gaps: tuple[Gap, ...] = ()
    gaps_total: int = 0
    """Unclean stops."""
    truncations: int = 0
    """How often another process truncated the live file."""
    changed_texts: int = 0
    """In how many segments another process changed the text."""
    torn_bytes: int = 0
    torn_files: int = 0
    rebuilt: int = 0
    unknown_lines: int = 0
    damaged_cursors: int = 0
    deleted_lines: dict[str, int] = field(factory=dict)
    deleted_bytes: dict[str, int] = field(factory=dict)
    closing: tuple[int, ...] = ()
    """Offsets of losses that are counted here, and that the list may not tell of yet."""

    def with_gap(self, gap: Gap) -> "LogState":
        """One more gap; of many, the newest are kept and all are counted."""
        return evolve(
            self,
            gaps=(*self.gaps, gap)[-GAPS_KEPT:],
            gaps_total=self.gaps_total + (gap.cause == STOP),
            truncations=self.truncations + (gap.cause == TRUNCATED),
            changed_texts=self.changed_texts + (gap.cause == CHANGED),
        )

    def tells_of_change(self, start: int) -> bool:
        """Whether it is written down that another process changed the text of the segment at *start*."""
        return any(gap.cause == CHANGED and gap.offset == start for gap in self.gaps)

    def with_deleted(self, cause: str, lines: int, size: int) -> "LogState":
        """Counts after one more segment is gone."""
        return evolve(
            self,
            deleted_lines={**self.deleted_lines, cause: self.deleted_lines.get(cause, 0) + lines},
            deleted_bytes={**self.deleted_bytes, cause: self.deleted_bytes.get(cause, 0) + size},
        )


def encode_state(state: LogState) -> bytes:
    """The file's bytes."""
    body = json.dumps(asdict(state), sort_keys=True).encode()
    return b"%08x %s\n" % (crc32(body), body)


def decode_state(data: bytes | None) -> LogState | None:
    """What was encoded; None where it is absent or damaged."""
    if data is None:
        return None
    crc, _, body = data.rstrip(b"\n").partition(b" ")
    try:
        if int(crc, 16) != crc32(body):
            return None
        table: dict[str, Any] = json.loads(body)
        gaps = tuple(Gap(**gap) for gap in table.pop("gaps"))
        closing = tuple(table.pop("closing", ()))
        return LogState(**table, gaps=gaps, closing=closing)
    except (ValueError, TypeError, KeyError):
        return None
