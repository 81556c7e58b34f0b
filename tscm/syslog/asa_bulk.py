"""
The policy's events out of a whole block of lines, in columns, without touching the other lines.

One search finds the few lines that matter.  The forms that nearly all of them have are taken apart
by one expression over all of them at once; everything out of the ordinary goes through
`asa.parse`, and both ways tell the same.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from tscm.syslog.asa import POLICY_IDS, AsaEvent, parse, policy_lines
from tscm.syslog.asa_ends import Endpoint
from tscm.syslog.escape import unescape

_ADDRESS = rb"([0-9A-Fa-f:.]{2,39}+(?<!\.))"
_INTERFACE = rb"[^ \t\n\r\f\v/()\x10]{1,100}+"  # a class written out is matched faster than \s
_NAMED = rb"[^ \t\n\r\f\v:/()\x10]{1,100}+"
_PROTOCOL = rb"(tcp|udp|sctp)"
"""Those with ports: what other protocols have in their place is for `asa.parse` to say."""
_PORT = rb"([0-9]{1,4}+|[1-5][0-9]{4})"
_NAME = rb"(?![\"'])[!-~]{1,240}+"
_HASHES = rb"(?: \[0x[0-9a-f]{1,8}+, 0x[0-9a-f]{1,8}+\])?"
_WORD = rb"[^ \t\n\r\f\v'\"(),\x10]{1,100}+"
_USER = rb"(?:\(" + _WORD + rb"\))?"
"""Who sits behind an address, or a security-group tag: rows do not tell of it."""
_FOR_USER = rb"(?: for user (?:'" + _WORD + rb"'|" + _WORD + rb"))?"
_TAG = rb"%(?:ASA|FTD|PIX|FWSM)-(?>(?:[A-Za-z][A-Za-z_]{0,30}+-)?)[0-7]-106"
_SEP = rb"(?::| - - -) {1,2}"
"""Between tag and text: a colon, or fields of RFC 5424 with nothing in them."""
_FLOW = (
    rb"(?:100|102|103)" + _SEP + rb"access-list ((" + _NAME + rb") (permitted|denied|est-allowed) " + _PROTOCOL
    + _FOR_USER + rb" " + _INTERFACE + rb"/" + _ADDRESS + rb"\([0-9]{0,5}+\)" + _USER + rb" -> "
    + _INTERFACE + rb"/" + _ADDRESS + rb"\(" + _PORT + rb"\)" + _USER + rb") hit-cnt ([0-9]{1,9}+) "
    rb"(?:first hit|([0-9]{1,6}+)-second interval)" + _HASHES
)  # fmt: skip
_DENY = (
    rb"023" + _SEP + rb"Deny " + _PROTOCOL + rb" src " + _NAMED + rb":" + _ADDRESS + rb"/[0-9]{1,5}+" + _USER + rb" dst "
    + _NAMED + rb":" + _ADDRESS + rb"/" + _PORT + _USER + rb" by access-group \"([!#-~]{1,240}+)\"" + _HASHES
)  # fmt: skip
_PORTLESS = rb"(?:protocol )?(icmp6?|ipv6-icmp|gre|esp|igmp|[0-9]{1,3}+)"
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[0-9]{1,2})"
_PING = re.compile(
    rb"[^%\n]*" + _TAG + rb"(?:(?:100|102|103)" + _SEP + rb"access-list ((" + _NAME
    + rb") (permitted|denied|est-allowed) (icmp6?|ipv6-icmp)" + _FOR_USER + rb" " + _INTERFACE + rb"/" + _ADDRESS
    + rb"\(" + _OCTET + rb"\)" + _USER + rb" -> " + _INTERFACE + rb"/" + _ADDRESS + rb"\(" + _OCTET + rb"\)" + _USER
    + rb") hit-cnt ([0-9]{1,9}+) (?:first hit|([0-9]{1,6}+)-second interval)" + _HASHES
    + rb"|023" + _SEP + rb"Deny " + _PORTLESS + rb" src " + _NAMED + rb":" + _ADDRESS + _USER + rb" dst " + _NAMED + rb":"
    + _ADDRESS + _USER + rb"(?: \(type [0-9]{1,3}+, code [0-9]{1,3}+\))? by access-group \"([!#-~]{1,240}+)\"" + _HASHES
    + rb")(?:\n|\Z)"
)  # fmt: skip
"""
The same of packets without ports, with type and code of ICMP, each an octet, in their place: pings are what an edge
denies most.
"""
_ORDINARY = re.compile(
    rb"^(?:[^%\n]*" + _TAG + rb"(?:" + _FLOW + rb"|" + _DENY + rb")(?:\n|\Z)|([^\n]+\n?|\n))",
    re.MULTILINE,
)
"""
Each line once: the fields of 106100 and its kin, those of 106023, or the whole of any other line.

Nothing here can match in a second way, so nothing is tried again (`+` behind a count).
"""
_FLOWS = re.compile(_TAG + _FLOW + rb"$", re.MULTILINE)
_DENIALS = re.compile(_TAG + _DENY + rb"$", re.MULTILINE)
"""
The same forms each by itself, from the tag on: where no line has a second `%`, what stands before it cannot matter.
"""
_ACTION, _SOURCE, _DESTINATION = 2, 4, 5
_BOTH_ENDS = itemgetter(_SOURCE, _DESTINATION)
_FIELDS = 9
_REPEATED = b"message repeated "
"""A relay's words for one line in the place of many."""
_CANONICAL_KEPT = 1 << 15
_WITH_PORTS = frozenset({"tcp", "udp", "sctp", "6", "17", "132"})


class PolicyEvent(NamedTuple):
    """
    What a report wants of one policy line.

    Addresses are spelled as `str(ip_address(…))` does, names as in the line.  *port* is the
    destination's, -1 where there is none; *hits* is 1 where the line has no count;
    *interval_seconds* is 0 for a first hit and for lines without one.  *flow* is the same text in a first
    hit and in the interval lines of the same flow, and empty in all other lines.
    """

    access_list: str
    action: str
    protocol: str
    source: str
    destination: str
    port: int
    hits: int
    interval_seconds: int
    flow: str = ""


Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""
*flow* of a `PolicyEvent`, then its other fields in their order, as they stand in the line; empty where
there is none.
"""


def policy_rows(block: bytes) -> list[Row]:
    """
    A row for each policy line of a block of whole lines that tells two ends, in their order.
    """
    return rows_of(policy_lines(block))


def rows_of(lines: Sequence[bytes]) -> list[Row]:
    """The same for policy lines that were picked out before, each with its LF."""
    block = b"".join(lines)
    rows: Sequence[Row | None] | None = _rows_of_one_form(block, lines)
    if rows is None:
        rows = row_of_each(lines)
    return [row for row in rows if row is not None]


def _rows_of_one_form(block: bytes, lines: Sequence[bytes]) -> list[Row | None] | None:
    """The rows of a block whose lines all are of one of the two forms, as nearly all blocks are."""
    denials = block.count(b"-106023")
    if block.count(b"%") != len(lines) or denials not in {0, len(lines)} or _REPEATED in block:
        return None
    rows: list[Row] = [] if denials else _FLOWS.findall(block)
    if denials:
        rows = [
            (b"", group, b"denied", protocol, source, destination, port, b"1", b"")
            for protocol, source, destination, port, group in _DENIALS.findall(block)
        ]
    if len(rows) != len(lines):
        return None
    if b":" not in b"".join(chain.from_iterable(map(_BOTH_ENDS, rows))):
        return [*rows]
    return [
        _with_canonical_ends(row, lines[place])
        if b":" in row[_SOURCE] or b":" in row[_DESTINATION]
        else row
        for place, row in enumerate(rows)
    ]


def row_of_each(lines: Sequence[bytes]) -> list[Row | None]:
    """The same with a place for each of *lines*; None where it does not tell two ends."""
    rows: list[Row | None] = []
    block = b"".join(lines)
    repeated = _REPEATED in block
    for line, fields in zip(lines, _ORDINARY.findall(block), strict=True):
        row: Row | None
        if repeated and _REPEATED in line:
            row = _row(line)
        elif fields[_ACTION]:
            row = fields[:_FIELDS]
        elif fields[_FIELDS]:
            protocol, source, destination, port, group = fields[_FIELDS:-1]
            row = (b"", group, b"denied", protocol, source, destination, port, b"1", b"")
        else:
            row = _ping(fields[-1]) or _row(fields[-1])
        if row is not None and (b":" in row[_SOURCE] or b":" in row[_DESTINATION]):
            row = _with_canonical_ends(row, line)
        rows.append(row)
    return rows


def _ping(line: bytes) -> Row | None:
    """The row of a line of `_PING`."""
    found = _PING.match(line)
    if found is None:
        return None
    flow, acl, action, protocol, source, destination, hits, interval, *denied = found.groups(b"")
    if action:
        return (flow, acl, action, protocol, source, destination, b"", hits, interval)
    protocol, source, destination, group = denied
    return (b"", group, b"denied", protocol, source, destination, b"", b"1", b"")


def _with_canonical_ends(row: Row, line: bytes) -> Row | None:
    source, destination = _canonical(row[_SOURCE]), _canonical(row[_DESTINATION])
    if source is None or destination is None:
        return _row(line)
    return (*row[:4], source, destination, *row[6:])


@lru_cache(_CANONICAL_KEPT)
def _canonical(address: bytes) -> bytes | None:
    """
    *address* as `str(ip_address(…))` spells it, as it stands where it is a name, and None where
    it has colons and is not an address: part of it may be the interface's name.
    """
    try:
        return str(ip_address(address.decode("ascii"))).encode("ascii")
    except ValueError:
        return None if b":" in address else address


def policy_events(block: bytes) -> Iterator[tuple[bytes, PolicyEvent]]:
    """Each policy line of a block, as stored and without its LF, with its event."""
    for line in policy_lines(block):
        for row in rows_of([line]):
            yield line.rstrip(b"\n"), event_of(row)


def event_of(row: Row) -> PolicyEvent:
    """The event that a row stands for."""
    flow, acl, action, protocol, source, destination, port, hits, interval = (
        field.decode("utf-8", "replace") for field in row
    )
    return PolicyEvent(
        access_list=acl,
        action=action,
        protocol=protocol,
        source=source,
        destination=destination,
        port=int(port) if port else -1,
        hits=int(hits),
        interval_seconds=int(interval) if interval else 0,
        flow=flow,
    )


def _row(line: bytes) -> Row | None:
    """A row of any policy line, by way of `asa.parse`."""
    event = parse(unescape(line.rstrip(b"\n")))
    found = None if event is None else of_event(event)
    if found is None:
        return None
    seconds = found.interval_seconds
    return (
        found.flow.encode(), found.access_list.encode(), found.action.encode(), found.protocol.encode(), found.source.encode(),
        found.destination.encode(), b"" if found.port < 0 else b"%d" % found.port, b"%d" % found.hits,
        b"%d" % seconds if seconds else b"",
    )  # fmt: skip


def of_event(event: AsaEvent) -> PolicyEvent | None:
    """The same out of a parsed event; None where it is no policy event with two ends."""
    source, destination = event.source, event.destination
    if event.message_id not in POLICY_IDS or event.action is None:
        return None
    if source is None or destination is None:
        return None
    port = destination.port
    if port == 0 and event.protocol not in _WITH_PORTS:
        port = None  # 106100 writes a 0 where 106023 writes nothing
    return PolicyEvent(
        access_list=event.access_list or "",
        action=str(event.action),
        protocol=event.protocol or "",
        source=_end(source),
        destination=_end(destination),
        port=-1 if port is None else port,
        hits=1 if event.hit_count is None else event.hit_count,
        interval_seconds=event.interval_seconds or 0,
        flow=event.flow or "",
    )


def _end(end: Endpoint) -> str:
    return str(end.address) if end.address is not None else end.host or ""
