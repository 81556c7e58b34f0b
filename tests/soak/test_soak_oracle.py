"""
The oracle itself: it must find what it is there to find.
"""

from attrs import evolve

from tests.soak.oracle import Evidence, judge

LINES = [b"line %d" % n for n in range(100, 110)]
GOOD = Evidence(
    issued=frozenset(LINES),
    stored=tuple(LINES[:8]),
    forwarded=tuple(LINES[:8]),
    uploaded=tuple(LINES[:2]),
    policy=frozenset(LINES[:2]),
)


def test_what_fits_has_no_fault() -> None:
    assert judge(GOOD).faults == ()
    repeated = evolve(GOOD, forwarded=(*LINES[:8], *LINES[3:8]))
    assert judge(repeated).faults == ()
    assert judge(repeated).figures["repeated on the way"] == 5


def test_every_kind_of_loss_and_invention_is_found() -> None:
    for changed, words in (
        (evolve(GOOD, forwarded=tuple(LINES[:7])), "never reached"),
        (evolve(GOOD, forwarded=(*LINES[:8], b"other")), "never issued"),
        (evolve(GOOD, forwarded=(*LINES[:8], b"lin")), "cut lines"),
        (evolve(GOOD, stored=(*LINES[:8], b"strange")), "never issued"),
        (evolve(GOOD, stored=(*LINES[:8], LINES[0])), "more than once"),
        (evolve(GOOD, uploaded=tuple(LINES[:1])), "were not uploaded"),
        (evolve(GOOD, uploaded=(*LINES[:2], LINES[0])), "should not be"),
        (evolve(GOOD, uploaded=(*LINES[:2], LINES[5])), "should not be"),
    ):
        assert any(words in fault for fault in judge(changed).faults), words


def test_one_cut_line_for_each_broken_connection_is_allowed() -> None:
    cut = evolve(GOOD, forwarded=(*LINES[:8], b"line 10"), broken_out=1)
    assert judge(cut).faults == ()
