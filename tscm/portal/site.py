"""
The site as it is stored: what is shipped, what operators made, and what is turned on.  Blocking.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from tscm.portal import warning_lists
from tscm.portal.items import (
    Bundle,
    ItemFaulty,
    PortalPolicy,
    Target,
    read_item,
)
from tscm.portal.resolving import Site
from tscm.store.portal_items import Item, PortalItems
from tscm.store.user_lists import UserLists

T = TypeVar("T")


@frozen(kw_only=True)
class Catalogue:
    """
    What the package ships: targets, and policies that put them together.
    """

    targets: Mapping[str, Target]
    policies: Mapping[str, PortalPolicy]


@frozen(kw_only=True)
class Stored:
    """
    The site, its documents by kind and name, and what is wrong with those that cannot be used.
    """

    site: Site
    items: Mapping[str, Mapping[str, Item]]
    faults: tuple[str, ...] = ()


@cache
def catalogue() -> Catalogue:
    """The files of `catalogue/`, all of them right: a test reads them."""
    import tomllib

    tables: dict[str, dict[str, Any]] = {"targets": {}, "policies": {}}
    for kind, found in tables.items():
        folder = files("tscm.portal").joinpath("catalogue", kind)
        for one in folder.iterdir():
            if one.name.endswith(".toml"):
                found[one.name.removesuffix(".toml")] = tomllib.loads(one.read_text("utf-8"))
    return Catalogue(
        targets={
            name: read_item(Target, table, name)
            for name, table in sorted(tables["targets"].items())
        },
        policies={
            name: read_item(PortalPolicy, table, name)
            for name, table in sorted(tables["policies"].items())
        },
    )


def stored_site(database: Path) -> Stored:
    """What policies may name now.  Raises `StoreUnusable`."""
    items = PortalItems(database).all()
    faults: list[str] = []

    def read(kind: str, cls: type[T]) -> dict[str, T]:
        found = {}
        for name, item in items.get(kind, {}).items():
            try:
                found[name] = read_item(cls, item.content, f"{kind} {name!r}")
            except ItemFaulty as fault:
                faults.append(str(fault))
        return found

    shipped = catalogue()
    targets = {**shipped.targets, **read("target", Target)}
    switches = items.get("switch", {})
    site = Site(
        targets=targets,
        on=frozenset(name for name in targets if name in switches and switches[name].content["on"]),
        bundles=read("bundle", Bundle),
        policies=read("policy", PortalPolicy),
        lists={name: side for name, (side, _) in UserLists(database).known().items()},
        refusals=warning_lists.known(),
    )
    return Stored(site=site, items=items, faults=tuple(faults))
