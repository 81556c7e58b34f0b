"""
The compiled search for tags against the regular expression.
"""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tscm.syslog.asa_tag import tag_of
from tscm.syslog.tagged import Search, compiled_search, plain_search

NUMBERS = ["106023", "106100", "106101", "199001"]
TAG = tag_of("|".join(NUMBERS).encode())


@pytest.fixture(scope="module")
def search() -> Search:
    try:
        return compiled_search(NUMBERS)
    except ImportError:
        pytest.skip("the helper was not built here")


PIECES = st.sampled_from(
    [b"%", b"ASA", b"FTD", b"PIX", b"FWSM", b"-", b"--", b"6", b"8", b"106100", b"106023", b"199001", b"106102",
     b"1061001", b"session", b"A_b-c", b"9", b" ", b"\n", b"\n", b"x" * 40, b"%ASA-6-106100: deny",
     b"%FTD-session-4-106023", b"%ASA-6-302013: Built", b"\0", b"\xff", b"a" * 31 + b"-"]
)  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, max_size=60).map(b"".join))
@example(b"%ASA-6-106100")
@example(b"%ASA-6-10610")
@example(b"x\n\n%FWSM--a-0-199001\n")
@example(b"%" * 200)
@example(b"%ASA-" + b"a" * 31 + b"-6-106100\n")
def test_no_line_with_a_tag_is_passed_over(search: Search, block: bytes) -> None:
    found = search(block)
    exact = plain_search(NUMBERS)(block)
    assert set(exact) <= set(found)
    assert [span for span in found if TAG.search(block, *span)] == exact
    assert found == sorted(set(found))
    for start, end in found:
        assert start == 0 or block[start - 1 : start] == b"\n"
        assert end == len(block) or block[end - 1 : end] == b"\n"
        assert b"\n" not in block[start : end - 1]


def test_more_lines_than_fit_the_table_at_once_are_found(search: Search) -> None:
    line = b"<166>fw : %ASA-4-106023: Deny tcp\n"
    block = (line + b"other %\n") * 10_000 + line
    found = search(block)
    assert [block[start:end] for start, end in found] == [line] * 10_001


def test_ordinary_lines_give_nothing(search: Search) -> None:
    block = b"<166>fw : %ASA-6-302013: Built outbound TCP connection 106100 (100 %)\n" * 100
    assert search(block) == []
    assert not re.search(TAG, block)
