"""
One device's settings in their two shapes: the file with its tables, and options by their names alone.

In a file stand `type` and what all kinds share at the top, then a table for each class that the kind's settings
are made of (`[asa]`, `[asarest]`), then a `[[forward]]` table a target.  Options, and the files of earlier
versions, have all of it by name at the top, with `forward_…` for targets: both are read for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from tscm.errors import Fault
from tscm.settings.device import DeviceSettings, disagreements
from tscm.settings.forward_tables import read_targets
from tscm.settings.forward_target import Targets
from tscm.settings.forwarding import OPTIONS, ForwardOptions, options_of, targets_of_options
from tscm.settings.modules import module
from tscm.settings.schema import read_table, unknown_settings

FIRST_TYPE = "asarest"
"""What a file without `type` is: earlier versions knew no other."""


_TABLES: dict[type[Any], Mapping[str, str]] = {}
_OPTIONS: "dict[type[Any], Mapping[str, attrs.Attribute[Any]]]" = {}
"""Made once a class."""


def table_of(cls: type[DeviceSettings]) -> Mapping[str, str]:
    """By setting, the table of a file in which it stands; empty for the top."""
    if cls in _TABLES:
        return _TABLES[cls]
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        # A class between, without a table of its own, has its settings in the table of its heirs.
        if issubclass(one, DeviceSettings) and (one is cls or "TABLE" in vars(one)):
            found |= {name: one.TABLE for name in attrs.fields_dict(one) if name not in found}
    _TABLES[cls] = found
    return found


def options(cls: type[DeviceSettings]) -> "Mapping[str, attrs.Attribute[Any]]":
    """Every setting as an option, in the order of the questions: those of the first target in the place of all."""
    if cls in _OPTIONS:
        return _OPTIONS[cls]
    fields = attrs.fields_dict(cls)
    order = {name: number for number, name in enumerate(cls.ORDER)}
    found: dict[str, attrs.Attribute[Any]] = {}
    for name in sorted(fields, key=lambda one: order.get(one, len(order))):
        if name == "forward":
            found.update(attrs.fields_dict(ForwardOptions))
        else:
            found[name] = fields[name]
    _OPTIONS[cls] = found
    return found


def as_options(settings: DeviceSettings) -> dict[str, Any]:
    """The values by their options' names."""
    told = options_of(settings.forward)
    return {
        name: told[name] if name in told else getattr(settings, name)
        for name in options(type(settings))
    }


def read_options(
    table: Mapping[str, Any], present: Targets = ()
) -> tuple[DeviceSettings | None, Sequence[Fault]]:
    """Settings from options by name; of the targets, what stays of those *present* keeps its reader."""
    told = {name: value for name, value in table.items() if name in OPTIONS}
    rest = {name: value for name, value in table.items() if name not in OPTIONS}
    forward, faults = read_table(ForwardOptions, told)
    targets = () if forward is None else targets_of_options(forward, present)
    return _read(rest, targets, faults, {})


def read_file(table: Mapping[str, Any]) -> tuple[DeviceSettings | None, Sequence[Fault]]:
    """Settings from what a file holds, whichever version wrote it."""
    try:
        cls = module(table.get("type", FIRST_TYPE)).settings
    except ValueError as error:
        return None, [_fault("type", error)]
    flat: dict[str, Any] = {}
    where: dict[str, str] = {}
    faults: list[Fault] = []
    tables = {one for one in table_of(cls).values() if one}
    for name, value in table.items():
        if name not in tables:
            flat.setdefault(name, value)
        elif not isinstance(value, Mapping):
            faults.append(Fault(where=name, wrong="is no table", allowed=f"[{name}]"))
        else:
            faults += _take(flat, where, name, value, cls=cls, file=table)
    if "forward" not in flat:
        settings, more = read_options(flat)
        return _done(settings, [*faults, *(_at(one, where) for one in more)])
    told = sorted(set(flat) & set(OPTIONS))
    faults += [
        Fault(where=one, wrong="stands beside [[forward]] tables", allowed="one of both")
        for one in told
    ]
    targets, more = read_targets(flat["forward"])
    rest = {name: value for name, value in flat.items() if name not in {"forward", *told}}
    settings, more = _read(rest, targets, [*faults, *more], where)
    return _done(settings, more)


def _done(
    settings: DeviceSettings | None, faults: Sequence[Fault]
) -> tuple[DeviceSettings | None, Sequence[Fault]]:
    return (None if faults else settings), faults


def _take(
    flat: dict[str, Any],
    where: dict[str, str],
    table: str,
    content: Mapping[str, Any],
    *,
    cls: type[DeviceSettings],
    file: Mapping[str, Any],
) -> Iterator[Fault]:
    """Put the settings of one table into *flat*."""
    known = [name for name, one in table_of(cls).items() if one == table]
    yield from unknown_settings(set(content) - set(known), known, (table,))
    for name, value in content.items():
        place = f"{table}.{name}"
        if name in file:
            yield Fault(where=place, wrong="stands at the top too", allowed=f"in [{table}] alone")
        elif name in known:
            flat[name] = value
            where[name] = place


def _read(
    table: Mapping[str, Any], targets: Targets, faults: Sequence[Fault], where: Mapping[str, str]
) -> tuple[DeviceSettings | None, Sequence[Fault]]:
    try:
        cls = module(table.get("type", FIRST_TYPE)).settings
    except ValueError as error:
        return None, [_fault("type", error), *faults]
    known = attrs.fields_dict(cls)
    strange = unknown_settings(set(table) - set(known), options(cls))
    fitting = {name: value for name, value in table.items() if name in known}
    settings, more = read_table(cls, {"type": FIRST_TYPE, **fitting, "forward": targets})
    more = [*(_at(one, where) for one in more), *strange, *faults]
    if settings is None or more:
        return None, more
    found = disagreements(settings)
    return (None if found else settings), found


def _at(fault: Fault, where: Mapping[str, str]) -> Fault:
    return attrs.evolve(fault, where=where.get(fault.where, fault.where))


def _fault(where: str, error: ValueError) -> Fault:
    wrong, _, allowed = str(error).partition("; allowed: ")
    return Fault(where=where, wrong=wrong, allowed=allowed)
