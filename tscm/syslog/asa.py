"""
ASA messages to events.

An ASA line is a header in one of many forms, the tag `%ASA-6-106100`, and a text
whose form the six digits decide.  The tag is found first; what stands before it is read as
header, what stands behind it by the forms of `asa_forms` (Cisco ASA Series Syslog Messages).
"""

from datetime import datetime
from enum import StrEnum

from attrs import frozen

from tscm.syslog import asa_forms
from tscm.syslog.asa_ends import Endpoint
from tscm.syslog.asa_tag import tag_of
from tscm.syslog.header import find_tag, read_header, text_behind
from tscm.syslog.stamps import time_of
from tscm.syslog.tagged import searched

REPORTED_IDS = ("106100", "106023")
"""What an ASA says of a packet and an access-list, with and without the `log` option: the ones to be enabled."""
POLICY_IDS = frozenset({*REPORTED_IDS, "106102", "106103"})
"""The messages that record what an access-list did with a packet: counted and uploaded (docs/develop/asa.md, section 8)."""

_POLICY_LINE = tag_of(rb"106(?:100|023|102|103)")
_search_policy = searched(POLICY_IDS)
_MAX_TEXT = 65536
_MAX_HITS = 2**32 - 1  # the ASA counts in 32 bits; more would overflow the sums of a report


class Action(StrEnum):
    """What the firewall says that it did."""

    PERMITTED = "permitted"
    EST_ALLOWED = "est-allowed"
    DENIED = "denied"
    DISCARDED = "discarded"
    BUILT = "built"
    TEARDOWN = "teardown"


@frozen(kw_only=True)
class AsaEvent:
    """
    One ASA message.  What a message does not say, or says in a form we do not know, is None.

    *timestamp* is the message's own; a stamp without a year or of an unknown zone gives None
    unless `parse` was told when the line came.
    """

    message_id: str
    severity: int
    text: str
    device: str | None = None
    timestamp: datetime | None = None
    message_class: str | None = None
    action: Action | None = None
    protocol: str | None = None
    source: Endpoint | None = None
    destination: Endpoint | None = None
    access_list: str | None = None
    hit_count: int | None = None
    interval_seconds: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    hashes: tuple[str, ...] = ()
    command: str | None = None
    flow: str | None = None
    """Of 106100 and its kin: the text that a first hit and the interval lines of its flow share."""


def parse(line: bytes, received_at: float | None = None) -> AsaEvent | None:
    """
    The event in *line*, or None where it is no ASA message.  Never raises.

    *received_at* (POSIX seconds) lends a year to stamps that have none.
    """
    header = read_header(line)
    tag, begins = header.tag, header.text
    if tag is None:  # it stands behind all that can be a header, or nowhere
        tag = find_tag(line, len(line))
        if tag is None:
            return None
        tag, begins = text_behind(line, tag)
    text = line[begins : begins + _MAX_TEXT].decode("utf-8", "replace").lstrip(":").strip()
    message_id = tag[4].decode("ascii")
    facts = asa_forms.read_text(message_id, text, header.times)
    words = facts.words
    return AsaEvent(
        message_id=message_id,
        severity=int(tag[3]),
        text=text,
        device=header.names[0].decode("utf-8", "replace") if header.names else None,
        timestamp=None if header.stamp is None else time_of(header.stamp, header.zone, received_at),
        message_class=tag[2].decode("ascii") if tag[2] else None,
        action=_ACTIONS.get(words.get("action", "").lower()),
        protocol=words["protocol"].lower() if "protocol" in words else None,
        source=facts.source,
        destination=facts.destination,
        access_list=words.get("acl"),
        hit_count=_hits(_whole(words.get("hits")), facts.times),
        interval_seconds=_whole(words.get("interval")),
        icmp_type=_whole(words.get("type")),
        icmp_code=_whole(words.get("code")),
        hashes=tuple(h for h in (words.get("hash1"), words.get("hash2")) if h),
        command=words.get("command"),
        flow=words.get("flow") if "first" in words or "interval" in words else None,
    )


def is_policy_line(line: bytes) -> bool:
    """Is this one of the messages of `POLICY_IDS`?"""
    return _POLICY_LINE.search(line) is not None


def policy_lines(block: bytes) -> list[bytes]:
    """
    The lines of `POLICY_IDS` in a block of whole lines, each with its LF.

    One search over the whole block; lines without a hit are not touched.
    """
    return [block[start:end] for start, end in _search_policy(block)]


_ACTIONS = {
    "permitted": Action.PERMITTED,
    "est-allowed": Action.EST_ALLOWED,
    "denied": Action.DENIED,
    "deny": Action.DENIED,
    "discarded": Action.DISCARDED,
    "built": Action.BUILT,
    "teardown": Action.TEARDOWN,
    "dropping": Action.DISCARDED,
    "failed": Action.DENIED,
}


def _hits(counted: int | None, times: int) -> int | None:
    """The ASA's own count, and what a relay says that it left out as equal."""
    told = counted if times == 1 else times * (1 if counted is None else counted)
    return told if told is None or told <= _MAX_HITS else None


def _whole(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isascii() and digits.isdecimal() else None
