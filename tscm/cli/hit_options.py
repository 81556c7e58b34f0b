"""
Options of commands that show lines about hits: the filters of `tsadmin report`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tscm.cli.words import Words
from tscm.model import Json

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--action", type=Words("blocked", "allowed"), help="Only lines about this."),
    click.option("--direction", type=Words("inbound", "outbound"), help="Only lines about this."),
    click.option("--list", "list_name", help="Only lines about hits on this list."),
    click.option("--entry", help="Only lines about hits on this entry."),
    click.option("--inside", help="Only lines about this inside host or network."),
    click.option("--outside", help="Only lines about this listed address or network."),
    click.option("--port", help="Only lines about these ports, separated by commas."),
    click.option("--not_port", help="No lines about these ports, separated by commas."),
)


def hit_options(command: F) -> F:
    """Add them to *command*."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_of(options: Json) -> Json:
    """Those that were given, as operations name them."""
    named = {"list" if name == "list_name" else name: value for name, value in options.items()}
    return {name: value for name, value in named.items() if value is not None}
