from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.spool.catalogue import Segment, decode_segment, encode_segment
from tscm.spool.cursor import (
    CAUSES,
    SLOT_BYTES,
    Cursor,
    decode_cursor,
    encode_cursor,
    slot_of,
)
from tscm.spool.index import RECORD_BYTES, IndexEncoder, Pending, joined, read_index
from tscm.spool.state import Gap, LogState, decode_state, encode_state

whole = st.integers(0, 2**63)
senders = st.none() | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60
)


@st.composite
def runs(draw: st.DrawFn) -> list[Pending]:
    found: list[Pending] = []
    at, now = 0, 1000.0
    for _ in range(draw(st.integers(1, 12))):
        size = draw(st.integers(1, 100_000))
        now += draw(st.sampled_from([0.0, 0.5, 2.0, -3.0]))
        found.append((at, size, draw(st.integers(1, 99)), now, draw(senders), draw(st.booleans())))
        at += size
    return found


@settings(deadline=None, max_examples=200)
@given(runs(), st.integers(0, 12))
def test_the_index_says_what_it_was_told_in_however_many_pieces(
    pending: list[Pending], cut: int
) -> None:
    encoder = IndexEncoder()
    data = encoder.header(5, 7, 1.0) + encoder.runs(pending[:cut]) + encoder.runs(pending[cut:])
    index = read_index(data)
    assert index is not None
    assert (index.start, index.lines_before, index.good_bytes) == (5, 7, len(data))
    told = [
        (run.offset, run.size, run.lines, run.received_at, run.sender, run.escaped)
        for run in index.runs
    ]
    assert told == [*joined(pending[:cut]), *joined(pending[cut:])]
    assert index.lines == sum(run[2] for run in pending)
    assert index.end == sum(run[1] for run in pending)


@settings(deadline=None, max_examples=200)
@given(runs(), st.data())
def test_a_flipped_bit_ends_the_index_and_changes_nothing_before_it(
    pending: list[Pending], data: st.DataObject
) -> None:
    encoder = IndexEncoder()
    raw = bytearray(encoder.header(5, 7, 1.0) + encoder.runs(pending))
    good = read_index(bytes(raw))
    assert good is not None
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    index = read_index(bytes(raw))
    if at < RECORD_BYTES:
        assert index is None
    else:
        assert index is not None
        assert index.good_bytes == at // RECORD_BYTES * RECORD_BYTES
        assert index.runs == good.runs[: len(index.runs)]


def test_runs_are_joined_within_a_second_and_a_bound() -> None:
    def run(at: int, size: int, now: float, sender: str = "a") -> Pending:
        return (at, size, 1, now, sender, False)

    assert joined([run(0, 10, 1.0), run(10, 10, 1.5)]) == [(0, 20, 2, 1.0, "a", False)]
    assert len(joined([run(0, 10, 1.0), run(10, 10, 2.0)])) == 2
    assert len(joined([run(0, 10, 1.0), run(10, 10, 1.0, "b")])) == 2
    assert len(joined([run(0, 60_000, 1.0), run(60_000, 60_000, 1.0)])) == 2


@settings(deadline=None, max_examples=200)
@given(whole, whole, whole, st.tuples(whole, whole, whole, whole), st.data())
def test_a_torn_write_of_a_position_leaves_the_one_before(
    offset: int,
    sent: int,
    not_selected: int,
    expired: tuple[int, int, int, int],
    data: st.DataObject,
) -> None:
    before = Cursor(6, offset, sent, not_selected, expired)
    after = Cursor(7, offset // 2, sent, not_selected, expired)
    file = bytearray(2 * SLOT_BYTES)
    for cursor in (Cursor(5, 1, 1), before):
        slot = encode_cursor(cursor)
        file[slot_of(cursor) : slot_of(cursor) + len(slot)] = slot
    assert decode_cursor(bytes(file)) == (before, 0)
    slot = encode_cursor(after)
    done = data.draw(st.integers(0, len(slot)))
    file[slot_of(after) : slot_of(after) + done] = slot[:done]
    found, _ = decode_cursor(bytes(file))
    assert found in {before, after}
    assert len(CAUSES) == len(expired)


@settings(deadline=None, max_examples=200)
@given(
    st.builds(
        Segment,
        whole,
        whole,
        whole,
        whole,
        st.just(1.5),
        st.just(2.5),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**16),
    )
)
def test_a_record_of_the_list_comes_back(segment: Segment) -> None:
    assert decode_segment(encode_segment(segment)) == segment


def test_the_state_comes_back_or_not_at_all() -> None:
    state = LogState(clean=True, live=5, deleted_lines={"age": 3})
    for number in range(150):
        state = state.with_gap(Gap(offset=number, lines=number, after=1.0, before=2.0))
    assert (len(state.gaps), state.gaps_total) == (100, 150)
    data = encode_state(state)
    assert decode_state(data) == state
    assert decode_state(None) is None
    for at in range(len(data) - 1):
        assert decode_state(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]) is None
