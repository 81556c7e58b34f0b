"""
A device's settings put into the file that there is, whose comments and order stay.

A file of an earlier version gets its tables by that: what stood at the top moves with its comment.
"""

from collections.abc import Callable
from typing import Any

import attrs
import tomlkit
from tomlkit.items import AoT, Table

from tscm.base.secrets import Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.forward_tables import tables_of
from tscm.settings.forwarding import OPTIONS
from tscm.settings.modules import module
from tscm.settings.shapes import FIRST_TYPE, table_of

Seal = Callable[[Any, Secret, str], str]
"""What stands there, the secret, and where it belongs: what is to stand there."""
_NO_SECRET = Secret("")


def put(document: tomlkit.TOMLDocument, settings: DeviceSettings, seal: Seal) -> None:
    """Have *document* say what *settings* are."""
    tables = table_of(type(settings))
    for name in (*OPTIONS, *_others(document, settings)):
        document.pop(name, None)
    for one in attrs.fields(type(settings)):
        if one.name in {"name", "forward"}:
            continue
        place = _place(document, tables[one.name], one.name)
        value = getattr(settings, one.name)
        if value is None or value == _NO_SECRET:
            place.pop(one.name, None)
        elif isinstance(value, Secret):
            where = f"{settings.name}.{one.name}"
            _set(place, one.name, seal(place.get(one.name), value, where))
        else:
            _set(place, one.name, list(value) if isinstance(value, tuple) else value)
    _put_targets(document, settings)


def _others(document: tomlkit.TOMLDocument, settings: DeviceSettings) -> set[str]:
    """Tables and settings of the kind that the device was before, and is no more."""
    try:
        before = module(document.get("type", FIRST_TYPE)).settings
    except ValueError:
        return set()
    was, now = table_of(before), table_of(type(settings))
    return {*was, *was.values()} - {*now, *now.values()}


def _place(document: tomlkit.TOMLDocument, table: str, name: str) -> Any:
    """Where *name* stands; what a file of an earlier version has at the top is moved there."""
    if not table:
        return document
    if not isinstance(document.get(table), Table):
        document[table] = tomlkit.table()
    place: Any = document[table]
    if name in document:
        item = document.item(name)
        document.remove(name)
        if name not in place:
            place.append(name, item)
    return place


def _set(place: Any, name: str, value: Any) -> None:
    if name not in place or place[name] != value:
        place[name] = value


def _put_targets(document: tomlkit.TOMLDocument, settings: DeviceSettings) -> None:
    wanted = tables_of(settings.forward)
    if not wanted:
        document.pop("forward", None)
        return
    present = document.get("forward")
    before = list(present) if isinstance(present, AoT) else []
    if before == wanted:
        return
    known = {one.get("reader"): one for one in before}
    tables = tomlkit.aot()
    for one in wanted:
        table = known.get(one["reader"])
        if table is None:
            table = tomlkit.table()
        for name in set(table) - set(one):
            table.remove(name)
        for name, value in one.items():
            _set(table, name, value)
        tables.append(table)
    document.pop("forward", None)
    document.append("forward", tables)
