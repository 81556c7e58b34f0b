"""
The balance, from figures made by hand and by hypothesis.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.intake.figures import IntakeCounts, ListenerFigures
from tscm.ledger.balance import balance
from tscm.spool.figures import LogFigures, ReaderFigures

COUNT = st.integers(0, 10**9)


def log(stored: int, **readers: tuple[int, int, int, int]) -> LogFigures:
    return LogFigures(
        stored_lines=stored,
        readers={
            name: ReaderFigures(
                sent=sent, not_selected=not_selected, expired=expired, waiting_lines=waiting
            )
            for name, (sent, not_selected, expired, waiting) in readers.items()
        },
    )


def udp(received: int, stored: int, **dropped: int) -> IntakeCounts:
    one = ListenerFigures(received=received, stored=stored, dropped=dropped)
    return IntakeCounts(listeners={"udp": one})


@settings(deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_figures_that_add_up_balance(a: int, b: int, c: int, d: int, x: int) -> None:
    intake = udp(a + b + c, a, unknown=b, full=c)
    devices = {"fw": log(a + b + c + d, forward=(a, b, c, d), upload=(0, x, 0, a + b + c + d - x))}
    found = balance(intake, devices)
    assert found.balanced
    assert found.received == (found.stored_since_start or 0) + (found.dropped or 0)
    assert found.devices["fw"].readers["forward"].difference == 0


@settings(deadline=None)
@given(COUNT, st.integers(-100, 100).filter(bool))
def test_one_line_too_many_or_too_few_is_an_alarm(a: int, off: int) -> None:
    good = udp(a, a)
    assert not balance(good, {"fw": log(a, forward=(a + off, 0, 0, 0))}).balanced
    assert not balance(udp(a, a + off), {}).balanced


def test_one_device_is_judged_by_itself() -> None:
    devices = {"good": log(3, forward=(1, 1, 0, 1)), "bad": log(3, forward=(1, 0, 0, 1))}
    found = balance(udp(9, 1), devices, "good")
    assert found.balanced
    assert list(found.devices) == ["good"]
    assert not balance(IntakeCounts(), devices, "bad").balanced
