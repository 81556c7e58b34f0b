from hypothesis import given
from hypothesis import strategies as st

from tscm.sinks.outcome import Failed, Outcome, Refused, Taken
from tscm.sinks.pace import MOST_LINES, Next, Pace


def run(poison: set[int], total: int, *, most_steps: int) -> tuple[list[int], list[int], bool]:
    """A sink that refuses each batch with a line of *poison*: what it got, what was passed, whether all is done."""

    def answer(batch: range) -> Outcome:
        return Refused("400") if poison & set(batch) else Taken()

    pace, at = Pace(), 0
    got: list[int] = []
    passed: list[int] = []
    for _ in range(most_steps):
        if at == total:
            return got, passed, True
        batch = range(at, min(total, at + pace.limit))
        outcome = answer(batch)
        pace, what = pace.after(outcome, len(batch), newer=batch[-1] != total - 1)
        if what is Next.PROBE:
            outcome = answer(range(total - 1, total))
            pace, what = pace.after(outcome, 1, newer=False)
        if what is Next.CONFIRM:
            got += batch
            at = batch[-1] + 1
        elif what is Next.REJECT:
            passed += batch
            at = batch[-1] + 1
        elif what is Next.REST:
            return got, passed, False
        else:
            assert what is Next.AGAIN
            assert pace.limit < len(batch)
    raise AssertionError("no end")


@given(st.sets(st.integers(0, 299), max_size=20), st.integers(1, 300))
def test_what_a_sink_refuses_is_passed_and_nothing_else(poison: set[int], total: int) -> None:
    poison = {one for one in poison if one < total - 1}  # the newest line is good
    got, passed, done = run(poison, total, most_steps=5000)
    assert done
    assert passed == sorted(poison)
    assert got == [one for one in range(total) if one not in poison]


@given(st.integers(1, 300))
def test_a_sink_that_refuses_everything_is_left_alone_and_nothing_is_passed(total: int) -> None:
    got, passed, done = run(set(range(total)), total, most_steps=100)
    assert not done
    assert not got
    assert not passed


def test_a_sink_that_fails_is_left_alone_with_the_same_batch() -> None:
    pace, what = Pace(limit=40).after(Failed("away"), 40, newer=True)
    assert (pace.limit, what) == (40, Next.REST)
    pace, what = Pace(limit=1, probing=True).after(Failed("away"), 1, newer=True)
    assert (pace.probing, what) == (False, Next.REST)


def test_batches_grow_again() -> None:
    pace = Pace(limit=1)
    for _ in range(20):
        pace, what = pace.after(Taken(), pace.limit, newer=True)
        assert what is Next.CONFIRM
    assert pace.limit == MOST_LINES
