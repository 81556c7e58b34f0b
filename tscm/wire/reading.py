"""
JSON to values, as the control interface carries them.

Without cattrs: a command of `tsadmin` that only shows something must not pay for its import.
`tests/wire/test_wire_both_ways.py` holds this against `tscm.wire.writing` for every type.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from tscm.wire.keys import key_of

T = TypeVar("T")
_Reader = Callable[[Any], Any]


def read(cls: type[T], json: Mapping[str, Any] | None) -> T:
    """
    A *cls* out of its JSON.

    Keys that are unknown are passed over and keys that are missing leave the field's default, so that
    `tsadmin` and a manager of neighbouring versions understand each other.  Raises `TypeError` where a
    field without a default is missing.
    """
    found: T = _reader(cls)(json or {})
    return found


def read_value(kind: type[T], json: Any) -> T:
    """A value of the type *kind*, such as `tuple[Row, ...]`, out of its JSON.  See `read`."""
    found: T = _reader(kind)(json)
    return found


_READERS: dict[Any, _Reader] = {}


def _reader(kind: Any) -> _Reader:
    """How a value of the type *kind* is read; found out once."""
    found = _READERS.get(kind)
    if found is None:
        found = _READERS[kind] = _make_reader(kind)
    return found


def _make_reader(kind: Any) -> _Reader:
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _union([one for one in args if one is not NoneType])
    if attrs.has(kind):
        return _object(kind)
    if origin is tuple:
        of_one = _reader(args[0])
        return lambda value: tuple(map(of_one, value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        of_key, of_value = _reader(args[0]), _reader(args[1])
        return lambda value: {of_key(key): of_value(one) for key, one in value.items()}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _word(kind)
    return lambda value: value


def _union(kinds: list[Any]) -> _Reader:
    """None, or one of *kinds*: of several classes the one that has most of the keys."""
    if len(kinds) == 1:
        of_one = _reader(kinds[0])
        return lambda value: None if value is None else of_one(value)
    classes = [kind for kind in kinds if attrs.has(kind)]
    if not classes:
        return lambda value: value
    keys = {kind: {key_of(one) for one in attrs.fields(kind)} for kind in classes}

    def read_one(value: Any) -> Any:
        if value is None:
            return None
        return _reader(max(classes, key=lambda kind: len(keys[kind] & value.keys())))(value)

    return read_one


def _word(kind: type[StrEnum]) -> _Reader:
    """A word; one that this version does not know stays the text that it is."""
    known = {str(one): one for one in kind}
    return lambda value: known.get(value, value)


def _object(cls: type[Any]) -> _Reader:
    """A value of an attrs class, by its fields; they are looked up late, since it may hold its like."""
    fields: list[tuple[str, str, _Reader]] = []

    def read_object(value: Mapping[str, Any]) -> Any:
        if not fields:
            hints = get_type_hints(cls)
            fields.extend(
                (key_of(one), one.alias or one.name, _reader(hints[one.name]))
                for one in attrs.fields(cls)
                if one.init
            )
        return cls(**{name: of(value[key]) for key, name, of in fields if key in value})

    return read_object
