"""
One block into tallies, as far as the lines by themselves decide.
"""

import pytest

from tscm.events import blocks
from tscm.events.blocks import tally_block
from tscm.events.first_hits import FirstHits
from tscm.events.judge import Force
from tscm.events.rollups import EventPosition
from tscm.model import Block, Origin
from tscm.policy.entries import Entries
from tscm.syslog.upheavals import UPHEAVALS


@pytest.mark.parametrize(
    ("tag", "low"),
    [
        (b"%ASA-1-106101", 1),
        (b"%FTD-session-1-106101", 1),
        (b"%FTD--1-106101", 1),
        (b"%ASA-1-1061011", 0),
        (b"%ASA---1-106101", 0),
    ],
)
def test_counts_are_low_in_every_form_of_the_tag(tag: bytes, low: int) -> None:
    data = b"<161>" + tag + b": Number of cached deny-flows for ACL log has reached limit (4096).\n"
    block = Block(device="fw", start=0, end=len(data), data=data, lines=1, escaped=False)
    _, moved, _ = tally_block(block, [], [], EventPosition(), first_hits=FirstHits())
    assert moved.low == low


def block_of(*lines: bytes) -> Block:
    data = b"".join(line + b"\n" for line in lines)
    return Block(
        device="fw", start=1000, end=1000 + len(data), data=data, lines=len(lines), escaped=False
    )


def heard(block: Block, *origins: Origin) -> dict[str, float]:
    return tally_block(block, origins, [], EventPosition(), first_hits=FirstHits())[2]


@pytest.mark.parametrize("number", sorted(UPHEAVALS))
def test_upheavals_of_the_firewall_are_heard_in_every_form_of_the_line(number: str) -> None:
    tag = f"%ASA-6-{number}: the firewall says something of itself".encode()
    for head in (b"<166>", b"<166>Nov 23 2026 10:00:00 fw1 : ", b"<166>1 - fw1 - - - - ", b""):
        assert heard(block_of(b"<166>%ASA-6-302013: Built", head + tag)) == {number: 0.0}


def test_the_latest_time_of_receipt_counts() -> None:
    line = b"<166>%ASA-6-199002: Startup completed.  Beginning operation."
    block = block_of(line, line, line)
    size = len(line) + 1
    origins = [
        Origin(start=1000 + size * n, end=1000 + size * (n + 1), received_at=5000.0 + 100 * n)
        for n in range(3)
    ]
    assert heard(block, *origins) == {"199002": 5200.0}


def test_a_line_that_quotes_the_tag_is_no_upheaval() -> None:
    assert not heard(
        block_of(
            b"<165>%ASA-5-111008: User 'admin' executed the '%ASA-6-199002: Startup' command.",
            b"<166>%ASA-6-1990020: Startup completed.",
            b"<166>%ASA-6-199003: Reducing link MTU",
        )
    )


def test_a_flood_of_upheavals_costs_a_bounded_number_of_parsed_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(blocks, "parse", parsed.append)
    assert not heard(block_of(*[b"<166>%ASA-6-199002: Startup completed."] * 5000))
    assert len(parsed) <= 200


PALO_ALTO = (
    b"<14>Sep 14 06:14:07 p 1,2026/09/14 06:14:07,0,TRAFFIC,drop,2562,2026/09/14 06:14:07,%s,192.0.2.25,"
    b"0.0.0.0,0.0.0.0,Block,,,x,vsys1,u,d,e1,,F,2026/09/14 06:14:07,0,1,51022,443,0,0,0x0,tcp,deny"
)


def test_lines_of_another_firewall_are_counted_by_its_own_form() -> None:
    force = Force.of(
        1, 0.0, ("block", Entries.of(["203.0.113.0/24"])), ("allow", Entries.of(["198.51.100.1"]))
    )
    block = block_of(
        PALO_ALTO % b"203.0.113.77",
        PALO_ALTO % b"198.51.100.9",
        b"<166>%ASA-6-106100: access-list g denied tcp o/203.0.113.9(4) -> i/10.0.0.1(443) hit-cnt 1 first hit [0x1, 0x0]",
        b"<14>Sep 14 06:14:07 p 1,2026/09/14 06:14:07,0,SYSTEM,general,0",
    )
    origins = [Origin(start=block.start, end=block.end, received_at=7200.0)]
    tallies, moved, upheavals = tally_block(
        block, origins, [force], EventPosition(), first_hits=FirstHits(), form="panos"
    )
    assert (moved.sent, moved.others, moved.not_selected, moved.offset) == (1, 1, 3, block.end)
    assert upheavals == {}
    ((hour, tally),) = tallies.items()
    assert hour == 2
    assert len(tally.sums) == 1
    as_asa = tally_block(block, origins, [force], EventPosition(), first_hits=FirstHits())[1]
    assert (as_asa.sent, as_asa.others) == (1, 0)


FTD = (
    b"<113>2026-09-14T06:14:07Z ftd : %%FTD-1-%s: EventPriority: Low, InstanceID: 3, FirstPacketSecond: "
    b"2026-09-14T06:14:06Z, ConnectionID: %d, AccessControlRuleAction: Allow, SrcIP: %s, DstIP: 192.0.2.25, "
    b"SrcPort: 51022, DstPort: 443, Protocol: tcp, AccessControlRuleName: Web%s"
)
SFIMS = (
    b"<113>Sep 14 06:14:07 fmc SFIMS: Protocol: TCP, SrcIP: %s, OriginalClientIP: ::, DstIP: 192.0.2.25, "
    b"SrcPort: 510%d, DstPort: 443, ConnectType: %s, AccessControlRuleName: Web, AccessControlRuleAction: Allow"
)
PAN = (
    b"<14>Sep 14 06:14:07 p 1,2026/09/14 06:14:07,0,TRAFFIC,%s,2562,2026/09/14 06:14:07,%s,192.0.2.25,0.0.0.0,0.0.0.0,"
    b"Web,,,x,vsys1,u,d,e1,e2,F,2026/09/14 06:14:07,%d,1,51022,443,0,0,0x0,tcp,allow,1,1,1,1,2026/09/14 06:14:07,%s,any"
)
FORTI = (
    b'<189>date=2026-09-14 time=06:14:07 devname="f" logid="0000000013" type="traffic" subtype="forward" srcip=%s '
    b'srcport=51022 dstip=192.0.2.25 dstport=443 sessionid=%d proto=6 action="%s" policyname="Web"%s'
)


def begin_and_end(form: str, source: bytes, number: int) -> tuple[bytes, bytes]:
    match form:
        case "ftd":
            after = b", ConnectionDuration: 20"
            return (
                FTD % (b"430002", number, source, b""),
                FTD % (b"430003", number, source, after),
            )
        case "sfims":
            return SFIMS % (source, number, b"Start"), SFIMS % (source, number, b"End")
        case "panos":
            return PAN % (b"start", source, number, b"0"), PAN % (b"end", source, number, b"20")
        case _:
            begin = FORTI % (source, number, b"start", b"")
            return begin, FORTI % (source, number, b"close", b" duration=20")


FORMS = {"ftd": "firepower", "sfims": "firepower", "panos": "panos", "fortinet": "fortinet"}


def counted(form: str, *blocks_at: tuple[float, tuple[bytes, ...]]) -> tuple[int, int, int]:
    """Lines and hits of the allow list in blocks that came one after the other, over a restart between each; and how many of these left something to remember."""
    force = Force.of(1, 0.0, ("block", Entries()), ("allow", Entries.of(["203.0.113.0/24"])))
    journals: list[tuple[bytes, bytes]] = []
    lines = hits = 0
    for at, given in blocks_at:
        block, first_hits = block_of(*given), FirstHits.of(journals)
        origins = [Origin(start=block.start, end=block.end, received_at=at)]
        tallies, _, _ = tally_block(
            block, origins, [force], EventPosition(), first_hits=first_hits, form=FORMS[form]
        )
        for tally in tallies.values():
            for _, total in tally:
                lines, hits = lines + total.lines, hits + total.hits
        journal = first_hits.take_journal()
        if journal is not None:
            journals.append((journal.flows, journal.times))
    return lines, hits, len(journals)


@pytest.mark.parametrize("form", FORMS)
def test_a_connection_of_which_begin_and_end_are_told_counts_once(form: str) -> None:
    source = b"203.0.113.77"
    one, two = begin_and_end(form, source, 11), begin_and_end(form, source, 12)
    assert counted(form, (7200.0, (one[0], two[0])), (7220.0, (one[1], two[1])))[:2] == (4, 2)
    assert counted(form, (7200.0, one))[:2] == (2, 1)
    assert counted(form, (7200.0, (one[0],)))[:2] == (1, 1)  # its begin alone
    assert counted(form, (7200.0, (one[1], two[1])))[:2] == (2, 2)  # ends alone, as most are logged
    later = counted(form, (7200.0, (one[0],)), (7200.0 + 86_400, (one[1],)))
    assert later[:2] == (2, 2)  # another connection under the same number


def test_connections_that_no_list_is_about_are_not_remembered() -> None:
    begins = tuple(begin_and_end("ftd", b"198.51.100.9", n)[0] for n in range(50))
    assert counted("ftd", (7200.0, begins)) == (0, 0, 0)
    assert counted("ftd", (7200.0, begin_and_end("ftd", b"203.0.113.9", 1)[:1])) == (1, 1, 1)


def test_what_was_denied_is_told_once_and_counts_once_each() -> None:
    denied = (FTD % (b"430002", 1, b"203.0.113.77", b"")).replace(
        b"Action: Allow", b"Action: Block"
    )
    force = Force.of(1, 0.0, ("block", Entries.of(["203.0.113.0/24"])), ("allow", Entries()))
    block = block_of(denied, denied.replace(b"ID: 1,", b"ID: 2,"))
    origins = [Origin(start=block.start, end=block.end, received_at=7200.0)]
    tallies, _, _ = tally_block(
        block, origins, [force], EventPosition(), first_hits=FirstHits(), form="firepower"
    )
    ((_, tally),) = tallies.items()
    assert [total.hits for _, total in tally] == [2]
