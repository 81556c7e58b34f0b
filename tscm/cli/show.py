"""
`tsadmin show`: the settings in force with secrets masked, and the state.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import click

from tscm.cli import say
from tscm.cli.names import device_argument
from tscm.cli.session import Session
from tscm.cli.tables import show_pairs
from tscm.devices import propose
from tscm.model import Json
from tscm.settings.device import DeviceSettings
from tscm.settings.files import read_node


@click.command()
@device_argument
@click.option("--lines", is_flag=True, help="Show what to type on the ASA for this device.")
@click.option("--json", "json_output", is_flag=True, help="Give settings and state as JSON.")
@click.pass_obj
def command(session: Session, /, name: str, *, lines: bool, json_output: bool) -> None:
    """
    Show the settings of a device, secrets masked, and its state.
    """
    backend = session.backend()
    found = backend.view(name)
    if lines:
        text = setup_text(session.layout, found["settings"])
        if json_output:
            say.as_json({"name": name, "lines": text})
        else:
            say.plain(say.visible(text.rstrip("\n"), keep="\n"))
        return
    if json_output:
        say.as_json(found)
        return
    show_pairs(_settings(found["settings"]), f"Settings of {name}")
    if not backend.running:
        say.info("The manager is not running, so there is no state to show")
        return
    show_pairs(_flat(found.get("state") or {}), f"State of {name}")


def setup_text(layout: Any, view: Json) -> str:
    """What to type on the ASA, made from the masked settings."""
    from tscm.asa.lines import setup_lines

    text: str = setup_lines(propose(view), read_node(layout))
    return text


def _settings(view: Json) -> Iterator[tuple[str, Any]]:
    for one in attrs.fields(DeviceSettings):
        if one.name in view:
            yield one.name, view[one.name]


def _flat(state: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in state.items():
        label = f"{before}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}: ")
        elif name.endswith("_at") and isinstance(value, int | float):
            yield f"{before}{name.removesuffix('_at').replace('_', ' ')}", when(value)
        else:
            yield label, value


def when(seconds: float) -> str:
    """A moment in the operator's time zone."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")
