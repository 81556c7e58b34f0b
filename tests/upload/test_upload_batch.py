"""
Blocks cut by time of receipt, and batches cut in two.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.model import Block, Origin
from tscm.upload.batch import PIECE_SECONDS, Part, halves, pick, pieces


def block(start: int, *lines: bytes) -> Block:
    data = b"".join(lines)
    return Block(
        device="fw", start=start, end=start + len(data), data=data, lines=len(lines), escaped=False
    )


RUNS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([0.0, 1000.0, 1001.0, 1059.0, 1061.0, 5000.0])),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(RUNS)
def test_pieces_cover_the_block_and_tell_the_time(runs: list[tuple[int, float]]) -> None:
    lines = [b"%d\n" % (n % 10) for count, _ in runs for n in range(count)]
    whole, origins, offset = block(100, *lines), [], 100
    for count, at in runs:
        origins.append(Origin(start=offset, end=offset + 2 * count, received_at=at))
        offset += 2 * count
    cut = pieces(whole, origins)
    assert [cut[0][0], *(end for _, end, _ in cut)] == [*(start for start, _, _ in cut), whole.end]
    told = {n: at for start, end, at in cut for n in range(start, end)}
    for one in origins:
        for n in range(one.start, one.end):
            assert not one.received_at or abs(told[n] - one.received_at) < PIECE_SECONDS


def test_each_piece_is_judged_at_its_time() -> None:
    asked: list[tuple[bytes, float]] = []

    def select(data: bytes, at: float) -> tuple[bytes, int]:
        asked.append((data, at))
        return (data, data.count(b"\n")) if at == 5000.0 else (b"", 0)

    whole = block(100, b"a\n", b"b\n", b"c\n")
    cut = pieces(
        whole,
        [
            Origin(start=100, end=102, received_at=1000.0),
            Origin(start=102, end=106, received_at=5000.0),
        ],
    )
    found = pick(whole, cut, select)
    assert asked == [(b"a\n", 1000.0), (b"b\nc\n", 5000.0)]
    assert (found.selected, found.lines, found.others) == (b"b\nc\n", 2, 1)


def test_a_batch_is_halved_behind_a_line_that_its_time_takes() -> None:
    def select(data: bytes, at: float) -> tuple[bytes, int]:
        return (data, data.count(b"\n")) if at > 0 else (b"", 0)

    whole = block(0, *[b"1234567\n"] * 8)
    cut = [(0, 32, 0.0), (32, 64, 9.0)]
    two = halves([(whole, cut)], select, Part(key="k", start=0, end=64))
    assert two is not None
    assert (two[0].end, two[1].start) == (48, 48)
    single = halves(
        [(whole, [(0, 56, 0.0), (56, 64, 9.0)])], select, Part(key="k", start=0, end=64)
    )
    assert single is None
