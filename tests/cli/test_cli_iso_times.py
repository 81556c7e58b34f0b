"""
Times in JSON stand beside their seconds as ISO 8601, and nothing else changes.
"""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.cli.iso_times import ISO, with_iso

NAMES = st.sampled_from(["at", "last_at", "until", "since", "held_until", "format", "that", "x"])
SCALARS = st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def without(value: Any) -> Any:
    if isinstance(value, list):
        return [without(one) for one in value]
    if isinstance(value, dict):
        return {name: without(one) for name, one in value.items() if not name.endswith(ISO)}
    return value


@given(VALUES)
def test_what_is_there_stays(value: Any) -> None:
    found = with_iso(value)
    assert repr(without(found)) == repr(value)
    assert repr(with_iso(found)) == repr(found), "a second time adds nothing"


@given(st.dictionaries(NAMES, SCALARS))
def test_an_added_time_is_that_of_its_seconds(value: dict[str, Any]) -> None:
    for name, told in with_iso(value).items():
        if name.endswith(ISO):
            seconds = value[name.removesuffix(ISO)]
            assert int(datetime.fromisoformat(told).timestamp()) == int(seconds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", 0.0), ("at", None), ("at", True), ("seconds", 1_700_000_000), ("format", 1_700_000_000),
        ("last_offset_at", 1e12), ("at", float("nan")), ("at", "1700000000"),
    ],
)  # fmt: skip
def test_no_time_is_made_of_what_is_none(name: str, value: object) -> None:
    assert with_iso({name: value}).keys() == {name}


def test_lists_and_parts_are_looked_through() -> None:
    found = with_iso({"rows": [{"held": {"until": 1_700_000_000.9}}]})
    assert found == {
        "rows": [{"held": {"until": 1_700_000_000.9, "until_iso": "2023-11-14T22:13:20+00:00"}}]
    }
