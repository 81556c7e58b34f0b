"""
An answer of the control interface as the bytes of one JSON document, in slices of the reactor's time.

Answers about all devices have thousands of values of one sort: as items, or in one field by name.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tscm.base.schedule import in_slices
from tscm.model import Json
from tscm.wire.keys import key_of
from tscm.wire.writing import as_json

_MANY = 64


def _plain(answer: Any) -> Any:
    """An answer as JSON; one that is JSON already may be large, and is not gone through."""
    return answer if isinstance(answer, dict) else as_json(answer)


async def answer_bytes(clock: Any, answer: Any) -> bytes:
    """The document, `{"result": ...}` without what is around it."""
    if isinstance(answer, tuple | list) and len(answer) > _MANY:
        return b"[" + await _joined(clock, (("", one) for one in answer)) + b"]"
    if not attrs.has(type(answer)):
        return json.dumps(_plain(answer)).encode()
    large = {
        one.name: found
        for one in attrs.fields(type(answer))
        if isinstance(found := getattr(answer, one.name), Mapping) and len(found) > _MANY
    }
    if not large:
        return json.dumps(as_json(answer)).encode()
    rest: Json = as_json(attrs.evolve(answer, **{name: {} for name in large}))
    parts = []
    for one in attrs.fields(type(answer)):
        key = key_of(one)
        if one.name in large:
            rows = ((f"{json.dumps(str(name))}: ", row) for name, row in large[one.name].items())
            value = b"{" + await _joined(clock, rows) + b"}"
        elif key in rest:
            value = json.dumps(rest[key]).encode()
        else:  # left out where it is None
            continue
        parts.append(json.dumps(key).encode() + b": " + value)
    return b"{" + b", ".join(parts) + b"}"


async def _joined(clock: Any, rows: Iterable[tuple[str, Any]]) -> bytes:
    made = [f"{head}{json.dumps(_plain(row))}" async for head, row in in_slices(clock, rows)]
    return ", ".join(made).encode()
