"""
The kinds of enforcement point that this installation has, found by name (entry points of `tscm.modules`).

A kind is a package of its own, or a room of `tscm.kinds`; without any the core alone collects.  What a kind is,
besides how its settings are read, says `tscm.kinds.kind.Kind`.
"""

import builtins
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tscm.settings.device import DeviceSettings

GROUP = "tscm.modules"
OWN = {
    "asa": "tscm.kinds.asa.ssh.kind:KIND",
    "asarest": "tscm.kinds.asa.rest.kind:KIND",
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
    """Every kind, by its type."""
    return tuple(module(one) for one in types())


def module(name: str) -> Module:
    """The kind of that type.  Raises `ValueError` with the types that there are."""
    place = OWN.get(name) or (_places().get(name) if isinstance(name, str) else None)
    if place is None:
        from tscm.settings.values import refused

        raise refused(name, "is no type of device", ", ".join(types()))
    return _loaded(place)


@cache
def secret_names() -> tuple[str, ...]:
    """Settings of any kind that nobody is shown."""
    from tscm.settings.device import secrets_of

    return tuple(dict.fromkeys(name for one in modules() for name in secrets_of(one.settings)))


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
