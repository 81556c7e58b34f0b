"""
The kinds of enforcement point that this installation has, found by name (entry points of `tscm.modules`).

A kind is a package of its own, or a room of `tscm.kinds`; without any the core alone collects.  What a kind is,
besides how its settings are read, says `tscm.kinds.kind.Kind`.
"""

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tscm.printable import quoted
from tscm.settings.values import refused

if TYPE_CHECKING:
    from tscm.settings.device import DeviceSettings

GROUP = "tscm.modules"
PACKAGES: Mapping[str, str] = {
    "asa": "ts-asa",
    "asahttp": "ts-asahttp",
    "asarest": "ts-asarest",
    **dict.fromkeys(
        ("checkpoint", "firepower", "fortinet", "generic", "mikrotik", "panos"), "ts-lists"
    ),
}
"""The packages that bring the kinds of this project, installed or not."""


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
    place = _places().get(name) if known else None
    if place is None and known and name in PACKAGES:
        missing = f"is a device type of the package {PACKAGES[name]}, which is not installed"
        raise refused(name, missing, ", ".join(types()) or _install_one())
    if place is None:
        raise refused(name, "is not a device type", ", ".join(types()) or _install_one())
    try:
        return _loaded(place)
    except Exception as error:
        raise refused(
            name, f"cannot be loaded ({quoted(str(error))})", "a type whose package works"
        ) from error


def packages() -> tuple[str, ...]:
    """The packages of this project that bring a kind."""
    return tuple(dict.fromkeys(PACKAGES.values()))


def _install_one() -> str:
    return f"none without one of the packages {', '.join(packages())}"


@cache
def secret_names() -> tuple[str, ...]:
    """Settings of any kind that are never shown."""
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
    return declared(sys.path)


def declared(folders: Sequence[str]) -> dict[str, str]:
    """
    By type, the place that installed packages in *folders* declare; an earlier folder wins.

    Reads `*.dist-info/entry_points.txt` (Python Packaging User Guide, "Entry points specification").  The standard
    library's reader takes a tenth of a second to be imported, which every `tsadmin` would pay for.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for text in _declarations(folder):
            for name, place in _entries(text):
                found.setdefault(name, place)
    return found


def _declarations(folder: str) -> Iterator[str]:
    try:
        found = sorted(Path(folder).iterdir())
    except OSError:  # a zip file, or gone
        return
    for one in found:
        if one.suffix == ".dist-info":
            with suppress(OSError, UnicodeDecodeError):
                yield (one / "entry_points.txt").read_text("utf-8")


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Names and places in the section of `GROUP`."""
    if f"[{GROUP}]" not in text:
        return
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == f"[{GROUP}]" and "=" in line and not line.startswith(("#", ";")):
            name, _, place = line.partition("=")
            yield name.strip(), place.strip()


@cache
def _loaded(place: str) -> Module:
    path, _, name = place.partition(":")
    found: Any = getattr(import_module(path), name)
    kind: Module = found
    return kind
