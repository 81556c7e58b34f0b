"""
One block into tallies, as far as the lines by themselves decide.
"""

import pytest

from tscm.events import blocks
from tscm.events.blocks import tally_block
from tscm.events.first_hits import FirstHits
from tscm.events.rollups import EventPosition
from tscm.model import Block, Origin
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
