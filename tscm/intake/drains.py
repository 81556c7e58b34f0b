"""
Which way of emptying a UDP socket is taken: the best that works here, or the one that is named.
"""

from collections.abc import Callable

from tscm.intake.batch import Drain, PlainDrain


def open_drain(wanted: str, max_message: int) -> Drain:
    """
    The way of this name; for `auto` the best that works here.

    Raises `ImportError` or `OSError` where a way that was named cannot work.
    """
    ways: dict[str, Callable[[int], Drain]] = {
        "compiled": _compiled,
        "numpy": _numpy,
        "plain": PlainDrain,
    }
    if wanted != "auto":
        return ways[wanted](max_message)
    for way in (_compiled, _numpy):
        try:
            return way(max_message)
        except (ImportError, OSError):
            continue
    return PlainDrain(max_message)


def _compiled(max_message: int) -> Drain:
    from tscm.intake.batch_compiled import CompiledDrain

    return CompiledDrain(max_message)


def _numpy(max_message: int) -> Drain:
    from tscm.intake.batch_numpy import NumpyDrain

    return NumpyDrain(max_message)
