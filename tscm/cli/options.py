"""
Every setting as an option, made from the settings themselves.

Options are read as text, so that `devices.propose` reports all faults at once.
"""

from typing import Any

import attrs
import click

from tscm.cli.questions import NEEDED, QUESTIONS
from tscm.cli.words import Words
from tscm.errors import Fault, SettingsFaulty
from tscm.settings.device import SECRETS, DeviceSettings
from tscm.settings.values import allowed, shown, words_of

TYPES = ("asarest",)
_NOT_OPTIONS = frozenset({"name", "type", "entry"})


def setting_options() -> list[click.Option]:
    """The options of the type `asarest`, in the order of the questions."""
    found: list[click.Option] = []
    for one in attrs.fields(DeviceSettings):
        if one.name in _NOT_OPTIONS:
            continue
        found.append(_option(one))
        if one.name in SECRETS:
            found.append(
                click.Option(
                    [f"--{one.name}_file"],
                    type=click.Path(),
                    metavar="FILE",
                    help=f"Read --{one.name} from this file.",
                )
            )
    return found


def _option(one: "attrs.Attribute[Any]") -> click.Option:
    """The option of one setting; the shell completes what has a few words only, and files."""
    words = words_of(one.metadata["read"])
    if words:
        return click.Option([f"--{one.name}"], type=Words(*words), help=_help(one))
    metavar = "TEXT|-" if one.name in SECRETS else "VALUE"
    if one.name.endswith("_file"):
        kind: click.ParamType[Any] = click.Path()
        return click.Option([f"--{one.name}"], type=kind, metavar="FILE", help=_help(one))
    return click.Option([f"--{one.name}"], metavar=metavar, help=_help(one))


def _help(one: "attrs.Attribute[Any]") -> str:
    """The setting's words, what it takes where its words do not tell, and its default."""
    advanced = {question.name for question in QUESTIONS if question.advanced}
    words = one.metadata["doc"].rstrip(".")
    kind = " (advanced)" if one.name in advanced else ""
    stop = "" if words.endswith("?") and not kind else "."
    return f"{words}{kind}{stop}{_taken(one)}  [{_default(one)}]"


def _taken(one: "attrs.Attribute[Any]") -> str:
    """What may be given; of a few words the option's name tells already."""
    read = one.metadata["read"]
    taken = "" if words_of(read) or one.name in SECRETS else allowed(read)
    return f"  Allowed: {taken}." if taken else ""


def _default(one: "attrs.Attribute[Any]") -> str:
    if one.name in NEEDED:
        return "asked for"
    if one.name == "max_policy_size":
        return f"default: what the platform bears, else {one.default:,}"
    if one.name == "rest_url":
        return "default: auto"
    if isinstance(one.default, bool):
        return f"default: {'yes' if one.default else 'no'}"
    return f"default: {'none' if one.default in (None, ()) else one.default}"


def check_type(word: str | None) -> str:
    """The type given; raises `SettingsFaulty` with the types that there are."""
    known = ", ".join(TYPES)
    if word is None:
        raise SettingsFaulty(
            "options", [Fault(where="--type", wrong="is not given", allowed=known)]
        )
    if word == "auto":
        raise SettingsFaulty(
            "options",
            [
                Fault(
                    where="--type",
                    wrong="pairing with the portal (auto) is not there yet",
                    allowed=f"{known}, with the settings that the portal shows for the device",
                )
            ],
        )
    if word not in TYPES:
        raise SettingsFaulty(
            "options",
            [Fault(where="--type", wrong=f"{shown(word)} is no type of device", allowed=known)],
        )
    return word


def given_options(parameters: dict[str, Any]) -> dict[str, Any]:
    """What stood on the command line, of all options."""
    return {name: value for name, value in parameters.items() if value is not None}
