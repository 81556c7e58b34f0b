"""
`tsadmin add --type auto`: a device whose settings come from a portal, now and from now on.
"""

import sys
from collections.abc import Callable
from typing import Any

import click

from tscm.cli import say
from tscm.cli.options import every_option, given_options
from tscm.cli.passwords import first_line, take_secrets
from tscm.cli.pinning import HOST_KEY, NotPinned, is_the_devices, may_ask, shown_by
from tscm.cli.progress import shown_progress
from tscm.cli.session import Session
from tscm.devices.answers import Added
from tscm.errors import Fault, SettingsFaulty, TscmError
from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import PairedDevice
from tscm.operations.entry_arguments import Paired
from tscm.operations.table.pairing import BONDS, PAIR
from tscm.pairing.documents import STAYS
from tscm.printable import visible
from tscm.settings.modules import secret_names

AUTO_TYPE = "auto"
_OWN = ("device_id", "auto_key", "portal")
_SIZE = "max_policy_size"


def pairing_options() -> list[click.Option]:
    """What is given for pairing, and the settings that stay with the manager."""
    found = [
        click.Option(["--device_id"], metavar="ID", help="Device ID of the entry at the portal."),
        click.Option(
            ["--auto_key"],
            metavar="KEY|-",
            help="Auto key of that entry, good once; `tsadmin portal code` there hands it out.",
        ),
        click.Option(
            ["--portal"],
            metavar="URL",
            help="The portal.  [default: that of the devices which are paired already]",
        ),
    ]
    stays = {*secret_names(), *(f"{one}_file" for one in secret_names()), *STAYS, _SIZE}
    taken = {*_OWN, "upload_key", "upload_key_file"}
    return found + [one for one in every_option() if one.name in stays - taken]


def add_paired(
    session: Session,
    name: str | None,
    parameters: dict[str, Any],
    tell_added: Callable[[Added], None],
    *,
    json_output: bool,
) -> int:
    """Pair, ask for what stays with the manager where that is needed, and tell what was added."""
    backend = session.backend()
    given = given_options(parameters)
    missing = [one for one in ("device_id", "auto_key") if one not in given]
    if "portal" not in given:
        portals = {one.portal for one in backend.call(BONDS, Nothing()).bonds}
        if len(portals) == 1:
            given["portal"] = portals.pop()
        else:
            missing.append("portal")
    if missing:
        faults = [Fault(where=f"--{one}", wrong="is missing", allowed="a value") for one in missing]
        raise SettingsFaulty("options", faults)
    if given["auto_key"] == "-":
        given["auto_key"] = _from_input()
    local = take_secrets({key: value for key, value in given.items() if key not in _OWN})
    while True:
        args = Paired(
            portal=given["portal"],
            device_id=given["device_id"],
            auto_key=given["auto_key"],
            device=name,
            local=local,
        )
        try:
            with shown_progress(aside=json_output) as report:
                done = backend.call(PAIR, args, report)
            break
        except TscmError as error:
            if not _asked_for(error, local, name or "the device"):
                raise
    if json_output:
        say.as_json(done)
    else:
        _tell(done, tell_added)
    return 0


def _from_input() -> str:
    try:
        return first_line(sys.stdin.buffer.readline(1000))
    except ValueError as error:
        fault = Fault(
            where="--auto_key",
            wrong=f"standard input {error}",
            allowed="the auto key on its first line",
        )
        raise SettingsFaulty("options", [fault]) from None


def _asked_for(error: TscmError, local: dict[str, Any], name: str) -> bool:
    """Whether the operator gave what *error* says is missing: a password, or a pin."""
    shown = shown_by(error)
    if shown is not None and may_ask():
        pin = "host_key" if shown.startswith(HOST_KEY) else "fingerprint"
        if local.get(pin) == shown:
            return False
        say.error(str(error))
        if not is_the_devices(shown):
            raise NotPinned(name, shown.startswith(HOST_KEY)) from None
        local[pin] = shown
        return True
    wanted = [
        one for one in secret_names() if f"--{one} " in str(error) or f"--{one}:" in str(error)
    ]
    if not wanted or wanted[0] in local or not sys.stdin.isatty():
        return False
    local[wanted[0]] = click.prompt(f"Device {wanted[0].replace('_', ' ')}", hide_input=True)
    return True


def _tell(done: PairedDevice, tell_added: Callable[[Added], None]) -> None:
    if done.added is not None:
        tell_added(done.added)
    for note in done.notes:
        say.warn(visible(note))
    sentence = visible(done.sentence)
    say.info(f"{sentence[:1].upper()}{sentence[1:]}; its settings are changed at the portal")
