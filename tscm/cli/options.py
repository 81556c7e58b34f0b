"""
Every setting as an option, made from the settings themselves.

Options are read as text, so that `devices.propose` reports all faults at once.
"""

from typing import Any

import attrs
import click

from tscm.cli.words import Words
from tscm.errors import Fault, SettingsFaulty
from tscm.kinds.kind import Kind, kind_named, kinds
from tscm.settings.modules import packages, types
from tscm.settings.shapes import options
from tscm.settings.values import allowed, words_of

_NOT_OPTIONS = frozenset({"name", "type", "entry"})


def setting_options(kind: Kind) -> list[click.Option]:
    """The options of a kind, in the order of the questions."""
    found: list[click.Option] = []
    for one in options(kind.settings).values():
        if one.name in _NOT_OPTIONS:
            continue
        found.append(_option(kind, one))
        if one.metadata.get("secret"):
            found.append(
                click.Option(
                    [f"--{one.name}_file"],
                    type=click.Path(),
                    metavar="FILE",
                    help=f"Read --{one.name} from this file.",
                )
            )
    return found


def every_option() -> list[click.Option]:
    """The options of all kinds, each once: for a command that meets the kind in the device's file."""
    found = {str(one.name): one for kind in kinds() for one in setting_options(kind)}
    return list(found.values())


def _option(kind: Kind, one: "attrs.Attribute[Any]") -> click.Option:
    """The option of one setting; the shell completes what has a few words only, and files."""
    words = words_of(one.metadata["read"])
    if words:
        return click.Option([f"--{one.name}"], type=Words(*words), help=_help(kind, one))
    metavar = "TEXT|-" if one.metadata.get("secret") else "VALUE"
    if one.name.endswith("_file"):
        return click.Option(
            [f"--{one.name}"], type=click.Path(), metavar="FILE", help=_help(kind, one)
        )
    return click.Option([f"--{one.name}"], metavar=metavar, help=_help(kind, one))


def _help(kind: Kind, one: "attrs.Attribute[Any]") -> str:
    """The setting's words, what it takes where its words do not tell, and its default."""
    advanced = {question.name for question in kind.questions if question.advanced}
    words = one.metadata["doc"].rstrip(".")
    level = " (advanced)" if one.name in advanced else ""
    stop = "" if words.endswith("?") and not level else "."
    return f"{words}{level}{stop}{_taken(one)}  [{_default(kind, one)}]"


def _taken(one: "attrs.Attribute[Any]") -> str:
    """What may be given; of a few words the option's name tells already."""
    read = one.metadata["read"]
    taken = "" if words_of(read) or one.metadata.get("secret") else allowed(read)
    return f"  Allowed: {taken}." if taken else ""


def _default(kind: Kind, one: "attrs.Attribute[Any]") -> str:
    if one.name in kind.needed:
        return "prompted for"
    if one.name == "max_policy_size":
        return f"default: what the platform supports, otherwise {one.default:,}"
    unset = {question.name: question.unset for question in kind.questions}
    if one.default is None and unset.get(one.name, "none") != "none":
        return f"default: {unset[one.name]}"
    if isinstance(one.default, bool):
        return f"default: {'yes' if one.default else 'no'}"
    return f"default: {'none' if one.default in (None, ()) else one.default}"


def check_type(word: str | None) -> str:
    """The type given; raises `SettingsFaulty` with the types that there are."""
    known = ", ".join(types()) or f"none without one of the packages {', '.join(packages())}"
    if word is None:
        raise SettingsFaulty("options", [Fault(where="--type", wrong="is missing", allowed=known)])
    try:
        kind_named(word)
    except ValueError as error:
        wrong, _, allowed_types = str(error).partition("; allowed: ")
        fault = Fault(where="--type", wrong=wrong, allowed=allowed_types)
        raise SettingsFaulty("options", [fault]) from None
    return word


def given_options(parameters: dict[str, Any]) -> dict[str, Any]:
    """What stood on the command line, of all options."""
    return {name: value for name, value in parameters.items() if value is not None}
