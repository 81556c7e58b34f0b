"""
One block of the log into tallies by hour.

Pure.  The hour is that of receipt, told by the index: the same lines give the same hours however
the log is cut into blocks, now and when roll-ups are made again.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from attrs import evolve

from tscm.events.first_hits import FirstHits
from tscm.events.judge import Force, Tally, applicable, judge, with_listed_flows
from tscm.events.rollups import HOUR_SECONDS, EventPosition
from tscm.model import Block, Origin
from tscm.syslog.asa import POLICY_IDS, parse
from tscm.syslog.asa_bulk import rows_of
from tscm.syslog.asa_tag import tag_of
from tscm.syslog.escape import unescape
from tscm.syslog.forms import PARSERS, rows_of_form, spans_of
from tscm.syslog.tagged import Spans, searched_each
from tscm.syslog.upheavals import UPHEAVALS

_LOW = "106101"
_RARE = tag_of("|".join((_LOW, *UPHEAVALS)).encode())
_spans = searched_each(POLICY_IDS, (_LOW, *UPHEAVALS))
"""Every line is held against these two sets, and all else only sees the few that they give: of the second, nearly always none."""
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
    form: str = "",
) -> tuple[dict[int, Tally], EventPosition, dict[str, float]]:
    """
    What *block* came to by hour, the reader's position behind it, and which upheavals of the firewall
    it tells of: when the last line of each message (`UPHEAVALS`) was received.

    *first_hits* are those of the lines before, and then of these too.  With *access_lists* only
    what those did can be a hit.  *form* is the type of a firewall whose lines are no ASA's.  *tested* is asked after every generation.  Lines whose time of receipt is not known are counted under the hour of those before them.
    """
    if form in PARSERS:
        return _tally_form(block, origins, forces, before, form=form, first_hits=first_hits)
    tallies: dict[int, Tally] = {}
    explained = others = unread = 0
    stretches = _stretches(block, origins)
    spans, rare = _spans(block.data)
    for at, some in _by_stretch(block, stretches, spans):
        lines = [block.data[begin:end] for begin, end in some]
        rows = first_hits.settle(rows_of(lines), at)
        unread += len(lines) - len(rows)
        ours = [row for row in rows if row[1] in access_lists] if access_lists else rows
        found = judge(ours, [*applicable(forces, at), *tested])
        found.others += len(rows) - len(ours)
        explained += len(rows) - found.others
        others += found.others
        hour = int(at) // HOUR_SECONDS
        if hour in tallies:
            merge(tallies[hour], found)
        else:
            tallies[hour] = found
    low, upheavals = _rare(block, stretches, rare)
    moved = EventPosition(
        offset=block.end,
        sent=before.sent + explained,
        not_selected=before.not_selected + block.lines - explained,
        others=before.others + others,
        unread=before.unread + unread,
        low=before.low + low,
    )
    return tallies, moved, upheavals


def _tally_form(
    block: Block,
    origins: Sequence[Origin],
    forces: Sequence[Force],
    before: EventPosition,
    *,
    form: str,
    first_hits: FirstHits,
) -> tuple[dict[int, Tally], EventPosition, dict[str, float]]:
    """
    The same of another firewall's lines, of which none tells of an upheaval.

    Where a firewall tells of the begin of a connection and of its end, it counts once.

    A line that leaves the action open, or an end, is skipped, as one about something else is.
    """
    tallies: dict[int, Tally] = {}
    explained = others = 0
    spans = spans_of(form, block.data)
    for at, some in _by_stretch(block, _stretches(block, origins), spans):
        lines = [block.data[begin:end] for begin, end in some]
        rows = [row for row in rows_of_form(form, lines) if row is not None]
        ours = applicable(forces, at)
        found = judge(first_hits.settle(with_listed_flows(rows, ours), at), ours)
        explained += len(rows) - found.others
        others += found.others
        merge(tallies.setdefault(int(at) // HOUR_SECONDS, Tally()), found)
    moved = evolve(
        before,
        offset=block.end,
        sent=before.sent + explained,
        not_selected=before.not_selected + block.lines - explained,
        others=before.others + others,
    )
    return tallies, moved, {}


def _by_stretch(
    block: Block, stretches: Sequence[tuple[int, int, float]], spans: Spans
) -> Iterator[tuple[float, Spans]]:
    """The lines at *spans* by the stretch that they lie in, with its time of receipt; stretches without one are left out."""
    begin = 0
    for _, end, at in stretches:
        stop = bisect_left(spans, (end - block.start, 0), begin)
        if stop > begin:
            yield at, spans[begin:stop]
        begin = stop


def _rare(
    block: Block, stretches: Sequence[tuple[int, int, float]], spans: Spans
) -> tuple[int, dict[str, float]]:
    """How many lines say that counts are low, and the upheavals with the time of receipt."""
    low = parsed = 0
    found: dict[str, float] = {}
    for at, some in _by_stretch(block, stretches, spans):
        for begin, end in some:
            for match in _RARE.finditer(block.data, begin, end):
                number = match[0][-_DIGITS:].decode("ascii")
                if number == _LOW:
                    low += 1
                elif parsed < _PARSED_MOST:
                    parsed += 1
                    event = parse(unescape(block.data[begin:end].rstrip(b"\n")))
                    # Another message may only quote the tag: a command that was typed, a text of another program.
                    if event is not None and event.message_id == number:
                        found[number] = at
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
