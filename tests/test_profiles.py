"""
What is drawn is the same in every run: only `make fuzz` leaves anything to chance.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list[int]:
    """What one run of a property sees."""
    seen: list[int] = []

    @given(st.integers())
    @settings(max_examples=50)
    def draw(number: int) -> None:
        seen.append(number)

    draw()
    return seen


def test_examples_are_fixed_in_an_ordinary_run() -> None:
    if settings.get_current_profile_name() == "explore":
        pytest.skip("random exploration has no fixed examples")
    first = drawn()
    assert len(first) == 50
    assert first == drawn()
    assert settings().deadline is None
    assert settings().database is None
