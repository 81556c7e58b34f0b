"""
The `[[forward]]` tables of a device's file, and the names of their readers.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import attrs
from attrs import evolve

from tscm.errors import Fault
from tscm.settings.forward_target import READER, ForwardTarget, Targets
from tscm.settings.schema import read_table


def new_name(text: str, taken: set[str]) -> str:
    """
    A reader for the target *text*: named for its place, as it always was, so that neither another order nor
    another mode changes anything; of several at one place, those after the first for all that they are.
    """
    for named_for in (urlsplit(text).netloc, text):
        name = f"{READER}-{crc32(named_for.encode()):08x}"
        if name not in taken:
            return name
    number = 2
    while (name := f"{READER}-{crc32(text.encode()):08x}-{number}") in taken:
        number += 1
    return name


def read_targets(tables: Any) -> tuple[Targets, Sequence[Fault]]:
    """The `[[forward]]` tables of a file; one without a reader's name is given one by its place."""
    if not isinstance(tables, list | tuple):
        return (), [Fault(where="forward", wrong="is not a list", allowed="[[forward]] tables")]
    found: list[ForwardTarget] = []
    faults: list[Fault] = []
    for number, table in enumerate(tables):
        where = f"forward[{number}]"
        if not isinstance(table, Mapping):
            faults.append(Fault(where=where, wrong="is no table", allowed="a [[forward]] table"))
            continue
        target, wrong = read_table(ForwardTarget, table)
        faults += [evolve(one, where=f"{where}.{one.where}") for one in wrong]
        if target is not None:
            found.append(target)
    named = {one.reader for one in found if one.reader}
    for number, one in enumerate(found):
        if not one.reader:
            name = READER if not number and READER not in named else new_name(one.url(), named)
            named.add(name)
            found[number] = evolve(one, reader=name)
    faults += _twice(found)
    return tuple(found), faults


def _twice(found: Sequence[ForwardTarget]) -> Iterator[Fault]:
    names = [one.reader for one in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Fault(
                where=f"forward[{number}].reader",
                wrong=f"{name} is another target's reader already",
                allowed="a name of its own, or none: then it gets one",
            )


def tables_of(targets: Targets) -> list[dict[str, Any]]:
    """*targets* as a file has them: the reader's name, and what has not its default."""
    fields = attrs.fields_dict(ForwardTarget)
    return [
        {
            name: value
            for name in fields
            if (value := getattr(one, name)) is not None
            and (value != fields[name].default or name in {"reader", "port", "protocol"})
        }
        for one in targets
    ]
