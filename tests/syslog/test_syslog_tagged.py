"""
The compiled search for tags against the regular expression.
"""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tscm.syslog.asa_tag import tag_of
from tscm.syslog.tagged import SearchEach, compiled_search, plain_search

NUMBERS = ["106023", "106100", "106101", "199001"]
RARE = ["106101", "104001"]
TAG = tag_of("|".join(NUMBERS).encode())


@pytest.fixture(scope="module")
def search() -> SearchEach:
    try:
        return compiled_search(NUMBERS, RARE)
    except ImportError:
        pytest.skip("the helper was not built here")


PIECES = st.sampled_from(
    [b"%", b"ASA", b"FTD", b"PIX", b"FWSM", b"-", b"--", b"6", b"8", b"106100", b"106023", b"199001", b"106102",
     b"1061001", b"session", b"A_b-c", b"9", b" ", b"\n", b"\n", b"x" * 40, b"%ASA-6-106100: deny",
     b"%FTD-session-4-106023", b"%ASA-6-302013: Built", b"\0", b"\xff", b"a" * 31 + b"-", b"104001", b"%ASA-1-104001", b"%ASA-6-106101"]
)  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, max_size=60).map(b"".join))
@example(b"%ASA-6-106100")
@example(b"%ASA-6-10610")
@example(b"x\n\n%FWSM--a-0-199001\n")
@example(b"%" * 200)
@example(b"%ASA-" + b"a" * 31 + b"-6-106100\n")
@example(b"%ASA-" + b"a" * 32 + b"-6-106100\n")
@example(b"%ASA--6-106100\n%ASA---6-106100\n%ASA-8-106100\n%ASA-x6-106100\n%ASA-6-1061001\n")
@example(b"%ASA-6-106101: %ASA-6-106100: %ASA-1-104001\n%ASA-1-104001 %ASA-6-106023")
def test_both_searches_find_the_same_lines(search: SearchEach, block: bytes) -> None:
    assert search(block) == plain_search(NUMBERS, RARE)(block)


def test_more_lines_than_fit_the_table_at_once_are_found(search: SearchEach) -> None:
    line = b"<166>fw : %ASA-4-106023: Deny tcp\n"
    block = (line + b"other %\n") * 10_000 + line
    found, _ = search(block)
    assert [block[start:end] for start, end in found] == [line] * 10_001


def test_ordinary_lines_give_nothing(search: SearchEach) -> None:
    block = b"<166>fw : %ASA-6-302013: Built outbound TCP connection 106100 (100 %)\n" * 100
    assert search(block) == ([], [])
    assert not re.search(TAG, block)
