"""
`tsadmin configure`: the questions of `add` with the present values as defaults.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tscm.cli import say
from tscm.cli.add import objections, tell_check, with_device_key
from tscm.cli.names import devices_arguments
from tscm.cli.options import check_type, every_option, given_options
from tscm.cli.passwords import take_secrets
from tscm.cli.pinning import asking_to_pin
from tscm.cli.progress import shown_progress
from tscm.cli.prompts import ask_settings, confirmed
from tscm.cli.session import Session
from tscm.cli.several import Done, chosen, each
from tscm.cli.words import Words
from tscm.devices.answers import Changed
from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.kinds.kind import Kind, kind_named
from tscm.model import Json
from tscm.operations.arguments import ChangedDevice, Device
from tscm.operations.table.devices import CHANGE, VIEW
from tscm.operations.table.policies import HISTORY
from tscm.plural import many
from tscm.settings.modules import types
from tscm.store.generations import GenerationRow

OWN = frozenset(
    {
        "type", "device_id", "device", "syslog_sources", "ha_members", "rest_url", "fingerprint",
        "context", "host_key",
        "tls_fingerprints", "upload_key", "tsig_name", "tsig_key", "entry",
    }
)  # fmt: skip
"""Settings that no two devices have in common."""
_ABOUT_FORCE = ("block_list", "allow_list", "max_policy_size")


class NotConfirmed(TscmError):
    """
    A change takes away what is in force, and this was not confirmed.
    """

    def __init__(self, name: str, changes: tuple[str, ...], *, asked: bool) -> None:
        self.name = name
        self.changes = changes
        self.exit_status = 1 if asked else 2
        self.asked = asked
        super().__init__(name, changes)

    def __str__(self) -> str:
        if self.asked:
            return f"{self.name} is unchanged"
        return (
            f"{self.name} is unchanged: {'; '.join(self.changes)}; there is no terminal to "
            "confirm at; if the change is intended, add --yes"
        )


@click.command(params=every_option())
@devices_arguments
@click.option(
    "--type",
    "kind_name",
    type=Words(*types()),
    metavar="TYPE",
    help="Reach the device in another way, with its groups and all that is known of it as they are.",
)
@click.option("--advanced", is_flag=True, help="Also ask for the advanced settings.")
@click.option(
    "--yes",
    is_flag=True,
    help="Do not ask for confirmation, even if the change removes entries in force.",
)
@click.option(
    "--json",
    "json_output",
    is_flag=True,
    help="Print the result as JSON; for several devices, by name.",
)
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    kind_name: str | None,
    everyone: bool,
    advanced: bool,
    yes: bool,
    json_output: bool,
    **parameters: Any,
) -> int:
    """
    Change the settings of a device; with options, also of several devices, or of all.

    With options, only those settings are changed, without prompts (--advanced still prompts for the advanced
    settings).  `none` clears a setting that may be empty.  For several devices, only settings that they
    can have in common can be changed: a SIEM, a proxy, the account.
    """
    if kind_name is not None:
        parameters["type"] = check_type(kind_name)
    backend = session.backend()
    wanted = chosen(backend, names, everyone=everyone)
    several = everyone or len(wanted) > 1
    if several:
        _refuse_own(given_options(parameters), advanced=advanced)
    given = take_secrets(given_options(parameters))

    def configure(name: str) -> Done:
        result = _configure(
            backend, name, given, advanced=advanced, yes=yes, json_output=json_output
        )
        changed = result.changed
        return Done(
            answer=result,
            sentence=f"changed {', '.join(changed)}" if changed else "nothing has changed",
        )

    if several:
        return each(wanted, configure, json_output=json_output)
    done = configure(wanted[0])
    if json_output:
        say.as_json(done.answer)
    return 0


def _refuse_own(given: Mapping[str, Any], *, advanced: bool) -> None:
    """Raise `click.UsageError` for questions, and for settings that each device has for itself."""
    own = [f"--{name}" for name in given if name.removesuffix("_file") in OWN]
    if own:
        raise click.UsageError(
            f"{', '.join(own)}: every device has its own; configure one device at a time"
        )
    if advanced or not given:
        raise click.UsageError(
            "with several devices, give the changes as options; there are no prompts"
        )


def _configure(
    backend: Backend,
    name: str,
    given: Json,
    *,
    advanced: bool,
    yes: bool,
    json_output: bool,
) -> Changed:
    """One device: what is asked, checked, stored and told."""
    present = backend.call(VIEW, Device(name=name)).settings
    kind = kind_named(str(given.get("type") or present["type"]))
    given = {**given, **_of_the_new_way(kind, present, given)}
    answers = ask_settings(
        kind.questions,
        given,
        present,
        basic=not given,
        advanced=advanced,
        objections=objections(backend, present),
    )
    table = {**given, **answers}
    if not given:
        table = with_device_key(backend, table, present)
    if not yes:
        _ask_about_force(backend, name, present, table)

    def store(settings: Json) -> Changed:
        with shown_progress(aside=json_output) as report:
            return backend.call(CHANGE, ChangedDevice(name=name, settings=settings), report)

    result = asking_to_pin(store, table, kind.pin)
    if not json_output:
        _tell(result)
    return result


def _of_the_new_way(kind: Kind, present: Json, given: Json) -> Json:
    """What a device that is to be reached in another way needs for that, asked at a terminal."""
    if kind.type == present["type"] or not sys.stdin.isatty():
        return {}
    known = {one.name for one in kind_named(str(present["type"])).questions}
    new = [
        one
        for one in kind.questions
        if one.name not in known or (one.needed and present.get(one.name) is None)
    ]
    return ask_settings(new, given, None, basic=True, advanced=False)


def _ask_about_force(backend: Backend, name: str, present: Json, table: Json) -> None:
    """
    Ask now what no update asks about later: the operator's own choice starts no alarm.
    """
    if not any(one in table for one in _ABOUT_FORCE):
        return
    try:
        newest = next(iter(backend.call(HISTORY, Device(name=name)).generations), None)
    except TscmError:
        return  # what is in force cannot be told, and no update comes either
    changes = tuple(losses(present, table, newest))
    if not changes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(name, changes, asked=False)
    for one in changes:
        say.warn(f"{one[0].upper()}{one[1:]}")
    if not confirmed("Apply this change? (y or n) [default n] "):
        raise NotConfirmed(name, changes, asked=True)


def losses(
    present: Mapping[str, Any], table: Mapping[str, Any], in_force: GenerationRow | None
) -> Iterator[str]:
    """
    What the settings in *table* take away of what is *in_force*, a kept generation, in words.
    """
    if in_force is None:
        return
    block, allow = in_force.block_entries, in_force.allow_entries
    for kind, count in (("block", block), ("allow", allow)):
        old, new = present.get(f"{kind}_list"), table.get(f"{kind}_list")
        if new is not None and count and str(new).strip().lower() != str(old).lower():
            entries = many(count, "entry", "entries")
            are = "is" if count == 1 else "are"
            yield f"{entries} in force from the {kind} list {old} {are} replaced by those of {new}"
    try:
        room = int(str(table.get("max_policy_size"))) - allow
    except ValueError:
        return
    if room < block:
        yield (
            f"of {many(block, 'block entry', 'block entries')} in force, at most "
            f"{max(0, room):,} remain with this Max Policy Size"
        )


def _tell(result: Changed) -> None:
    tell_check(result.check)
    if result.changed:
        say.info(f"Device {result.name}: changed {', '.join(result.changed)}")
    else:
        say.info(f"Device {result.name}: nothing has changed")
    for note in result.notes:
        say.warn(note)
