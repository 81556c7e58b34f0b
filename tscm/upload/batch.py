"""
Batches: which part of a log is sent as one, and under which key.

No socket and no file here.
"""

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from tscm.model import Block
from tscm.syslog.asa import policy_lines
from tscm.upload_format import ENCODINGS, part_key

Select = Callable[[bytes], tuple[bytes, int]]
"""From whole lines of the log to those that are sent, and their number."""

NEXT_ENCODING = dict(zip(ENCODINGS, (*ENCODINGS[1:], ""), strict=True))
"""What to try when a compression is not read by the receiver; plain is the last."""


def policy_selection(data: bytes) -> tuple[bytes, int]:
    """The lines by which the firewall says that it acted on an access-list."""
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


def pick(block: Block, select: Select) -> Stretch:
    """What *select* takes of *block*."""
    selected, lines = select(block.data)
    return Stretch(
        start=block.start,
        end=block.end,
        selected=selected,
        lines=lines,
        others=block.lines - lines,
    )


def clip(block: Block, end: int) -> Block:
    """*block* up to *end*, which is the start of one of its lines."""
    if block.end <= end:
        return block
    data = block.data[: end - block.start]
    return evolve(block, end=end, data=data, lines=data.count(b"\n"))


def halves(blocks: Sequence[Block], select: Select, part: Part) -> tuple[Part, Part] | None:
    """
    *part* as two parts of about half its selected bytes each; None for a single selected line.

    *blocks* hold the part's range.  The cut lies behind a selected line.
    """
    picked = [pick(block, select) for block in blocks]
    total = sum(len(one.selected) for one in picked)
    if sum(one.lines for one in picked) < 2:
        return None
    before = lines = 0
    best: tuple[float, int] | None = None
    count = sum(one.lines for one in picked)
    for block in blocks:
        offset = block.start
        for line in block.data.splitlines(keepends=True):
            offset += len(line)
            if select(line)[1]:
                before += len(line)
                lines += 1
                if lines < count and (best is None or abs(before - total / 2) < best[0]):
                    best = (abs(before - total / 2), offset)
    if best is None:
        return None
    at = best[1]
    fresh = evolve(part, digest="", refusals=0)
    return (
        evolve(fresh, key=part_key(part.key, 1), end=at),
        evolve(fresh, key=part_key(part.key, 2), start=at),
    )
