"""
One operation as a row: its name, its HTTP route, what it needs and what it does to the node.

The control socket, the client, `tsadmin` without a manager, the fakes of tests and the audit are
made from these rows.  This module imports nothing heavy: every `tsadmin` command pays for it.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import inf, isfinite
from typing import Any, Generic, TypeVar, get_args, get_origin
from urllib.parse import quote, urlencode

import attrs
from attrs import frozen

from tscm.model import Json
from tscm.operations.bodies import RequestFaulty
from tscm.settings.values import shown

Args = TypeVar("Args")
Answer = TypeVar("Answer")

_DIGITS = 30
_MOST = (1 << 63) - 1
"""The largest whole number that the database takes."""
WHOLE_BODY = "whole body"
"""Metadata of the one field of arguments that is the request's body itself."""


class Needs(StrEnum):
    """
    What must be there for an operation to be carried out.
    """

    FILES = "files"
    """The stored settings: also without a manager."""
    STORE = "store"
    """The database beside them: also without a manager, by one `tsadmin` at a time."""
    MANAGER = "manager"
    """The running manager."""


@frozen(kw_only=True)
class Operation(Generic[Args, Answer]):
    """
    A row of the table.  *path* names its variables as `<name>`; they are fields of *args*.

    A *long* operation reports progress and becomes a job; others answer at once, in the reactor, or in
    slices of its time where their handler is a coroutine.
    One that *queues* calls `Call.begin` itself when its turn has come.  What *changes* something
    is audited; what is *destructive* takes away what cannot be had back and is confirmed first.
    """

    name: str
    verb: str
    path: str
    args: type[Args]
    answer: type[Answer]
    """As it is read out of JSON; `Json` where it is not a value yet."""
    room: str
    """The module of `tscm.operations.handlers` that carries it out."""
    needs: Needs
    noun: str
    """For sentences: "a report needs the manager"."""
    long: bool = False
    queues: bool = False
    changes: bool = False
    destructive: bool = False
    on_log: bool = False
    """Changes a log on disk, and neither settings nor database."""


def variables(path: str) -> list[str]:
    """Names of the variables in a route's path, in order."""
    return [part[1:-1] for part in path.split("/") if part.startswith("<")]


def request_of(operation: Operation[Any, Any], args: Any) -> tuple[str, Json | None]:
    """
    Path (with its query) and JSON body of the request that asks for *operation*.
    """
    fields = {one.name: one for one in attrs.fields(operation.args)}
    path = operation.path
    for name in variables(path):
        path = path.replace(f"<{name}>", quote(str(getattr(args, name)), safe=""))
        del fields[name]
    given: Json = {}
    for name, one in fields.items():
        value = getattr(args, name)
        if one.metadata.get(WHOLE_BODY):
            given.update(value)
        elif value != one.default:
            given[name] = list(value) if isinstance(value, tuple) else value
    if operation.verb != "GET":
        return path, given
    query = urlencode({name: _as_query(value) for name, value in given.items()}, doseq=True)
    return (f"{path}?{query}" if query else path), None


def _as_query(value: Any) -> Any:
    return "yes" if value is True else value


def read_args(
    operation: Operation[Args, Any], parts: Mapping[str, str], body: Mapping[str, Any]
) -> Args:
    """
    The arguments out of a request: *parts* of its path, and its body or query.

    What is unknown is ignored, so that a newer client may say more.  Raises `RequestFaulty`.
    """
    values: dict[str, Any] = {}
    for one in attrs.fields(operation.args):  # type: ignore[arg-type]
        if one.name in parts:
            values[one.name] = _part(one.name, one.type, parts[one.name])
        elif one.metadata.get(WHOLE_BODY):
            values[one.name] = dict(body)
        elif one.name in body:
            values[one.name] = _read(one.name, one.type, body[one.name])
        elif one.default is attrs.NOTHING:
            raise RequestFaulty(f"{one.name} is missing")
    return operation.args(**values)


def check_numbers(args: Any) -> None:
    """
    Raise `RequestFaulty` where a whole number in *args* is one that the database cannot be asked for.
    """
    for one in attrs.fields(type(args)):
        value = getattr(args, one.name)
        if isinstance(value, int) and not -_MOST <= value <= _MOST:
            raise RequestFaulty(f"{one.name} is {shown(value)}; allowed: up to {_MOST}")


def _read(where: str, wanted: Any, value: Any) -> Any:
    """*value* where it is of the type *wanted*: one of str, int, float, bool, tuple, dict, `| None`."""
    for kind in _kinds(wanted):
        if kind is type(None) and value is None:
            return None
        if kind is tuple and isinstance(value, list) and all(isinstance(x, str) for x in value):
            return tuple(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return value
    allowed = " or ".join(_WORDS[kind] for kind in _kinds(wanted))
    raise RequestFaulty(f"{where} is {shown(value)}; allowed: {allowed}")


def _part(where: str, wanted: Any, word: str) -> Any:
    return _whole(where, word) if wanted is int else word


def _whole(where: str, word: str) -> int:
    number = _number(where, word)
    if not isinstance(number, int):
        raise RequestFaulty(f"{where} is {shown(word)}; allowed: a whole number")
    return number


def _kinds(wanted: Any) -> list[type]:
    if get_origin(wanted) in {tuple, dict}:
        return [get_origin(wanted)]
    return [kind for part in get_args(wanted) for kind in _kinds(part)] or [wanted]


_WORDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
    dict: "an object",
    type(None): "null",
}


def read_query(operation: Operation[Any, Any], query: Mapping[str, list[str]]) -> Json:
    """
    A URL's query in the shape of a JSON body.
    """
    found: Json = {}
    for one in attrs.fields(operation.args):
        words = query.get(one.name)
        if not words:
            continue
        kinds = _kinds(one.type)
        if tuple in kinds:
            found[one.name] = list(words)
        elif bool in kinds:
            found[one.name] = words[0] in {"yes", "true", "1"}
        elif (int in kinds or float in kinds) and str not in kinds:
            found[one.name] = _number(one.name, words[0])
        else:
            found[one.name] = words[0]
    return found


def _number(where: str, word: str) -> float:
    if word.isascii() and word.isdecimal() and len(word) <= _DIGITS:
        return int(word)
    try:
        number = float(word[:_DIGITS])
    except ValueError:
        number = inf
    if len(word) > _DIGITS or not isfinite(number):
        raise RequestFaulty(f"{where} is {shown(word)}; allowed: a number")
    return number
