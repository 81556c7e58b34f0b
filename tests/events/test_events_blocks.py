"""
One block into tallies, as far as the lines by themselves decide.
"""

import pytest

from tscm.events.blocks import tally_block
from tscm.events.first_hits import FirstHits
from tscm.events.rollups import EventPosition
from tscm.model import Block


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
    _, moved = tally_block(block, [], [], EventPosition(), first_hits=FirstHits())
    assert moved.low == low
