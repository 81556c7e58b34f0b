from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_log import MemoryLog
from tscm.forward.window import Piece, Window


def window_of(*sizes: int, keep_bytes: int = 1000, keep_seconds: float = 30) -> Window:
    window = Window(keep_bytes, keep_seconds)
    at = 0
    for size in sizes:
        window.wrote(Piece(at, at + size, 1, at + size))
        at += size
    return window


def test_a_piece_is_passed_only_when_its_last_byte_has_left() -> None:
    window = window_of(100, 100)
    assert window.acknowledge(99, 0) is None
    passed = window.acknowledge(199, 0)
    assert passed is not None
    assert (passed.offset, passed.lines) == (100, 1)
    assert not window.idle


def test_a_clean_end_goes_on_at_the_confirmed_position() -> None:
    window = window_of(100, 100)
    window.acknowledge(100, 0)
    assert window.resume_at(100, reset=False) == 100


def test_a_reset_sends_again_what_was_acknowledged_lately() -> None:
    window = window_of(400, 400, 400, 400)
    window.acknowledge(1600, 0)
    assert window.resume_at(1600, reset=True) == 800


def test_what_was_acknowledged_long_ago_does_not_go_again() -> None:
    window = window_of(100, 100)
    window.acknowledge(100, 0)
    window.acknowledge(200, 31)
    assert window.resume_at(200, reset=True) == 100


def test_time_alone_takes_nothing_out_of_the_window() -> None:
    window = window_of(100, 100)
    window.acknowledge(100, 0)
    window.acknowledge(150, 1000)
    assert window.resume_at(100, reset=True) == 0


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=30),
    st.lists(st.integers(0, 500), max_size=30),
    st.integers(0, 2000),
)
def test_no_line_is_skipped_whatever_is_acknowledged(
    sizes: list[int], steps: list[int], keep: int
) -> None:
    window = window_of(*sizes, keep_bytes=keep)
    confirmed = lines = position = 0
    for now, step in enumerate(steps):
        position = min(position + step, sum(sizes))
        passed = window.acknowledge(position, now)
        if passed is not None:
            assert confirmed < passed.offset <= position
            confirmed = passed.offset
            lines += passed.lines
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    assert confirmed == max([end for end in ends if end <= position], default=0)
    assert lines == sum(end <= confirmed for end in ends)
    assert window.resume_at(confirmed, reset=False) == confirmed
    again = window.resume_at(confirmed, reset=True)
    assert confirmed - max(keep, 0) <= again <= confirmed


def test_the_memory_log_holds_readers_to_their_counts() -> None:
    log = MemoryLog()
    log.append(b"one\n", b"two\n")
    block = log.read(0, 5)
    assert block is not None
    assert block.data == b"one\n"
    log.confirm(4, sent=1)
    try:
        log.confirm(8, sent=2)
    except AssertionError:
        return
    raise RuntimeError("two lines were counted where one was passed")
