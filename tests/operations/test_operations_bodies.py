"""
A body of megabytes is one text, never as many values; those are refused before one is made.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.operations.bodies import MOST_VALUES, RequestFaulty, read_body

SIZE = 8 << 20
TEXTS = st.text('ab"\\,[]{}:\n/é', max_size=12)
SCALARS = TEXTS | st.none() | st.booleans() | st.integers(0, 10**6)
OBJECTS = st.dictionaries(
    TEXTS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30
    ),
    max_size=8,
)


@given(OBJECTS, st.booleans())
def test_what_is_not_too_much_is_read(value: dict[str, Any], escaped: bool) -> None:
    assert read_body(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize("kind", ["items", "members", "containers"])
def test_as_many_as_are_allowed_are_read(kind: str) -> None:
    text = 'a "comment", [of] {a \\ list}'
    body: dict[str, Any] = {"items": [text] * (MOST_VALUES - 1)}
    if kind == "members":
        body = {f"{text}{number}": text for number in range(MOST_VALUES)}
    if kind == "containers":
        body = {"items": [[] for _ in range(MOST_VALUES - 1)]}
    assert read_body(json.dumps(body).encode()) == body


def test_one_long_text_is_read() -> None:
    text = '10.0.0.0/8 # "ours", [all] of {them}\n' * (SIZE // 50)
    assert read_body(json.dumps({"text": text}).encode()) == {"text": text}


@pytest.mark.parametrize("part", [b"[],", b"0,", b'"",', b"{},", b'"a",', rb'"\\",', rb'"\"",'])
def test_many_values_are_refused_before_one_is_made(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: object, **__: object) -> None:
        raise AssertionError("a value is made")

    monkeypatch.setattr(json, "loads", made)
    with pytest.raises(RequestFaulty, match="more than 2,000 values"):
        read_body(b'{"a": [' + part * (SIZE // len(part)) + b"0]}")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400 + ".0"])
def test_a_number_beyond_all_bounds_is_refused(number: str) -> None:
    with pytest.raises(RequestFaulty, match="too large a number"):
        read_body(f'{{"until": {number}}}'.encode())
