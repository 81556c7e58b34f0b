"""
`tsadmin show`: the settings in force with secrets masked, and the state.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from tscm.cli import say
from tscm.cli.list import KEPT
from tscm.cli.manager_state import status_pairs
from tscm.cli.names import optional_device_argument
from tscm.cli.session import Session
from tscm.cli.state import state_pairs, unknown_name
from tscm.cli.tables import show_pairs
from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.kinds.kind import kind_of
from tscm.model import Json
from tscm.operations.answers import DeviceView
from tscm.operations.arguments import Device, Nothing
from tscm.operations.table.devices import SETUP_LINES, VIEW
from tscm.operations.table.manager import STATUS
from tscm.printable import visible
from tscm.settings.files import open_device, read_node
from tscm.settings.layout import Layout


@click.command()
@optional_device_argument
@click.option("--lines", is_flag=True, help="Show what to enter on the firewall for this device.")
@click.option("--json", "json_output", is_flag=True, help="Print settings and state as JSON.")
@click.pass_obj
def command(session: Session, /, name: str | None, *, lines: bool, json_output: bool) -> None:
    """
    Show a device's settings, with secrets masked, and its state; without NAME, the manager's
    state.
    """
    backend = session.backend()
    if name is None:
        _show_manager(backend, json_output=json_output)
        return
    found = backend.call(VIEW, Device(name=name))
    if lines:
        text = setup_text(session.layout, backend, name)
        if json_output:
            say.as_json({"name": name, "lines": text})
        else:
            say.plain(visible(text.rstrip("\n"), keep="\n"))
        return
    if json_output:
        say.as_json(_json_of(found))
        return
    show_pairs(settings_pairs(found.settings), f"Settings of {name}")
    if found.portal is not None:
        say.info(f"Paired: the settings are changed at the portal {visible(found.portal)}")
    state = found.state
    if state is None:
        for one in found.unknown_names or ():
            say.warn(visible(unknown_name(one)))
        say.info("The manager is not running, so there is no state to show")
        return
    say.plain("")
    show_pairs(state_pairs(found.settings, state), f"State of {name}")
    if state.fault:
        say.error(f"{KEPT}{state.fault}")


def _json_of(found: DeviceView) -> Json:
    """As JSON always had it: an empty state where no manager runs."""
    from tscm.wire.writing import as_json

    told = as_json(found)
    return {**told, "state": told["state"] or {}}


def _show_manager(backend: Backend, *, json_output: bool) -> None:
    status = backend.call(STATUS, Nothing())
    if json_output:
        say.as_json(status)
    else:
        show_pairs(status_pairs(status), "The manager")


def settings_pairs(view: Json) -> Iterator[tuple[str, Any]]:
    """The settings by name, each as it would be typed."""
    for name, value in view.items():
        unset = "auto" if name == "rest_url" else "none"
        if value is None:
            yield name, unset
        else:
            yield name, str(value) if name.endswith("_port") else value


def setup_text(layout: Layout, backend: Backend, name: str) -> str:
    """What to enter on the firewall; with secrets that must be in it only for who may open them."""
    with suppress(TscmError, OSError):
        settings = open_device(layout, name)
        return kind_of(settings).setup(settings, read_node(layout))
    return backend.call(SETUP_LINES, Device(name=name)).text
