"""
One block of the log into tallies by hour.

Pure.  The hour is that of receipt, told by the index: the same lines give the same hours however
the log is cut into blocks, now and when roll-ups are made anew.
"""

from collections.abc import Collection, Sequence

from attrs import evolve

from tscm.events.first_hits import FirstHits
from tscm.events.judge import Force, Tally, applicable, judge
from tscm.events.rollups import HOUR_SECONDS, EventPosition
from tscm.model import Block, Origin
from tscm.syslog.asa import parse, policy_lines
from tscm.syslog.asa_bulk import rows_of
from tscm.syslog.asa_tag import tag_of
from tscm.syslog.escape import unescape
from tscm.syslog.upheavals import UPHEAVALS

_LOW = "106101"
_RARE = tag_of("|".join((_LOW, *UPHEAVALS)).encode())
"""Looked for in one go, for every line is held against it."""
_DIGITS = 6
_PARSED_MOST = 200
"""Of the lines that look like an upheaval: who repeats one forever costs no more than that."""


def tally_block(
    block: Block,
    origins: Sequence[Origin],
    forces: Sequence[Force],
    before: EventPosition,
    *,
    first_hits: FirstHits,
    access_lists: Collection[bytes] = (),
    tested: Sequence[Force] = (),
) -> tuple[dict[int, Tally], EventPosition, dict[str, float]]:
    """
    What *block* came to by hour, the reader's position behind it, and which upheavals of the firewall
    it tells of: when the last line of each message (`UPHEAVALS`) was received.

    *first_hits* are those of the lines before, and then of these too.  With *access_lists* only
    what those did can be a hit.  *tested* is asked after every generation.  Lines whose time of receipt is not known are counted under the hour of those before them.
    """
    tallies: dict[int, Tally] = {}
    explained = others = unread = 0
    stretches = _stretches(block, origins)
    for start, end, at in stretches:
        lines = policy_lines(block.data[start - block.start : end - block.start])
        if not lines:
            continue
        rows = first_hits.settle(rows_of(lines), at)
        unread += len(lines) - len(rows)
        ours = [row for row in rows if row[1] in access_lists] if access_lists else rows
        found = judge(ours, [*applicable(forces, at), *tested])
        found.others += len(rows) - len(ours)
        explained += len(rows) - found.others
        others += found.others
        merge(tallies.setdefault(int(at) // HOUR_SECONDS, Tally()), found)
    low, upheavals = _rare(block, stretches)
    moved = evolve(
        before,
        offset=block.end,
        sent=before.sent + explained,
        skipped=before.skipped + block.lines - explained,
        others=before.others + others,
        unread=before.unread + unread,
        low=before.low + low,
    )
    return tallies, moved, upheavals


def _rare(
    block: Block, stretches: Sequence[tuple[int, int, float]]
) -> tuple[int, dict[str, float]]:
    """How many lines say that counts are low, and the upheavals with the time of receipt."""
    low = parsed = 0
    found: dict[str, float] = {}
    for match in _RARE.finditer(block.data):
        number = match[0][-_DIGITS:].decode("ascii")
        if number == _LOW:
            low += 1
        elif parsed < _PARSED_MOST:
            parsed += 1
            begin = block.data.rfind(b"\n", 0, match.start()) + 1
            end = block.data.find(b"\n", match.end())
            event = parse(unescape(block.data[begin : end if end >= 0 else len(block.data)]))
            # Another message may only quote the tag: a command that was typed, a text of somebody else's.
            if event is not None and event.message_id == number:
                where = block.start + match.start()
                found[number] = next(
                    (at for start, end, at in reversed(stretches) if start <= where), 0.0
                )
    return low, found


def _stretches(block: Block, origins: Sequence[Origin]) -> list[tuple[int, int, float]]:
    """
    The block cut where the list in force or the hour may change: by runs of about equal time.
    """
    found: list[tuple[int, int, float]] = []
    at = next((one.received_at for one in origins if one.received_at), 0.0)
    for one in origins:
        at = one.received_at or at
        if found and _same(found[-1][2], at):
            found[-1] = (found[-1][0], one.end, found[-1][2])
        else:
            found.append((one.start, one.end, at))
    return found or [(block.start, block.end, 0.0)]


def _same(one: float, other: float) -> bool:
    """Within one second of one hour: a batch's width, far below what a push takes."""
    return abs(one - other) < 1 and int(one) // HOUR_SECONDS == int(other) // HOUR_SECONDS


def merge(into: Tally, more: Tally) -> None:
    """Count *more* into *into*."""
    for raw, total in more.sums.items():
        into.sums[raw] = into.sums.get(raw, 0) + total
    into.others += more.others
