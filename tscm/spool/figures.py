"""
What is known of a device's log and of its readers, as values.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.model import Expired
from tscm.spool.state import Gap
from tscm.wire.keys import as_key


@frozen(kw_only=True)
class ReaderFigures:
    """
    Where a reader of the log stands.  *difference* is how far its counts are from the log's: 0.
    """

    offset: int = 0
    sent: int = 0
    not_selected: int = field(default=0, metadata=as_key("skipped"))
    expired: int = 0
    expired_by_cause: Mapping[Expired, int] = field(factory=dict)
    waiting_lines: int = 0
    waiting_bytes: int = 0
    difference: int = 0


@frozen(kw_only=True)
class LogFigures:
    """
    A device's log since it began; *appended_lines* came since this process opened it.
    """

    stored_lines: int = 0
    stored_bytes: int = 0
    live_bytes: int = 0
    segments: int = 0
    """Sealed segments that are on disk."""
    first_offset: int = 0
    last_received_at: float | None = None
    refused_lines: int = 0
    faults: int = 0
    read_faults: int = 0
    fault: str | None = None
    gaps: tuple[Gap, ...] = ()
    gaps_total: int = 0
    truncations: int = 0
    changed_texts: int = 0
    """Segments whose text another process changed while they were live."""
    torn_bytes: int = 0
    torn_files: int = 0
    rebuilt: int = 0
    unknown_lines: int = 0
    damaged_segments: int = 0
    damaged_cursors: int = 0
    deleted_lines: Mapping[str, int] = field(factory=dict)
    deleted_bytes: Mapping[str, int] = field(factory=dict)
    readers: Mapping[str, ReaderFigures] = field(factory=dict)
    appended_lines: int = 0


@frozen
class LogGlance:
    """
    What every line changes of a log, and what tells that something else did: cheap, touches no disk.

    *differences* are those of the log and of its readers against their own counts, which are 0.
    """

    last_received_at: float | None
    appended_lines: int
    waiting_lines: Mapping[str, int]
    differences: tuple[int, ...]
    trouble: tuple[str | None, int, int]
    """Fault, segments whose text was changed, segments that cannot be read."""


@frozen(kw_only=True)
class OrphanFigures:
    """
    A log whose device is gone; *readers* are the lines that wait for each.
    """

    name: str
    stored_lines: int = 0
    kept_bytes: int = 0
    last_received_at: float | None = None
    readers: Mapping[str, int] = field(factory=dict)
