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
from tscm.policy.json_walk import Fields, JsonDamaged, JsonWalk, NotText

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
    assert list(walk.texts()) == [NotText("7"), NotText("1.5"), NotText("9" * 200), "x"]


RECORD = st.fixed_dictionaries(
    {},
    optional={
        "ip": st.text(max_size=5),
        "a": st.sampled_from(["x", "y", 7, 10**30, True, None, ["x"]]),
        "b": st.fixed_dictionaries({}, optional={"c": st.sampled_from(["x", "y"])}),
        "rest": VALUES,
    },
)


@settings(deadline=None, max_examples=300)
@given(st.lists(RECORD, max_size=5), st.sampled_from([2, 5, 20, 1 << 16]))
def test_records_that_are_not_wanted_are_passed_over_whatever_their_size(
    records: list[dict[str, Any]], small: int
) -> None:
    asked: list[tuple[str | None, str | None]] = []

    def wanted(fields: Fields, _: str) -> bool:
        asked.append((fields("a"), fields("b.c")))
        return fields("a") == "x"

    content = json.dumps({"a": "x", "data": records}).encode()
    with patch.object(json_walk, "SMALL", small):
        walk = JsonWalk(content, ("data", "*", "ip"), lambda _: None, wanted)
        found = [one for one in walk.texts() if isinstance(one, str)]
    plain = {"x": "x", "y": "y", 7: "7", 10**30: str(10**30), True: "true"}
    fields = [one.get("a") for one in records]
    kept = [None if isinstance(one, list) else plain.get(one) for one in fields]
    right = [one["ip"] for one in records if one.get("a") == "x" and "ip" in one]
    assert found == right or small < 1 << 16  # a text that is too long to be read is none
    assert len(found) <= len(right)
    if small == 1 << 16:
        assert asked == [
            (a, one.get("b", {}).get("c")) for a, one in zip(kept, records, strict=True)
        ]


def test_a_record_of_any_size_has_its_fields() -> None:
    many = [f"20.0.{number // 250}.{number % 250}" for number in range(10_000)]
    records = [
        {"name": "no", "properties": {"region": "west", "addresses": many}},
        {"properties": {"addresses": many, "region": "east"}, "name": "yes"},
    ]
    content = json.dumps({"values": records}).encode()
    steps = ("values", "*", "properties", "addresses")
    for column, value in (("name", "yes"), ("properties.region", "east")):
        asked: list[str | None] = []

        def wanted(
            fields: Fields, _: str, column: str = column, value: str = value, asked: Any = asked
        ) -> bool:
            asked.append(fields(column))
            return fields(column) == value

        walk = JsonWalk(content, steps, lambda _: None, wanted)
        assert list(walk.texts()) == many
        assert len(asked) == 2
        assert asked[1] == value
