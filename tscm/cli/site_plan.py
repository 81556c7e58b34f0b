"""
From what a site file asks for and what there is to the steps between them.  Pure.

What the file does not name stays as it is.  Steps come in the order in which each finds what it needs: lists, targets,
bundles, policies, and device entries last.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from tscm.cli.site_file import SiteFaulty, SiteFile
from tscm.errors import TscmError
from tscm.portal.items import (
    Bundle,
    PortalPolicy,
    Target,
    as_table,
    queries_mark,
    read_item,
    without_queries,
)
from tscm.portal.resolving import Site, check_policy, check_target
from tscm.printable import visible


@frozen(kw_only=True)
class ListChange:
    """What a text would do to a list."""

    added: int = 0
    removed: int = 0
    changed: int = 0


@frozen(kw_only=True)
class Present:
    """
    What there is: documents as they are stored, sides of lists, and what the texts of the file would do to them.
    """

    entries: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    lists: Mapping[str, str] = field(factory=dict)
    changes: Mapping[str, ListChange] = field(factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    """Without the queries of URLs, where keys may be."""
    queries: Mapping[str, str] = field(factory=dict)
    """A word for these, by target."""
    on: frozenset[str] = frozenset()
    bundles: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    policies: Mapping[str, Mapping[str, Any]] = field(factory=dict)


@frozen(kw_only=True)
class Step:
    """
    One thing to do: *did* is `create`, `change` or `switch`; *lines* tell it, each with its sign.
    """

    kind: str
    name: str
    did: str
    lines: tuple[tuple[str, str], ...] = ()


def steps(wanted: SiteFile, present: Present) -> tuple[Step, ...]:
    """What is to be done; nothing where the site is as the file says.  Raises `SiteFaulty`."""
    faults = [*_faults(wanted, present)]
    if faults:
        raise SiteFaulty(tuple(faults))
    return tuple(_steps(wanted, present))


def _steps(wanted: SiteFile, present: Present) -> Iterator[Step]:
    for name, one in wanted.lists.items():
        if name not in present.lists:
            told = f"list {name}: new, to {one.side}"
            yield Step(kind="list", name=name, did="create", lines=(("+", told),))
        change = present.changes.get(name)
        if name not in present.lists:
            change = ListChange(added=len(one.entries))
        if one.text is not None and change is not None and change != ListChange():
            numbers = (("+", change.added, "come"), ("-", change.removed, "go"))
            lines = [(sign, f"list {name}: {n:,} entries {word}") for sign, n, word in numbers if n]
            if change.changed:
                lines.append(("+", f"list {name}: {change.changed:,} entries change"))
            yield Step(kind="list", name=name, did="change", lines=tuple(lines))
    for name, target in wanted.targets.items():
        if target.content is not None:
            content = _told_of(target.content, queries_mark(target.content))
            before = present.targets.get(name)
            if before is not None:
                before = _told_of(before, present.queries.get(name, ""))
            yield from _document("target", name, content, before)
        if target.on is not None and target.on != (name in present.on):
            word = "on" if target.on else "off"
            sign = "+" if target.on else "-"
            yield Step(
                kind="target", name=name, did="switch", lines=((sign, f"target {name}: {word}"),)
            )
    for kind, documents, known in (
        ("bundle", wanted.bundles, present.bundles),
        ("policy", wanted.policies, present.policies),
        ("entry", wanted.entries, present.entries),
    ):
        for name, content in documents.items():
            before = known.get(name)
            after = content
            if kind == "entry":
                after = _flat(content)
                known_so_far = None if before is None else _flat(before)
                before = known_so_far and {key: known_so_far.get(key) for key in after}
            yield from _document(kind, name, after, before)


def _flat(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields of an entry, and the settings for its manager, side by side."""
    plain = {key: one for key, one in entry.items() if key != "settings"}
    return {**plain, **{f"settings.{key}": one for key, one in entry.get("settings", {}).items()}}


def _told_of(target: Mapping[str, Any], queries: str) -> Mapping[str, Any]:
    """A target as a plan shows it, which may go to a log."""
    return {**without_queries(target), "queries of URLs, by a mark": queries}


def _document(
    kind: str, name: str, content: Mapping[str, Any], before: Mapping[str, Any] | None
) -> Iterator[Step]:
    if before == content:
        return
    lines = [] if before is not None else [("+", f"{kind} {name}: new")]
    for key in sorted({*content, *(before or {})}):
        old, new = (before or {}).get(key), content.get(key)
        if old != new:
            if old not in (None, ""):
                lines.append(("-", f"{kind} {name}: {key} = {old}"))
            if new not in (None, ""):
                lines.append(("+", f"{kind} {name}: {key} = {new}"))
    did = "create" if before is None else "change"
    yield Step(kind=kind, name=name, did=did, lines=tuple(lines))


def _faults(wanted: SiteFile, present: Present) -> Iterator[str]:
    """What could not be carried out, found before anything is."""
    for name, one in wanted.lists.items():
        side = present.lists.get(name, one.side)
        if side != one.side:
            yield f"list {name!r} is a list to {side} already, and cannot become one to {one.side}"
    targets = {
        name: target.content
        for name, target in wanted.targets.items()
        if target.content is not None
    }
    for name, target in wanted.targets.items():
        if target.content is None and name not in present.targets:
            yield f"there is no target {name!r}; give it feeds or lists"
    site = Site(
        targets=_read(Target, {**present.targets, **targets}),
        bundles=_read(Bundle, {**present.bundles, **wanted.bundles}),
        lists={**present.lists, **{name: one.side for name, one in wanted.lists.items()}},
        policies=_read(PortalPolicy, {**present.policies, **wanted.policies}),
        refusals={one for policy in wanted.policies.values() for one in policy.get("refuse", ())},
    )
    for name in targets:
        yield from _told(check_target, name, site.targets[name], site)
    for name, entry in wanted.entries.items():
        policy = entry.get("policy")
        if policy is not None and policy not in site.policies:
            yield f"entry {name!r}: there is no policy {visible(str(policy)[:60])!r}"
    for name in wanted.policies:
        yield from _told(check_policy, name, site.policies[name], site)


def _told(check: Any, *args: Any) -> Iterator[str]:
    try:
        check(*args)
    except TscmError as fault:
        yield str(fault)


def _read(cls: type[Any], tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found = {}
    for name, table in tables.items():
        try:
            found[name] = read_item(cls, table, name)
        except TscmError:  # one that is stored and cannot be used is told elsewhere
            continue
    return found


def normal(cls: type[Any], table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored document as the file's are, to be compared with them; as it is where it cannot be read."""
    try:
        return as_table(read_item(cls, table, "it"))
    except TscmError:
        return table
