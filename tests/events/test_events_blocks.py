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
    assert (moved.sent, moved.others, moved.skipped, moved.offset) == (1, 1, 3, block.end)
    assert upheavals == {}
    ((hour, tally),) = tallies.items()
    assert hour == 2
    assert len(tally.sums) == 1
    as_asa = tally_block(block, origins, [force], EventPosition(), first_hits=FirstHits())[1]
    assert (as_asa.sent, as_asa.others) == (1, 0)
