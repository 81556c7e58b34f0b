"""
Batches: which part of a log is sent as one, and under which key.

No socket and no file here.
"""

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from tscm.model import Block, Origin
from tscm.syslog.asa import policy_lines
from tscm.upload_format import ENCODINGS, part_key

Select = Callable[[bytes, float], tuple[bytes, int]]
"""
From whole lines of the log and the time of their receipt (0: not known) to those that are sent, and
their number.  Called in a thread.
"""

Piece = tuple[int, int, float]
"""A part of a block by where it begins and ends in the log, and when its lines came."""
PIECE_SECONDS = 60.0
"""So far apart may times be that go for one: far below what a policy's push takes to be late."""

NEXT_ENCODING = dict(zip(ENCODINGS, (*ENCODINGS[1:], ""), strict=True))
"""What to try when a compression is not read by the receiver; plain is the last."""


def policy_selection(data: bytes, at: float) -> tuple[bytes, int]:
    """The lines by which the firewall says that it acted on an access-list, whenever that was."""
    del at
    found = policy_lines(data)
    return b"".join(found), len(found)


@frozen(kw_only=True)
class Part:
    """
    A batch, or a part of one that had to be split: what is sent in one request.

    It is persisted before it is first sent, so that a repeat, after a crash too, goes under
    the same key.  *digest* is that of the content at the first try.
    """

    key: str
    start: int
    end: int
    encoding: str = ENCODINGS[0]
    digest: str = ""
    refusals: int = 0


@frozen(kw_only=True)
class Stretch:
    """
    A block of the log, picked over.
    """

    start: int
    end: int
    selected: bytes
    lines: int
    others: int


def pieces(block: Block, origins: Sequence[Origin]) -> list[Piece]:
    """*block* cut by the time of receipt; a line of unknown time goes with those before it."""
    found: list[Piece] = []
    at = next((one.received_at for one in origins if one.received_at), 0.0)
    for one in origins:
        at = one.received_at or at
        start = max(block.start, one.start)
        end = min(block.end, one.end)
        if found and abs(at - found[-1][2]) < PIECE_SECONDS:
            found[-1] = (found[-1][0], end, found[-1][2])
        elif start < end:
            found.append((found[-1][1] if found else block.start, end, at))
    if not found:
        return [(block.start, block.end, 0.0)]
    return [*found[:-1], (found[-1][0], block.end, found[-1][2])]


def pick(block: Block, cut: Sequence[Piece], select: Select) -> Stretch:
    """What *select* takes of the pieces of *block*."""
    taken = [select(block.data[a - block.start : b - block.start], at) for a, b, at in cut]
    lines = sum(count for _, count in taken)
    return Stretch(
        start=block.start,
        end=block.end,
        selected=b"".join(selected for selected, _ in taken),
        lines=lines,
        others=block.lines - lines,
    )


def clip(block: Block, end: int) -> Block:
    """*block* up to *end*, which is the start of one of its lines."""
    if block.end <= end:
        return block
    data = block.data[: end - block.start]
    return evolve(block, end=end, data=data, lines=data.count(b"\n"))


def halves(
    blocks: Sequence[tuple[Block, Sequence[Piece]]], select: Select, part: Part
) -> tuple[Part, Part] | None:
    """
    *part* as two parts of about half its selected bytes each; None for a single selected line.

    *blocks* hold the part's range, each with its pieces.  The cut lies behind a selected line.
    """
    ends: list[tuple[int, int]] = []  # selected bytes so far, and where in the log that is
    before = 0
    for block, cut in blocks:
        for start, end, at in cut:
            offset = start
            for line in block.data[start - block.start : end - block.start].splitlines(True):
                offset += len(line)
                if select(line, at)[1]:
                    before += len(line)
                    ends.append((before, offset))
    if len(ends) < 2:
        return None
    at_half = min(ends[:-1], key=lambda one: abs(one[0] - before / 2))[1]
    fresh = evolve(part, digest="", refusals=0)
    return (
        evolve(fresh, key=part_key(part.key, 1), end=at_half),
        evolve(fresh, key=part_key(part.key, 2), start=at_half),
    )
