"""
From a TOML table to a frozen attrs value, with every fault collected.

A field made by `setting` carries the function that reads it and a sentence of
documentation; `docs/operate/settings.md` and `tsadmin`'s help are made from the same place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from tscm.errors import Fault
from tscm.nearest import did_you_mean

T = TypeVar("T")


def setting(read: Callable[[Any], T], default: Any = attrs.NOTHING, *, doc: str) -> Any:
    """A field that *read* checks and normalises; *default* has passed it already."""
    if isinstance(default, list | dict):
        raise TypeError("a default must be frozen")
    return attrs.field(default=default, metadata={"read": read, "doc": doc})


def section(cls: type[T], *, doc: str) -> Any:
    """A field that is a table of its own, all defaults where it is absent."""
    return attrs.field(factory=cls, metadata={"section": cls, "doc": doc})


_MOST_UNKNOWN = 50
"""Names told of those that are no settings; thousands would take long to list, and are of no use."""


def read_table(cls: type[T], table: Mapping[str, Any]) -> tuple[T | None, Sequence[Fault]]:
    """*table* as *cls*, or None and everything that is wrong with it."""
    try:
        return _converter(cls).structure(table, cls), ()
    except cattrs.BaseValidationError as error:
        return None, _faults(error, ())


_CONVERTERS: dict[type[Any], cattrs.Converter] = {}


def _converter(cls: type[Any]) -> cattrs.Converter:
    """Made once a class: it writes and compiles code, which took most of the time of a read."""
    found = _CONVERTERS.get(cls)
    if found is None:
        found = cattrs.Converter(detailed_validation=True)
        _teach(found, cls)
        _CONVERTERS[cls] = found
    return found


def _teach(converter: cattrs.Converter, cls: type[Any]) -> None:
    hooks: dict[str, Any] = {}
    for one in attrs.fields(cls):
        if "section" in one.metadata:
            _teach(converter, one.metadata["section"])
        else:
            hooks[one.name] = override(struct_hook=_hook(one.metadata["read"]))
    structure = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **hooks
    )

    def structure_table(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is not a table; allowed: a table of settings")  # noqa: TRY004
        return structure(value, kind)

    converter.register_structure_hook(cls, structure_table)


def _hook(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


def unknown_settings(
    names: Iterable[str], settings: Iterable[str], where: tuple[str, ...] = ()
) -> list[Fault]:
    """That there are no settings of these *names* in a table that has *settings*."""
    names, settings = sorted(names), sorted(settings)
    known = ", ".join(settings)
    faults = [
        Fault(
            where=".".join((*where, name)),
            wrong=f"unknown setting{did_you_mean(name, settings)}",
            allowed=known,
        )
        for name in names[:_MOST_UNKNOWN]
    ]
    if left := len(names) - len(faults):
        wrong = f"{left:,} more unknown settings"
        faults.append(Fault(where=".".join(where) or "file", wrong=wrong, allowed=known))
    return faults


def _faults(error: BaseException, where: tuple[str, ...]) -> list[Fault]:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return unknown_settings(error.extra_fields, attrs.fields_dict(error.cl), where)
    if isinstance(error, cattrs.ClassValidationError):
        found: list[Fault] = []
        noted, others = error.group_exceptions()
        for inner, note in noted:
            found += _faults(inner, (*where, note.name))
        for inner in others:
            found += _faults(inner, where)
        return found
    if isinstance(error, KeyError):
        return [Fault(where=".".join(where), wrong="is not set", allowed="a value is required")]
    wrong, _, allowed = str(error).partition("; allowed: ")
    return [Fault(where=".".join(where) or "file", wrong=wrong, allowed=allowed)]
