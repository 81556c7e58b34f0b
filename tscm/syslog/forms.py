"""
The forms in which firewalls that pull a list write their lines, and what of them the reports count.

Pure.  A row is what `asa_bulk` makes of an ASA's line, so that everything behind it is the same: the rule's name (or
the list's, where the line names one) stands in the place of the access-list.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tscm.syslog import checkpoint, fortios, ftd, panos, routeros
from tscm.syslog.asa import Action, is_policy_line
from tscm.syslog.asa_bulk import Row, row_of_each
from tscm.syslog.escape import unescape
from tscm.syslog.passage import Passage
from tscm.syslog.tagged import Spans

Parse = Callable[[bytes], Passage | None]
PARSERS: Mapping[str, Parse] = {
    "checkpoint": checkpoint.parse,
    "firepower": ftd.parse,
    "fortinet": fortios.parse,
    "mikrotik": routeros.parse,
    "panos": panos.parse,
}
"""By the type of the device; every other one is read as an ASA."""
_HINTS: Mapping[str, re.Pattern[bytes]] = {
    "checkpoint": re.compile(rb"[|\s](?:src|dst)="),
    "firepower": re.compile(rb"%FTD-[0-7]-(?:43000[1-5]|106)|SFIMS:"),
    "fortinet": re.compile(rb"srcip="),
    "mikrotik": re.compile(rb": in:"),
    "panos": re.compile(rb",(?:TRAFFIC|THREAT),"),
}
"""What a line must have to be worth taking apart."""
_NAME_MOST = 240


def spans_of(form: str, block: bytes) -> Spans:
    """Where the lines lie in *block* that may be about a packet, in their order, each with its LF."""
    hint = _HINTS[form]
    found: list[tuple[int, int]] = []
    at = 0
    while (seen := hint.search(block, at)) is not None:
        begin = block.rfind(b"\n", 0, seen.start()) + 1
        end = block.find(b"\n", seen.end()) + 1 or len(block)
        found.append((begin, end))
        at = end
    return found


def rows_of_form(form: str, lines: Sequence[bytes]) -> list[Row | None]:
    """A row for each of *lines*; None where it tells no action or not both ends."""
    return [_row(form, line) for line in lines]


def _row(form: str, line: bytes) -> Row | None:
    if form == "firepower" and is_policy_line(line):  # the ASA's own messages, under another tag
        return row_of_each([line])[0]
    passage = PARSERS[form](unescape(line.rstrip(b"\n")))
    if passage is None or (form == "checkpoint" and checkpoint.counts_twice(passage)):
        return None
    return row_of(passage)


def row_of(passage: Passage) -> Row | None:
    """What the reports count of *passage*; None where it tells no action or not both ends."""
    if passage.action is None or passage.source is None or passage.destination is None:
        return None
    action = b"denied" if passage.action is Action.DENIED else b"permitted"
    rule = passage.list_name or passage.rule or ""
    to = passage.destination_port
    flow, interval = _flow(passage)
    return (
        flow,
        rule[:_NAME_MOST].encode(),
        action,
        (passage.protocol or "ip").encode(),
        passage.source.encode(),
        passage.destination.encode(),
        b"" if to is None else b"%d" % to,
        b"1",
        interval,
    )


def _flow(passage: Passage) -> tuple[bytes, bytes]:
    """
    The connection, and how long after its first line this one comes at most; nothing where one line is all.

    That is what an ASA's interval line says of a flow, whose first packet a line before has counted.
    """
    if passage.connection is None:
        return b"", b""
    flow = b"/" + passage.connection[:_NAME_MOST].encode().replace(b"\n", b" ")
    return flow, b"" if passage.lasted is None else b"%d" % max(1, passage.lasted)
