"""
A file that says how a site is to be: device entries, lists, targets, bundles and policies.  Pure.

YAML within bounds: no aliases, which a small file can make large with; no keys that stand twice; only the words of
YAML 1.2 for truth, so that a field named `on` is one.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from tscm.errors import TscmError
from tscm.policy.user_lists import ListEntry, read_text
from tscm.portal.items import (
    Bundle,
    ItemFaulty,
    PortalPolicy,
    Target,
    as_table,
    item_name,
    read_item,
)
from tscm.printable import visible
from tscm.services.entries import CHANGEABLE

SITE_BYTES = 8 << 20
NODES_MOST = 200_000
DEPTH_MOST = 12
_KINDS = ("entries", "lists", "targets", "bundles", "policies")
_LIST_FIELDS = frozenset({"side", "note", "entries", "comment"})
_ENTRY_FIELDS = frozenset({*CHANGEABLE, "settings"})
_SHOWN = 20
_RESOLVERS = {
    "null": ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), [*"~n", ""]),
    "bool": ("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf")),
    "int": ("tag:yaml.org,2002:int", re.compile(r"-?[0-9]{1,15}\Z"), list("-0123456789")),
}


@define(eq=False)
class SiteFaulty(TscmError):
    """
    The file cannot be used; nothing of it is carried out.
    """

    exit_status = 1

    faults: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.faults[:_SHOWN])
        more = len(self.faults) - _SHOWN
        return f"{shown}; and {more:,} more faults" if more > 0 else shown


@frozen(kw_only=True)
class WantedList:
    """A user list: *entries* are None where the file says nothing of them."""

    side: str
    note: str = ""
    text: str | None = None
    entries: tuple[ListEntry, ...] = ()


@frozen(kw_only=True)
class WantedTarget:
    """A target: its document, where the file gives one, and whether it is to be on, where it says that."""

    content: Mapping[str, Any] | None = None
    on: bool | None = None
    accept_terms: bool = False


@frozen(kw_only=True)
class SiteFile:
    """All that a file asks for, by name."""

    entries: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    lists: Mapping[str, WantedList] = field(factory=dict)
    targets: Mapping[str, WantedTarget] = field(factory=dict)
    bundles: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    policies: Mapping[str, Mapping[str, Any]] = field(factory=dict)


def read_site(content: bytes, now: float) -> SiteFile:
    """*content* as values.  Raises `SiteFaulty` with everything that is wrong."""
    document = _document(content)
    faults = [
        f"{_told(key)} is unknown; allowed: {', '.join(_KINDS)}"
        for key in document
        if key not in _KINDS
    ]
    tables: dict[str, dict[str, Mapping[str, Any]]] = {}
    for kind in _KINDS:
        given = document.get(kind)
        tables[kind] = {}
        for name, table in (_mapping(given, kind, faults)).items():
            if not isinstance(name, str):
                faults.append(f"{kind}: {_told(name)} is not a name")
            elif isinstance(table, dict) and all(isinstance(key, str) for key in table):
                tables[kind][name] = table
            else:
                faults.append(f"{kind} {_told(name)}: a table of fields is expected")
    reader = _Reader(now, faults)
    site = SiteFile(
        entries={name: reader.entry(name, one) for name, one in tables["entries"].items()},
        lists=_named(reader.a_list, tables["lists"], faults),
        targets=_named(reader.target, tables["targets"], faults),
        bundles=_named(reader.bundle, tables["bundles"], faults),
        policies=_named(reader.policy, tables["policies"], faults),
    )
    if faults:
        raise SiteFaulty(tuple(faults))
    return site


def _mapping(given: Any, kind: str, faults: list[str]) -> dict[Any, Any]:
    if given is None or isinstance(given, dict):
        return given or {}
    faults.append(f"{kind}: names with a table each are expected")
    return {}


def _named(read: Any, tables: Mapping[str, Mapping[str, Any]], faults: list[str]) -> dict[str, Any]:
    found = {}
    for text, table in tables.items():
        try:
            name = item_name(text)
            found[name] = read(name, table)
        except ItemFaulty as fault:
            faults.append(str(fault))
    return found


@define(eq=False)
class _Reader:
    _now: float
    _faults: list[str]

    def entry(self, name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
        where = f"entry {_told(name)}"
        self._unknown(where, table, _ENTRY_FIELDS)
        settings = table.get("settings", {})
        if not isinstance(settings, dict) or not all(
            isinstance(key, str) and _is_setting(one) for key, one in settings.items()
        ):
            self._faults.append(
                f"{where}: settings are a table of texts, numbers, true, false or lists of texts"
            )
        return dict(table)

    def a_list(self, name: str, table: Mapping[str, Any]) -> WantedList:
        where = f"list {name!r}"
        self._unknown(where, table, _LIST_FIELDS)
        side, note, comment = table.get("side"), table.get("note", ""), table.get("comment", "")
        if side not in {"block", "allow"}:
            raise ItemFaulty(f"{where}: side is {_told(side)}; allowed: block, allow")
        if not isinstance(note, str) or not isinstance(comment, str):
            raise ItemFaulty(f"{where}: note and comment are texts")
        given = table.get("entries")
        if given is None:
            return WantedList(side=side, note=note)
        lines = given.splitlines() if isinstance(given, str) else given
        if not isinstance(lines, list) or not all(
            isinstance(one, str) and "\n" not in one for one in lines
        ):
            raise ItemFaulty(f"{where}: entries are a list of texts, a network each")
        text = "\n".join(lines)
        parsed = read_text(text, self._now, comment=comment)
        for fault in parsed.faults[:_SHOWN]:
            self._faults.append(f"{where}: entry {fault.line}: {fault.cause}")
        if parsed.fault_count > _SHOWN:
            self._faults.append(f"{where}: {parsed.fault_count:,} faulty entries in all")
        return WantedList(side=side, note=note, text=text, entries=parsed.entries)

    def target(self, name: str, table: Mapping[str, Any]) -> WantedTarget:
        on, accept = table.get("on"), table.get("accept_terms", False)
        if not isinstance(on, bool | None) or not isinstance(accept, bool):
            raise ItemFaulty(f"target {name!r}: on and accept_terms are true or false")
        content = {key: one for key, one in table.items() if key not in {"on", "accept_terms"}}
        return WantedTarget(
            content=self._item(Target, content, f"target {name!r}") if content else None,
            on=on,
            accept_terms=accept,
        )

    def bundle(self, name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._item(Bundle, table, f"bundle {name!r}")

    def policy(self, name: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._item(PortalPolicy, table, f"policy {name!r}")
        return {
            "block_name": f"block.{name}.tscm.internal",
            "allow_name": f"allow.{name}.tscm.internal",
            **found,
        }

    def _item(self, cls: type[Any], table: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        return as_table(read_item(cls, table, where))

    def _unknown(self, where: str, table: Mapping[str, Any], known: frozenset[str]) -> None:
        self._faults += [
            f"{where}: {_told(key)} is unknown; allowed: {', '.join(sorted(known))}"
            for key in table
            if key not in known
        ]


def _is_setting(value: Any) -> bool:
    several = value if isinstance(value, list) else [value]
    return all(one is None or isinstance(one, str | bool | int) for one in several)


def _told(value: Any) -> str:
    return repr(visible(str(value)[:60]))


def _document(content: bytes) -> dict[Any, Any]:
    """The one document of the text.  Raises `SiteFaulty`."""
    import yaml

    if len(content) > SITE_BYTES:
        raise SiteFaulty((f"the file has more than {SITE_BYTES >> 20} MB",))
    try:
        text = content.decode("utf-8")
        _count(text)
        found = yaml.load(text, Loader=_loader())  # noqa: S506 - a loader of plain values alone
    except UnicodeDecodeError:
        raise SiteFaulty(("the file is not UTF-8",)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        cause = getattr(error, "problem", None) or "it is not YAML"
        raise SiteFaulty(
            (f"the file cannot be read as YAML{where}: {visible(str(cause))}",)
        ) from None
    except RecursionError:
        raise SiteFaulty(("the file is nested too deeply",)) from None
    except (ValueError, LookupError, TypeError, AttributeError):  # of a tag such as `!!int abc`
        raise SiteFaulty(
            ("a value does not fit its tag, such as !!int; leave the tag out",)
        ) from None
    if not isinstance(found, dict):
        raise SiteFaulty((f"the file has no table of {', '.join(_KINDS)}",))
    return found


def _count(text: str) -> None:
    """Look through the events before a value is made.  Raises `SiteFaulty`, `YAMLError`."""
    import yaml

    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_events()), 1):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SiteFaulty(("the file uses anchors or aliases; write the values out",))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MOST:
            raise SiteFaulty(("the file is nested too deeply",))
        if count > NODES_MOST:
            raise SiteFaulty((f"the file has more than {NODES_MOST:,} values",))


def _events() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _loader() -> Any:
    import yaml

    base: Any = _events()

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML has it

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(keys) != len(set(keys)):
                twice = next(one for one in keys if keys.count(one) > 1)
                raise yaml.constructor.ConstructorError(
                    None, None, f"{twice[:60]!r} stands twice in one table", node.start_mark
                )
            return super().construct_mapping(node, deep)

    for tag, pattern, first in _RESOLVERS.values():
        Loader.add_implicit_resolver(tag, pattern, first)
    return Loader
