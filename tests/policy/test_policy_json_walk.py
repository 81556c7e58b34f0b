"""
The walk over a large JSON finds what a reader of the whole finds.
"""

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.policy import json_walk
from tscm.policy.json_walk import JsonDamaged, JsonWalk, NotText

KEYS = st.sampled_from(["a", "b", "é", 'q"', "\\"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=5) | st.just("20.0.0.1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)
STEPS = st.lists(KEYS | st.sampled_from(["*", "0", "1"]), max_size=3)


def whole(value: Any, steps: list[str]) -> list[Any]:
    """What lies there, by the plain way."""
    if not steps:
        return value if isinstance(value, list) else [value]
    step, rest = steps[0], steps[1:]
    inner: list[Any] = []
    if step == "*":
        inner = list(value.values()) if isinstance(value, dict) else value
        inner = inner if isinstance(inner, list) else []
    elif isinstance(value, dict):
        inner = [value[step]] if step in value else []
    elif isinstance(value, list) and step.isdecimal():
        inner = value[int(step) : int(step) + 1]
    return [found for one in inner for found in whole(one, rest)]


def walked(content: bytes, steps: list[str], small: int) -> list[Any]:
    with patch.object(json_walk, "SMALL", small):
        walk = JsonWalk(content, tuple(steps), lambda _: None)
        return [one if isinstance(one, str) else None for one in walk.texts()]


@settings(deadline=None, max_examples=400)
@given(VALUES, STEPS, st.sampled_from([2, 5, 20, 1 << 16]), st.sampled_from([None, 1]))
def test_it_finds_what_a_reader_of_the_whole_finds(
    value: Any, steps: list[str], small: int, indent: int | None
) -> None:
    content = json.dumps(value, indent=indent, ensure_ascii=indent is None).encode()
    wanted = [one if isinstance(one, str) else None for one in whole(value, steps)]
    found = walked(content, steps, small)
    assert len(found) == len(wanted)
    for one, right in zip(found, wanted, strict=True):
        assert one == right or (one is None and len(json.dumps(right)) > small - 2)


@settings(deadline=None, max_examples=300)
@given(VALUES, st.data(), st.sampled_from([2, 5, 1 << 16]))
def test_half_a_text_is_damaged(value: Any, data: st.DataObject, small: int) -> None:
    content = json.dumps([value]).encode()
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    for steps in ([], ["*"], ["absent"]):
        with pytest.raises(JsonDamaged):
            walked(cut, steps, small)
    with pytest.raises(JsonDamaged):
        walked(content + b"]", [], small)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([bytes([one]) for one in b'{}[]",:1a \\']), max_size=30).map(b"".join)
)
def test_no_text_does_worse_than_be_damaged(content: bytes) -> None:
    for small in (1, 4, 1 << 16):
        for steps in ([], ["*"], ["a"], ["0"]):
            try:
                walked(content, steps, small)
            except JsonDamaged:
                continue


def test_a_key_of_the_path_that_stands_twice_is_damage() -> None:
    with pytest.raises(JsonDamaged, match="'a' twice"):
        walked(b'{"a": ["20.0.0.1"], "b": 1, "a": []}', ["a"], 4)


def test_numbers_are_no_texts_however_long() -> None:
    walk = JsonWalk(b'{"a": [7, 1.5, ' + b"9" * 5000 + b', "x"]}', ("a",), lambda _: None)
    assert list(walk.texts()) == [NotText("7"), NotText("0"), NotText("0"), "x"]
