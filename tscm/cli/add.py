"""
`tsadmin add`: ask, check, store, and say what comes next.
"""

import sys
from collections.abc import Mapping
from typing import Any

import click

from tscm.cli import say
from tscm.cli.add_paired import AUTO_TYPE, add_paired, pairing_options
from tscm.cli.options import check_type, every_option, given_options, setting_options
from tscm.cli.passwords import take_secrets
from tscm.cli.pinning import HOST_KEY, NotPinned, is_the_devices, may_ask, shown_by
from tscm.cli.progress import shown_progress
from tscm.cli.prompts import (
    Objection,
    ask_device_key,
    ask_name,
    ask_settings,
    confirmed,
    prompt_corrections,
)
from tscm.cli.session import Session
from tscm.cli.words import Words
from tscm.devices.answers import Added, CheckReport
from tscm.devices.checks import refuse_without_servers
from tscm.errors import ControlUnavailable, DeviceExists, Fault, SettingsFaulty, TscmError
from tscm.faces.backend import Backend
from tscm.kinds.kind import Kind, kind_named
from tscm.operations.arguments import NewDevice, Nothing, Prospect
from tscm.operations.table.devices import ADD, PROSPECT
from tscm.operations.table.listing import DEVICES
from tscm.plural import many
from tscm.printable import visible
from tscm.settings import values
from tscm.settings.files import read_node
from tscm.settings.modules import types

_TYPE = "tscm.type"


class TypedCommand(click.Command):
    """
    A command whose options depend on `--type`: those of a type stand in that type's help only.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the type first; refuse an unknown one before its options look unknown."""
        kind = type_in(args)
        wants_help = not {"--help", "-h"}.isdisjoint(args)
        if not ctx.resilient_parsing and not (kind is None and wants_help) and kind != AUTO_TYPE:
            check_type(kind)
        ctx.meta[_TYPE] = kind
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own and those of the type; those of all types for a shell that completes before the type."""
        *own, help_option = super().get_params(ctx)
        kind = ctx.meta.get(_TYPE)
        if ctx.resilient_parsing and kind is None:
            return [*own, *every_option(), help_option]
        if kind == AUTO_TYPE:
            return [*own, *pairing_options(), help_option]
        if kind not in types():
            return [*own, help_option]
        return [*own, *setting_options(kind_named(kind)), help_option]


def type_in(arguments: list[str]) -> str | None:
    """The type that a command line names."""
    for number, word in enumerate(arguments):
        if word == "--type" and number + 1 < len(arguments):
            return arguments[number + 1]
        if word.startswith("--type="):
            return word.partition("=")[2]
    return None


@click.command(
    cls=TypedCommand,
    epilog=f"Types: {', '.join((*types(), AUTO_TYPE))}.  `tsadmin add --type TYPE --help` shows every setting of a type.",
)
@click.option(
    "--type",
    "kind_name",
    type=Words(*types(), AUTO_TYPE),
    metavar="TYPE",
    help="Type of the device; auto: paired with a portal, which has its settings.",
)
@click.option("--advanced", is_flag=True, help="Also ask for the advanced settings.")
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.argument("name", required=False)
@click.pass_obj
def command(
    session: Session,
    /,
    kind_name: str,
    name: str | None,
    *,
    advanced: bool,
    json_output: bool,
    **parameters: Any,
) -> int:
    """
    Add a device.

    Prompts for required settings that are not given.  Both lists are fetched and the
    device is queried before anything is stored.
    """
    if kind_name == AUTO_TYPE:
        return add_paired(session, name, parameters, tell_added, json_output=json_output)
    backend, kind = session.backend(), kind_named(kind_name)
    if name is not None:
        refuse_name(backend, name)
    given = take_secrets(given_options(parameters))
    if not backend.running:  # told before the questions, not after them
        refuse_without_servers(session.layout, read_node(session.layout))
    table = {"type": kind.type, **asked(backend, kind, name, given, advanced=advanced)}
    dialogue = sys.stdin.isatty() and (advanced or not kind.complete(given))
    pinned_at: str | None = None
    while True:
        try:
            with shown_progress(aside=json_output) as report:
                result = backend.call(ADD, NewDevice(settings=table), report)
        except TscmError as error:
            shown = shown_by(error) if table.get(kind.pin) is None else None
            if not is_correctable(error) or not (dialogue or (shown is not None and may_ask())):
                raise
            say.error(str(error))
            if shown is not None and is_the_devices(shown):
                table[kind.pin] = shown
                pinned_at = table.get("device")
                continue
            if not dialogue:  # all was given as options: there is nothing else to ask
                raise NotPinned(
                    str(table.get("name") or "the device"), (shown or "").startswith(HOST_KEY)
                ) from None
            if not confirmed(
                "Correct the answers and try again? (y or n) [default y] ", default=True
            ):
                return error.exit_status
            heard = objections(backend, table)
            table = prompt_corrections(kind.questions, table, advanced=advanced, objections=heard)
            if pinned_at is not None and table.get("device") != pinned_at:
                table.pop(kind.pin, None)  # it was another device's
                pinned_at = None
        else:
            break
    if json_output:
        say.as_json(result)
    else:
        tell_added(result)
    return 0


def is_correctable(error: TscmError) -> bool:
    """Could other answers help?  Not where the manager, its key or its lock is what is wrong."""
    return error.exit_status in {1, 2} and not isinstance(error, ControlUnavailable)


def refuse_name(backend: Backend, name: str) -> None:
    """Refuse a nickname out of form or taken, before anything is asked."""
    try:
        values.nickname(name)
    except ValueError as error:
        wrong, _, allowed = str(error).partition("; allowed: ")
        raise SettingsFaulty(
            "device settings", [Fault(where="NAME", wrong=wrong, allowed=allowed)]
        ) from None
    if name in taken_names(backend):
        raise DeviceExists(name)


def taken_names(backend: Backend) -> set[str]:
    """Nicknames that there are."""
    return {row.name for row in backend.call(DEVICES, Nothing())}


def asked(
    backend: Backend, kind: Kind, name: str | None, given: Mapping[str, Any], *, advanced: bool
) -> dict[str, Any]:
    """*given* with what is still needed asked for; without a question when nothing is."""
    complete = kind.complete(given)
    table = dict(given)
    if name is not None:
        table["name"] = name
    elif not complete:
        names = taken_names(backend)
        table["name"] = ask_name(names.__contains__)
    if complete and not advanced:
        return table
    heard = objections(backend, table)
    if "device" in given:
        heard["device"](str(given["device"]))
    answers = ask_settings(
        kind.questions, given, None, basic=not complete, advanced=advanced, objections=heard
    )
    return with_device_key(backend, {**table, **answers}, None)


def objections(backend: Backend, table: Mapping[str, Any]) -> dict[str, Objection]:
    """What is objected to an answer before the next question is asked: an address that another device has."""
    name = str(table.get("name") or table.get("device_id") or "")

    def address(value: str) -> None:
        backend.call(PROSPECT, Prospect(name=name, address=value))

    return {"device": address}


def with_device_key(
    backend: Backend, table: dict[str, Any], present: Mapping[str, Any] | None
) -> dict[str, Any]:
    """*table* with the device key, asked for where logs go to a log service that wants one."""
    if "upload_key" in table:
        return table
    sends = table.get("send_logs", True if present is None else present["send_logs"])
    try:
        sends = values.yes_no(sends)
    except ValueError:
        return table  # the fault will be told
    name = str(table.get("name") or (present or {}).get("name") or "")
    url = backend.call(PROSPECT, Prospect(name=name)).key_wanted_at if sends else None
    if url is None:
        return table
    key = ask_device_key(url, None if present is None else present.get("upload_key"))
    return table if key is None else {**table, "upload_key": key}


def tell_added(result: Added) -> None:
    """What was found, what was stored, and the lines for the firewall."""
    name = result.name
    tell_check(result.check)
    size = result.settings.get("max_policy_size")
    if size is not None:
        say.info(
            f"Max Policy Size is {many(size, 'entry', 'entries')}; if the device can "
            f"handle it, raise it step by step with `tsadmin configure {name}`"
        )
    say.info(f"Device {name} added")
    for note in result.notes:
        say.warn(note)
    if result.lines:
        say.info(f"Enter on the {result.on}:")
        say.plain("")
        say.plain(visible(result.lines.rstrip("\n"), keep="\n"))
        say.plain("")
    say.info(
        f"Next: push the lists with `tsadmin update {name}`; see the state with `tsadmin "
        f"show {name}`"
    )


def tell_check(check: CheckReport | None) -> None:
    """What lists and device said."""
    if not check:
        return
    for note in check.notes:
        say.info(note)
    for warning in check.warnings:
        say.warn(warning)
