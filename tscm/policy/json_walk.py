"""
What lies at a path of a large JSON text, without holding all of it as objects.  Pure.

Containers that the path leads through are walked member by member; only what is small is handed to
the JSON reader.  What is not on the path is passed over: its brackets and quotes must match, and
nothing else of it is looked at.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

Fields = Callable[[str], str | None]
"""Gives a record's field by name, as text; None where it has no such plain value."""

SMALL = 1 << 16
"""Octets of a value that are read at once."""
DEPTH_MAX = 100
_SHOWN = 200
_KEY_MAX = 1000
_CHECK_EVERY = 1024

_BLANK = re.compile(rb"[ \t\n\r]*+")
_QUOTED = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING = re.compile(_QUOTED, re.DOTALL)
_WORD = re.compile(rb'[^\s,:"\[\]{}]++')
_FLAT = rb'[\[{][^\[\]{}"]*+(?:' + _QUOTED + rb'[^\[\]{}"]*+)*+[\]}]'
_FLAT_VALUE = re.compile(_FLAT, re.DOTALL)
_TOKEN = re.compile(_FLAT + rb"|" + _QUOTED + rb'|["\[\]{}]', re.DOTALL)
_KEY = re.compile(rb"[ \t\n\r]*+(" + _QUOTED + rb")[ \t\n\r]*+:[ \t\n\r]*+", re.DOTALL)
_AFTER = re.compile(rb"[ \t\n\r]*+([,\]}])")
_PAIRS = {b"[": b"]", b"{": b"}"}
_PATTERNS = {b"[": _FLAT_VALUE, b"{": _FLAT_VALUE, b'"': _STRING}
"""By its first octet, what a value is that ends soon; a word otherwise."""


class JsonDamaged(ValueError):
    """
    It is no JSON, or not all of it.
    """


@frozen
class NotText:
    """A value that is no text, as it is shown."""

    shown: str


@define(eq=False)
class JsonWalk:
    """
    One walk over *content* to whatever stands at the end of *steps*.

    A step is a name, the number of an element, or `*` for each of them.  *check* is called every
    thousand values, and may raise to end the walk.  *wanted* is asked of each record whether to look
    into it, given its fields and how it begins; records are what the last `*` with a step behind it stands for.
    """

    content: bytes
    steps: Sequence[str]
    check: Callable[[int], None]
    wanted: Callable[[Fields, str], bool] | None = None
    whole: bool = field(default=False, init=False)
    """Are objects at the end of the path given as they are?"""
    entered: bool = field(default=False, init=False)
    """Is there anything at the first step?"""
    _values: int = field(default=0, init=False)
    _record: int = field(init=False)
    """Steps that are left where a record begins; -1 where no records are asked for."""

    def __attrs_post_init__(self) -> None:
        behind = steps_in_record(self.steps)
        self._record = -1 if self.wanted is None or behind is None else behind

    def texts(self) -> Iterator[Any]:
        """
        Every text at the end of the path, and of a list there each element: `str` or `NotText`.

        Raises `JsonDamaged`.
        """
        at = 3 if self.content.startswith(b"\xef\xbb\xbf") else 0
        end = yield from self._value(self._past_blank(at), self.steps)
        if self._past_blank(end) != len(self.content):
            raise JsonDamaged

    def records(self) -> Iterator[Mapping[str, Any] | NotText]:
        """
        Every object at the end of the path, its numbers as `NotText`; one over `SMALL` octets, and what
        is no object, is given as it is shown.  Raises `JsonDamaged`.
        """
        self.whole = True
        for one in self.texts():
            yield NotText(one) if isinstance(one, str) else one

    def field_of(self, name: str) -> str | None:
        """A plain value of the outermost object, as text.  Raises `JsonDamaged`."""
        return self._field(self._past_blank(0), name)

    def _value(self, at: int, steps: Sequence[str]) -> Generator[Any, None, int]:
        """What is picked of the value at *at*; gives where it ends."""
        end = self._end(at, SMALL)
        if end is not None and steps:
            yield from self._small(at, end, steps)
            return end
        if end is not None:  # at the end of the path, where a million of them may stand
            value = self._read(at, end)
            for each in value if isinstance(value, list) else (value,):
                self._count()
                yield self._leaf(each)
            return end
        if len(steps) == self._record and not self._is_wanted(
            lambda name: self._field(at, name), self._shown(at)
        ):
            return self._passed(at)
        kind = self.content[at : at + 1]
        if kind == b"[" and (not steps or steps[0] == "*" or steps[0].isdecimal()):
            return (yield from self._list(at, steps))
        if kind == b"{" and steps:
            return (yield from self._object(at, steps))
        if not steps:
            yield NotText(self._shown(at))
        return self._passed(at)

    def _small(self, at: int, end: int, steps: Sequence[str]) -> Iterator[Any]:
        value = self._read(at, end)
        if steps is self.steps and _leads_somewhere(value, steps):
            self.entered = True
        for one in self._picked(value, steps):
            for each in one if isinstance(one, list) else [one]:
                self._count()
                yield self._leaf(each)

    def _list(self, at: int, steps: Sequence[str]) -> Generator[Any, None, int]:
        """A list too large to be read at once, element by element."""
        self.entered = self.entered or bool(steps)
        wanted = int(steps[0]) if steps and steps[0] != "*" else None
        at, number = self._past_blank(at + 1), 0
        while True:
            self._count()
            if wanted is not None and wanted != number:
                at = self._passed(at)
            elif steps:
                at = yield from self._value(at, steps[1:])
            else:
                at = yield from self._element(at)
            number += 1
            mark, at = self._after(at)
            if mark == b"]":
                return at
            if mark != b",":
                raise JsonDamaged

    def _element(self, at: int) -> Generator[Any, None, int]:
        """An element of the list at the end of the path: a text, or none."""
        end = self._end(at, SMALL)
        if end is None:
            yield NotText(self._shown(at))
            return self._passed(at)
        yield self._leaf(self._read(at, end))
        return end

    def _leaf(self, value: Any) -> Any:
        if isinstance(value, str | NotText) or (self.whole and isinstance(value, dict)):
            return value
        return NotText(_written(value))

    def _object(self, at: int, steps: Sequence[str]) -> Generator[Any, None, int]:
        """An object too large to be read at once, member by member."""
        step, seen = steps[0], False
        at += 1
        while True:
            self._count()
            key = _KEY.match(self.content, at)
            if key is None:
                raise JsonDamaged
            at = key.end()
            if step == "*" or (key.end(1) - key.start(1) <= _KEY_MAX and _named(key[1]) == step):
                if seen and step != "*":
                    raise JsonDamaged(f"it has {step!r} twice")
                seen = True
                self.entered = True
                at = yield from self._value(at, steps[1:])
            else:
                at = self._passed(at)
            mark, at = self._after(at)
            if mark == b"}":
                return at
            if mark != b",":
                raise JsonDamaged

    def _picked(self, value: Any, steps: Sequence[str]) -> Iterator[Any]:
        """What lies at the end of *steps*; elements that lack a step, and records not wanted, are passed over."""
        if len(steps) == self._record and not self._is_wanted(
            lambda name: field_of(value, name), _written(value)
        ):
            return
        if not steps:
            yield value
            return
        step, rest = steps[0], steps[1:]
        if step == "*":
            each = value.values() if isinstance(value, dict) else value
            if isinstance(value, dict | list):
                for one in each:
                    yield from self._picked(one, rest)
        elif isinstance(value, dict) and step in value:
            yield from self._picked(value[step], rest)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            yield from self._picked(value[int(step)], rest)

    def _is_wanted(self, fields: Fields, shown: str) -> bool:
        self._count()
        return self.wanted is None or self.wanted(fields, shown)

    def _field(self, at: int, name: str) -> str | None:
        """The field of a record at *at* that is too large to be read at once."""
        for steps in _ways_to(name):
            found = self._located(at, steps)
            if found is not None:
                return found
        return None

    def _located(self, at: int, steps: Sequence[str]) -> str | None:
        """The plain value at the end of *steps*, which are names, below what stands at *at*."""
        end = self._end(at, SMALL)
        if end is not None:
            return _plain(self._read(at, end), steps)
        if self.content[at : at + 1] != b"{" or not steps:
            return None
        found = None
        at += 1
        while True:
            self._count()
            key = _KEY.match(self.content, at)
            if key is None:
                raise JsonDamaged
            at = key.end()
            if key.end(1) - key.start(1) <= _KEY_MAX and _named(key[1]) == steps[0]:
                if found is not None:
                    raise JsonDamaged(f"it has {steps[0]!r} twice")
                found = at
            mark, at = self._after(self._passed(at))
            if mark == b"}":
                return None if found is None else self._located(found, steps[1:])
            if mark != b",":
                raise JsonDamaged

    def _shown(self, at: int) -> str:
        return self.content[at : at + _SHOWN].decode("utf-8", "replace")

    def _read(self, at: int, end: int) -> Any:
        text = self.content[at:end].decode("utf-8", "replace")
        try:
            value, stop = _SCAN(text, 0)
        except (StopIteration, ValueError, RecursionError):
            raise JsonDamaged from None
        if stop != len(text):
            raise JsonDamaged
        return value

    def _count(self) -> None:
        self._values += 1
        if not self._values % _CHECK_EVERY:
            self.check(self._values)

    def _past_blank(self, at: int) -> int:
        found = _BLANK.match(self.content, at)
        assert found is not None  # it matches nothing, too
        return found.end()

    def _after(self, at: int) -> tuple[bytes, int]:
        """The mark behind a value, and where the next thing begins."""
        found = _AFTER.match(self.content, at)
        if found is None:
            raise JsonDamaged
        return found[1], self._past_blank(found.end()) if found[1] == b"," else found.end()

    def _end(self, at: int, most: int) -> int | None:
        """Where the value at *at* ends; None where that is more than *most* octets away."""
        limit = min(len(self.content), at + most)
        pattern = _PATTERNS.get(self.content[at : at + 1], _WORD)
        found = pattern.match(self.content, at, limit)
        if found is not None and not (
            pattern is _WORD and limit == found.end() < len(self.content)
        ):
            return found.end()
        if self.content[at : at + 1] in _PAIRS:
            return self._balanced(at, limit)
        if limit == len(self.content):
            raise JsonDamaged
        return None

    def _passed(self, at: int) -> int:
        """Where the value at *at* ends, however large."""
        end = self._end(at, len(self.content))
        if end is None:
            raise JsonDamaged
        return end

    def _balanced(self, at: int, limit: int) -> int | None:
        """Where the container at *at* ends; None where *limit* comes first."""
        open_: list[bytes] = []
        for token in _TOKEN.finditer(self.content, at, limit):
            self._count()
            mark = self.content[token.start() : token.start() + 1]
            if token.end() - token.start() > 1:
                continue
            if mark in _PAIRS:
                open_.append(_PAIRS[mark])
                if len(open_) > DEPTH_MAX:
                    raise JsonDamaged(f"it is not readable JSON: more than {DEPTH_MAX} levels")
            elif mark == b'"':
                break
            elif open_.pop() != mark:
                raise JsonDamaged
            elif not open_:
                return token.end()
        if limit == len(self.content):
            raise JsonDamaged
        return None


def _number(text: str) -> NotText:
    return NotText(text[:_SHOWN])


_READER = json.JSONDecoder(parse_int=_number, parse_float=_number)
"""No number is an entry, and one of a million digits would take its time: it stays as it is written."""
_SCAN: Callable[[str, int], tuple[Any, int]] = _READER.scan_once  # type: ignore[attr-defined]
"""Without the search for blanks around a value: there are none, and there may be a million values."""
_SIMPLE = {True: "true", False: "false", None: "null"}


def _written(value: Any) -> str:
    """How a value is shown."""
    if isinstance(value, NotText):
        return value.shown
    if value is None or isinstance(value, bool):
        return _SIMPLE[value]
    if not value and isinstance(value, list | dict):
        return "[]" if isinstance(value, list) else "{}"
    return json.dumps(value, default=lambda number: number.shown)[:_SHOWN]


def steps_in_record(steps: Sequence[str]) -> int | None:
    """How many of the *steps* lie within a record: those behind the last `*` that has one; None without."""
    for left in range(1, len(steps)):
        if steps[-left - 1] == "*" and any(one != "*" for one in steps[-left:]):
            return left
    return None


def _ways_to(name: str) -> tuple[Sequence[str], ...]:
    """A field's name as it is, and with dots as the path to a field within one."""
    return ((name,), name.split(".")) if "." in name else ((name,),)


def _plain(value: Any, steps: Sequence[str]) -> str | None:
    """Text, number, true or false at the end of *steps*, as text; None for anything else."""
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    if isinstance(value, str):
        return value
    return _written(value) if isinstance(value, NotText | bool) else None


def field_of(value: Any, name: str) -> str | None:
    """A plain value of a record by its name, or by a path with dots, as text."""
    found = (_plain(value, steps) for steps in _ways_to(name))
    return next((one for one in found if one is not None), None)


def _named(quoted: bytes) -> str:
    text = quoted.decode("utf-8", "replace")
    if "\\" not in text:
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        raise JsonDamaged from None


def _leads_somewhere(value: Any, steps: Sequence[str]) -> bool:
    return bool(steps) and (steps[0] == "*" or (isinstance(value, dict) and steps[0] in value))
