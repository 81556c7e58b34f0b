"""
The kinds of enforcement point that this installation has, found by name (entry points of `tscm.modules`).

A kind is a package of its own, or a room of `tscm.kinds`; without any the core alone collects.  What a kind is,
besides how its settings are read, says `tscm.kinds.kind.Kind`.
"""

import builtins
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from tscm.printable import quoted
from tscm.settings.values import refused

if TYPE_CHECKING:
    from tscm.settings.device import DeviceSettings

GROUP = "tscm.modules"
OWN = {
    "asa": "tscm.kinds.asa.ssh.kind:KIND",
    "asahttp": "tscm.kinds.asa.http.kind:KIND",
    "asarest": "tscm.kinds.asa.rest.kind:KIND",
    **{
        name: f"tscm.kinds.lists.kind:{name.upper()}"
        for name in ("checkpoint", "firepower", "fortinet", "generic", "mikrotik", "panos")
    },
}
"""Those of this package, as `pyproject.toml` names them; an editable installation may be older than one of them."""


SettingsClass = builtins.type["DeviceSettings"]


class Module(Protocol):
    """What the settings need to know of a kind."""

    @property
    def type(self) -> str:
        """As in `--type`."""

    @property
    def module(self) -> str:
        """As `version --all` shows it."""

    @property
    def version(self) -> str:
        """Of the package."""

    @property
    def settings(self) -> "SettingsClass":
        """What is set for a device of this kind."""


def types() -> tuple[str, ...]:
    """Every type that there is, sorted.  Reads what is installed: not for each command."""
    return tuple(sorted(_places()))


def modules() -> tuple[Module, ...]:
    """Every kind that can be loaded, by its type: a broken package takes no other kind away."""
    found = []
    for one in types():
        with suppress(ValueError):
            found.append(module(one))
    return tuple(found)


def module(name: str) -> Module:
    """The kind of that type.  Raises `ValueError` with the types that there are."""
    known = isinstance(name, str)  # a file or a request may have anything there
    place = (OWN.get(name) or _places().get(name)) if known else None
    if place is None:
        raise refused(name, "is not a device type", ", ".join(types()))
    try:
        return _loaded(place)
    except Exception as error:
        raise refused(
            name, f"cannot be loaded ({quoted(str(error))})", "a type whose package works"
        ) from error


@cache
def secret_names() -> tuple[str, ...]:
    """Settings of any kind that nobody is shown."""
    from tscm.settings.device import secrets_of

    return tuple(dict.fromkeys(name for one in modules() for name in secrets_of(one.settings)))


@cache
def long_secret_names() -> frozenset[str]:
    """Those of them that take several lines."""
    from attrs import fields

    return frozenset(
        one.name for kind in modules() for one in fields(kind.settings) if one.metadata.get("lines")
    )


@cache
def _places() -> dict[str, str]:
    from importlib.metadata import entry_points  # takes as long as reading a dozen files

    return OWN | {one.name: one.value for one in entry_points(group=GROUP)}


@cache
def _loaded(place: str) -> Module:
    path, _, name = place.partition(":")
    found: Any = getattr(import_module(path), name)
    kind: Module = found
    return kind
