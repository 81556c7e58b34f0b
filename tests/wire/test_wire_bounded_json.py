"""
JSON of strangers is counted before a value is made, in time that the loop can spare.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.pairing.messages import BODY_BYTES, MessageFaulty, decode
from tscm.sinks import http
from tscm.wire.bounded_json import marks_within, read_json

MOST = 1000
SIZE = 4 << 20
TEXTS = st.text('ab"\\,[]{}:\n/é', max_size=12)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(0, 10**20) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=40,
)


def values_in(value: Any) -> int:
    """Names of members do not count."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_in, inner))


@given(VALUES)
def test_what_has_few_values_is_read(value: Any) -> None:
    raw = json.dumps(value).encode()
    assert read_json(raw, 2 * values_in(value)) == value


@given(VALUES)
def test_each_value_but_the_outermost_has_a_mark(value: Any) -> None:
    most = values_in(value) - 2
    assert most < 0 or not marks_within(json.dumps(value).encode(), most)


def never(*_: object, **__: object) -> None:
    raise AssertionError("a value is made")


@pytest.mark.parametrize("part", [b"[],", b"0,", b'"",', b"{},", b'"a",', rb'"\\",', rb'"\"",'])
def test_many_values_are_refused_before_one_is_made(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "loads", never)
    raw = b'{"a": [' + part * (SIZE // len(part)) + b"0]}"
    with pytest.raises(ValueError, match="more than 1,000 values"):
        read_json(raw, MOST)
    assert http._json(raw, MOST) is None
    with pytest.raises(MessageFaulty, match="more than 100,000 values"):
        decode(raw)


def test_a_stranger_at_the_pairing_listener_cannot_send_so_many() -> None:
    """What its bound for bodies leaves is read at once."""
    assert decode(b'{"a":[' + b"[]," * (BODY_BYTES // 3 - 10) + b"1]}")["a"][-1] == 1


@pytest.mark.parametrize("raw", [b"9" * 31, b"[" + b"9" * 4000 + b"]", b"[" * 900_000, b"[1", b""])
def test_endless_numbers_and_deep_nests_are_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"values|digits|nested|Expecting"):
        read_json(raw, 1_000_000)
