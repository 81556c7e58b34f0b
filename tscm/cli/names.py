"""
The argument NAME, completed by the shell from the devices that there are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tscm.cli.session import Session
from tscm.settings.files import device_names
from tscm.settings.layout import Layout

F = TypeVar("F", bound=Callable[..., Any])


class DeviceName(click.ParamType[str]):
    """
    A nickname.  Whether there is such a device is for the backend to say.
    """

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Nicknames of stored devices; nothing where the folder cannot be read."""
        del param
        try:
            names = device_names(layout_of(ctx))
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def layout_of(ctx: click.Context) -> Layout:
    """The node that a command line is about, also while the shell completes it."""
    root = ctx.find_root()
    if isinstance(root.obj, Session):
        return root.obj.layout
    return Layout(Path(root.params.get("root") or "/").absolute())


def device_argument(function: F) -> F:
    """The argument NAME of a command."""
    decorated: F = click.argument("name", type=DeviceName())(function)
    return decorated


def optional_device_argument(function: F) -> F:
    """The argument [NAME] of a command that also works on all devices."""
    decorated: F = click.argument("name", type=DeviceName(), required=False)(function)
    return decorated


def devices_arguments(function: F) -> F:
    """The arguments NAME… and the option --all of a command that works on one device after the other."""
    every = click.option("--all", "everyone", is_flag=True, help="Every device.")(function)
    decorated: F = click.argument("names", type=DeviceName(), nargs=-1, metavar="[NAME]...")(every)
    return decorated
