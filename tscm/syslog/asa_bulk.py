"""
The policy's events out of a whole block of lines, in columns, without touching the other lines.

One search finds the few lines that matter.  The form that nearly all of them have is taken apart
by one expression over all of them at once; everything out of the ordinary goes through
`asa.parse`, and both ways tell the same.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tscm.syslog.asa import POLICY_IDS, AsaEvent, Endpoint, parse, policy_lines
from tscm.syslog.escape import unescape

_V4 = rb"([0-9.]{7,15})"
_INTERFACE = rb"[^\s/()\x10]{1,100}"
_LISTED = re.compile(
    rb"^[^%\n]*%(?:ASA|FTD|PIX|FWSM)-(?:[A-Za-z][A-Za-z_-]{0,30}-)?[0-7]-106(?:100|102|103)"
    rb": access-list ([!-~]{1,240}) (permitted|denied|est-allowed) ([a-z]{2,5}|[0-9]{1,3}) "
    + _INTERFACE + rb"/" + _V4 + rb"\([0-9]{0,5}\) -> "
    + _INTERFACE + rb"/" + _V4 + rb"\(([0-9]{1,4}|[1-5][0-9]{4})\) hit-cnt ([0-9]{1,9}) "
    rb"(?:first hit|([0-9]{1,6})-second interval)(?: \[0x[0-9a-f]{1,8}, 0x[0-9a-f]{1,8}\])?$",
    re.MULTILINE,
)  # fmt: skip
_ICMP = frozenset({b"icmp"})


class PolicyEvent(NamedTuple):
    """
    What a report wants of one policy line.

    Addresses are spelled as `str(ip_address(…))` does, names as in the line.  *port* is the
    destination's, -1 where there is none; *hits* is 1 where the line has no count;
    *interval_seconds* is 0 for a first hit and for lines without one.
    """

    access_list: str
    action: str
    protocol: str
    source: str
    destination: str
    port: int
    hits: int
    interval_seconds: int


Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""The fields of a `PolicyEvent` as they stand in the line; empty where there is none."""


def policy_rows(block: bytes) -> list[Row]:
    """
    A row for each policy line of a block of whole lines that tells two ends, in their order.
    """
    return rows_of(policy_lines(block))


def rows_of(lines: Sequence[bytes]) -> list[Row]:
    """The same for policy lines that were picked out before, each with its LF."""
    rows: list[Row] = _LISTED.findall(b"".join(lines))
    if len(rows) == len(lines) and not any(row[2] in _ICMP for row in rows):
        return rows
    return [row for line in lines if (row := _row(line)) is not None]


def policy_events(block: bytes) -> Iterator[tuple[bytes, PolicyEvent]]:
    """Each policy line of a block, as stored and without its LF, with its event."""
    for line in policy_lines(block):
        row = _row(line)
        if row is not None:
            yield line.rstrip(b"\n"), event_of(row)


def event_of(row: Row) -> PolicyEvent:
    """The event that a row stands for."""
    acl, action, protocol, source, destination, port, hits, interval = (
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
    )


def _row(line: bytes) -> Row | None:
    match = _LISTED.match(line)
    if match is not None and match[3] not in _ICMP:
        acl, action, protocol, source, destination, port, hits, interval = match.groups(b"")
        return (acl, action, protocol, source, destination, port, hits, interval)
    event = parse(unescape(line.rstrip(b"\n")))
    found = None if event is None else of_event(event)
    if found is None:
        return None
    acl, action, protocol, source, destination, port_, hits_, seconds = found
    return (
        acl.encode(), action.encode(), protocol.encode(), source.encode(), destination.encode(),
        b"" if port_ < 0 else b"%d" % port_, b"%d" % hits_, b"%d" % seconds if seconds else b"",
    )  # fmt: skip


def of_event(event: AsaEvent) -> PolicyEvent | None:
    """The same out of a parsed event; None where it is no policy event with two ends."""
    source, destination = event.source, event.destination
    if event.message_id not in POLICY_IDS or event.action is None:
        return None
    if source is None or destination is None:
        return None
    port = destination.port
    return PolicyEvent(
        access_list=event.access_list or "",
        action=str(event.action),
        protocol=event.protocol or "",
        source=_end(source),
        destination=_end(destination),
        port=-1 if port is None else port,
        hits=1 if event.hit_count is None else event.hit_count,
        interval_seconds=event.interval_seconds or 0,
    )


def _end(end: Endpoint) -> str:
    return str(end.address) if end.address is not None else end.host or ""
