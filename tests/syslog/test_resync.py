"""
The way back for a stream without line ends, on values alone.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.syslog.resync import MOST_TRIES, Resync

FRAMES = b"8 <1>aaaaa" * 2
LIMIT = 4096


@pytest.mark.parametrize("before", [b"", b"text ", b"99999999", b"7 <1>", b"0", b"1 9 <"])
def test_two_frames_in_a_row_are_found(before: bytes) -> None:
    found = Resync(LIMIT).feed(before + FRAMES, ended=True)
    assert found is not None
    assert found.endswith(FRAMES)


def test_a_frame_may_be_as_long_as_a_message_and_no_longer() -> None:
    assert Resync(8).feed(FRAMES, ended=True) is not None
    assert Resync(7).feed(FRAMES, ended=True) is None


@pytest.mark.parametrize("look", [b"7 <1>", b"12 <1>zz", b"00000002 <1>zz"])
def test_a_line_that_looks_like_many_frames_and_is_none_is_given_up(look: bytes) -> None:
    resync = Resync(LIMIT)
    for _ in range(40):
        assert resync.feed(look * 200, ended=False) is None
    assert resync._tries <= MOST_TRIES + 1
    assert len(resync.held) <= LIMIT + 200 * len(look) + 20


pieces = st.lists(
    st.sampled_from([b"8 <1>", b"aaaaa", b"9", b" ", b"<", b"<1>", b"12 <34>", b"0", b"x" * 7]),
    max_size=40,
)


@settings(deadline=None, max_examples=300)
@given(pieces, st.lists(st.integers(0, 200), max_size=5))
def test_cuts_change_nothing(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    whole = Resync(64).feed(data, ended=True)
    one, found = Resync(64), None
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    start = 0
    for end in ends:
        found = one.feed(data[start:end], ended=end == len(data))
        start = end
        if found is not None:
            break
    assert found is None or whole is not None
    if whole is not None and found is not None:
        assert whole == found + data[start:]
