"""
How a log and the stream stand to each other, and what is done about it.  Pure.

A manager that stopped, or that heard nothing of its last message, does not know whether the stream has it.  The newest
message of the log tells: what it ends with is in the stream.
"""

from zlib import crc32

from attrs import frozen

from tscm.cluster.message import Last
from tscm.model import Block, Position


@frozen
class Publish:
    """Go on from the cursor; the log's last message has the sequence *expected* (0: there is none)."""

    expected: int


@frozen(kw_only=True)
class Confirm:
    """
    The stream has *lines* more than the cursor knows of, up to offset *end*, if the log still has what it ends with.
    """

    end: int
    lines: int
    expected: int


@frozen
class Renew:
    """
    The stream has more of this log than the disk, or other lines: it was set back, and must go on as another log.
    """

    why: str


Step = Publish | Confirm | Renew


def renewed(last: Last, block: Block | None) -> Renew | None:
    """
    Whether the log was set back and has grown again: *block* is what it has where the *last* message was read.

    What cannot be compared is published again, as another log: twice is better than never.
    """
    stretch = last.stretch
    same = (
        block is not None
        and (block.start, block.end) == (stretch.start, stretch.end)
        and crc32(block.data) == stretch.crc
    )
    return (
        None
        if same
        else Renew(f"its lines before offset {stretch.end} are not those of the stream")
    )


def next_step(position: Position, log_end: int, last: Last | None) -> Step:
    """
    What follows from the *last* message of a log whose reader stands at *position*.
    """
    if last is None:
        return Publish(0)
    stretch = last.stretch
    if stretch.end > log_end:
        return Renew(
            f"the stream has it up to offset {stretch.end}, and the disk up to {log_end} only"
        )
    if stretch.end <= position.offset:
        return Publish(last.sequence)
    passed = position.sent + position.not_selected + position.expired
    return Confirm(
        end=stretch.end,
        lines=max(0, stretch.before + stretch.lines - passed),
        expected=last.sequence,
    )
