"""
Lines that are nearly ASA messages: a corpus, and what small accidents make of it.

Every way by which a policy line is read must tell the same of each of them.
"""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.syslog.header_forms import FORMS
from tscm.syslog.asa import is_policy_line, parse, policy_lines
from tscm.syslog.asa_bulk import PolicyEvent, event_of, of_event, policy_rows, row_of_each
from tscm.syslog.escape import escape, unescape

OTHERS = Path(__file__).parents[3] / "shared" / "conformance"
"""Lines that other projects collected; beside a checkout of this project, or not there."""

TEXTS = [
    b"106100: access-list outside_in denied tcp outside/203.0.113.7(40001) -> inside/192.0.2.8(443) hit-cnt 1"
    b" first hit [0xd820e56a, 0x0]",
    b"106100: access-list outside_in permitted udp outside/203.0.113.7(53) -> inside/2001:db8::8(0443)(CORP\\ann, 9:G)"
    b" hit-cnt 21 300-second interval [0xd820e56a, 0x0]",
    b"106100: access-list a est-allowed gre o/203.0.113.7(0)-> i/SERVER1(0) hit-cnt 2 (first hit)",
    b"106102: access-list vpn denied tcp for user 'Ann Lee' DMZ(1)/203.0.113.7(1) -> i/192.0.2.8(https) hit-cnt 3 5-second interval",
    b"106103: access-list vpn permitted icmp for user ann o/203.0.113.7(8) -> i/192.0.2.8(0) hit-cnt 1 first hit",
    b'106023: Deny tcp src outside:203.0.113.7/40001 dst inside:192.0.2.8/443 by access-group "outside_in" [0x1, 0x0]',
    b'106023: Deny icmp src a:be:2001:db8::5 dst inside:192.0.2.8 (type 8, code 0) by access-group "outside_in"',
    b"106023: Deny protocol 47 src outside:203.0.113.7 dst DMZ(1):192.0.2.8 by access-group outside_in [0x1, 0x0]",
    b"106100: message repeated 3 times: [ access-list a denied tcp o/203.0.113.7(1) -> i/192.0.2.8(2) hit-cnt 2 first hit]",
    b"302013: Built inbound TCP connection 9 for outside:203.0.113.7/22 (203.0.113.7/22) to inside:192.0.2.8/5 (192.0.2.8/5)",
]  # fmt: skip
PIECES = [
    b"%ASA-4-106023: ", b"%FTD--6-106100: ", b" - - - ", b" - - -  ", b': [m x="y"] ', b"message repeated 2 times: [ ",
    b"\x10", b"\x10n", b"\x10p", b"%", b"::", b"/", b"(", b")", b"(DMZ)", b" -> ", b"->", b" dst ", b'"', b"'", b"[", b"]",
    b"0", b"99999999999", b" hit-cnt 7 ", b"first hit", b"-second interval", b"\xff", b"\xc3\xa9", b" ", b"  ", b"\t",
    b"\r", b"\x00", b"\x0b", b"\x85", b"\xa0", b"<166>", b"1 2026-11-30T05:54:08Z fw - - - - ", b"icmp", b"tcp", b"TCP", b"gre",
    b"ipv6-icmp", b"est-allowed", b"Denied", b"2001:db8::", b"203.0.113.7", b"203.0.113.7.", b"010.1.1.1", b"be:",
]  # fmt: skip
TAGS = [b"%ASA-6-", b"%FTD-session-5-", b"%PIX--4-", b"%ASA-6-106100: %ASA-6-"]


def corpus() -> list[bytes]:
    """Whole lines, their LF left out."""
    lines = [
        form.head + TAGS[n % len(TAGS)] + TEXTS[n % len(TEXTS)] for n, form in enumerate(FORMS)
    ]
    lines += [TAGS[0] + text for text in TEXTS]
    lines += [
        b"<164>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-4-106023 - - -  " + TEXTS[5][8:],
        b"<166>1 2026-11-30T06:11:50+00:00 192.0.2.7 %ASA-6-106100 - - - " + TEXTS[0][8:],
        b"<164>Nov 30 06:11:50 fw1 : message repeated 3 times: [ %ASA-4-" + TEXTS[5] + b"]",
    ]
    for file in (OTHERS / "asa-lines.jsonl", OTHERS / "firewall-lines.jsonl"):
        if file.exists():
            rows = [json.loads(row)["raw"].encode() for row in file.read_text("utf-8").splitlines()]
            lines += [row for row in rows if is_policy_line(row)]
    return lines


def mutants(lines: Sequence[bytes], chance: random.Random) -> Iterator[bytes]:
    """Without end: one of *lines* with one to four accidents."""
    while True:
        line = chance.choice(lines)
        for _ in range(chance.randint(1, 4)):
            line = _accident(line, lines, chance)
        yield line.replace(b"\n", b" ")


def _accident(line: bytes, lines: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randint(0, len(line))
    to = min(len(line), at + chance.choice((1, 1, 1, 2, 5, 20)))
    match chance.randrange(7):
        case 0:
            return line[:at] + line[to:]
        case 1:
            return line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]
        case 2 | 3:
            return line[:at] + chance.choice(PIECES) + line[at:]
        case 4:
            return line[:at] + chance.choice(PIECES) + line[to:]
        case 5:
            return line[:to] + line[at:]
        case _:
            other = chance.choice(lines)
            return line[:at] + other[chance.randint(0, len(other)) :]


def told(line: bytes) -> PolicyEvent | None:
    """What the parser of single lines tells."""
    event = parse(unescape(line)) if is_policy_line(line) else None
    return None if event is None else of_event(event)


def disagreement(messages: Sequence[bytes]) -> str | None:
    """Where a block of these, as they lie in a log, is told otherwise than line by line."""
    lines = [escape(message) for message in messages]
    block = b"".join(line + b"\n" for line in lines)
    expected = [told(line) for line in lines if is_policy_line(line)]
    found = [None if row is None else event_of(row) for row in row_of_each(policy_lines(block))]
    if found != expected:
        return f"{block!r}\nblock: {found}\nlines: {expected}"
    together = [event_of(row) for row in policy_rows(block)]
    if together != [one for one in expected if one is not None]:
        return f"{block!r}\nblock: {together}\nlines: {expected}"
    return None
