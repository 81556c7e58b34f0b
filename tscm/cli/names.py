"""
The argument NAME, completed by the shell from the devices that there are.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tscm.settings.files import device_names

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
        session = ctx.find_root().obj
        if session is None:
            from pathlib import Path

            from tscm.settings.layout import Layout

            layout = Layout(Path(ctx.find_root().params.get("root") or "/").absolute())
        else:
            layout = session.layout
        try:
            names = device_names(layout)
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def device_argument(function: F) -> F:
    """The argument NAME of a command."""
    decorated: F = click.argument("name", type=DeviceName())(function)
    return decorated


def optional_device_argument(function: F) -> F:
    """The argument [NAME] of a command that also works on all devices."""
    decorated: F = click.argument("name", type=DeviceName(), required=False)(function)
    return decorated
