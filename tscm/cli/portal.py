"""
`tsadmin portal`: device entries of the embedded policy and log service.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.portal_policies import bundles, json_option, policies, targets, why
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_pairs, show_table
from tscm.model import Json
from tscm.operations.arguments import Nothing
from tscm.operations.entry_answers import EntryHandedOut, EntryRow
from tscm.operations.entry_arguments import CodeWanted, EntryAdded, EntryChanged, EntryNamed
from tscm.operations.table.portal_entries import (
    ADD_ENTRY,
    CHANGE_ENTRY,
    DELETE_ENTRY,
    ISSUE_CODE,
    PORTAL_ENTRIES,
    ROTATE_KEY,
    UNPAIR_ENTRY,
)
from tscm.policy.by_hand import read_span
from tscm.printable import visible
from tscm.services.entries import EntryUnknown, entry_file

F = TypeVar("F", bound=Callable[..., Any])


class Nickname(click.ParamType[str]):
    """The nickname of an entry.  Whether there is one is for those to say who read it."""

    name = "nickname"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Nicknames of the entries on disk."""
        from tscm.cli.names import layout_of
        from tscm.services.entries import entries_folder

        del param
        try:
            folder = entries_folder(layout_of(ctx).portal)
            names = sorted(one.stem for one in folder.iterdir() if one.suffix == ".toml")
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group()
def command() -> None:
    """
    The embedded services: device entries, and the policies that are published.

    An entry registers an address with the policy service and a device ID with the log service.
    """


for _one in (policies, targets, bundles, why):
    command.add_command(_one)


_FIELDS: tuple[tuple[str, str, str], ...] = (
    ("address", "ADDRESS", "Public address (IP type static)."),
    ("domain", "NAME", "Domain name to resolve (IP type dynamic)."),
    ("policy", "NAME", "Policy whose two lists the device uses."),
    ("block_list", "NAME", "Block list name, without a policy.  [default: derived from NICKNAME]"),
    ("allow_list", "NAME", "Allow list name, without a policy.  [default: derived from NICKNAME]"),
    ("manufacturer", "TEXT", "Manufacturer."),
    ("model", "TEXT", "Model."),
    ("location", "TEXT", "Location."),
    ("note", "TEXT", "Note."),
)


def _fields(command: F) -> F:
    """The options for all fields of an entry."""
    integration = click.Choice(["cli", "auto"])
    text = "cli: set on the manager; auto: set here, and followed by a paired manager."
    command = click.option("--integration", type=integration, help=text)(command)
    for name, metavar, about in reversed(_FIELDS):
        command = click.option(f"--{name}", metavar=metavar, help=about)(command)
    return click.option(
        "--notify_port",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help="UDP port of the manager's [policy] notify, to which changes of its lists are told.",
    )(command)


def _settings(command: F) -> F:
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting that the paired manager follows, named as the options of `tsadmin add`; "
        "an empty VALUE takes it back.",
    )(command)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _read_settings(several: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in several:
        name, equals, value = one.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--set {visible(one)!r} is not NAME=VALUE")
        found[name.strip()] = value or None
    return found


@command.command("add")
@click.argument("nickname")
@_fields
@_settings
@json_option
@click.pass_obj
def add(
    session: Session,
    /,
    nickname: str,
    *,
    settings: tuple[str, ...],
    json_output: bool,
    **fields: Any,
) -> None:
    """
    Register a device: hands out device ID, device key and list names.

    The device key is shown this once; only its digest is kept.
    """
    args = EntryAdded(item=nickname, fields=_given(fields), settings=_read_settings(settings))
    made = session.backend().call(ADD_ENTRY, args)
    if json_output:
        say.as_json({**_plain(made.entry), **_keys(made)})
        return
    entry = made.entry
    say.info(f"Entry {entry.nickname} registered")
    rows = [
        ("Device ID (tdid)", entry.device_id),
        ("Device key", made.device_key),
        ("TSIG key name", made.tsig_name),
        ("TSIG key", made.tsig_key),
        ("Block list name", entry.block_list),
        ("Allow list name", entry.allow_list),
        ("IP type", f"{entry.ip_type} {entry.address or entry.domain}"),
        ("Block list file", made.block_file),
        ("Allow list file", made.allow_file),
    ]
    show_pairs([(name, value) for name, value in rows if value])
    if entry.integration == "auto":
        say.info(f"Next: pair its manager with `tsadmin portal code {entry.nickname}`")
        return
    say.info(
        "The device key is not shown again; give it to `tsadmin add` with --upload_key - "
        "or --upload_key_file, unless the logs go to this manager's own log service"
    )


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print the entries as JSON.")
@click.pass_obj
def list_entries(session: Session, /, *, json_output: bool) -> int:
    """
    List the entries.
    """
    found = session.backend().call(PORTAL_ENTRIES, Nothing())
    if json_output:
        say.as_json([_plain(one) for one in found.entries])
    elif found.entries:
        paired = any(one.integration == "auto" for one in found.entries)
        heads = [
            "nickname", "device_id", "ip_type", "address", "domain", "block_list", "allow_list",
            "note",
        ]  # fmt: skip
        show_table(
            [head.replace("_", " ") for head in (*heads, *(["pairing"] if paired else []))],
            [
                [*(getattr(one, head) for head in heads), *([_stage(one)] if paired else [])]
                for one in found.entries
            ],
        )
    elif not found.faults:
        say.info("No entries yet; add one with `tsadmin portal add` (`tsadmin portal add --help`)")
    for fault in found.faults:
        say.error(fault)
    return 2 if found.faults else 0


def _stage(one: EntryRow) -> str:
    """Where the pairing stands, in a few words."""
    if one.integration != "auto":
        return "-"
    if one.stage != "paired" or one.standing is None:
        return one.stage
    behind = "" if one.standing.applied == one.version else ", settings not in force"
    return f"paired{behind}{': ' + one.standing.verdict if one.standing.verdict else ''}"


@command.command("show")
@click.argument("nickname", type=Nickname())
@json_option
@click.pass_obj
def show(session: Session, /, nickname: str, *, json_output: bool) -> None:
    """
    Show an entry, the settings that its manager follows, and what that manager told last.
    """
    rows = session.backend().call(PORTAL_ENTRIES, Nothing()).entries
    found = next((one for one in rows if one.nickname == nickname), None)
    if found is None:
        raise EntryUnknown(nickname)
    if json_output:
        say.as_json(_plain(found))
        return
    show_pairs(_entry_pairs(found), f"Entry {nickname}")
    if found.settings:
        say.plain("")
        show_pairs(sorted(found.settings.items()), "Settings for its manager")
    if found.settings_fault and found.settings:
        say.error(found.settings_fault)
    if found.standing is not None and found.standing.fault:
        say.error(f"the manager: {found.standing.fault}")


def _entry_pairs(one: EntryRow) -> Iterator[tuple[str, Any]]:
    yield "Device ID (tdid)", one.device_id
    yield "IP type", f"{one.ip_type} {one.address or one.domain}"
    for name in ("policy", "block_list", "allow_list", "manufacturer", "model", "location", "note"):
        yield name.replace("_", " ").capitalize(), getattr(one, name) or "-"
    yield "Integration type", one.integration
    yield "Revision", one.revision
    if one.integration != "auto":
        return
    yield "Pairing", one.stage
    if one.code_until is not None:
        yield "Auto key good until", when(one.code_until)
    if one.paired_at is not None:
        yield "Manager", f"{one.manager} from {one.paired_from}, paired {when(one.paired_at)}"
    if one.ended_at is not None:
        yield "Unpaired", f"{when(one.ended_at)} by {one.ended_by}"
    yield "Settings version here", str(one.version or "-")
    told = one.standing
    if told is None:
        return
    yield "Settings version there", str(told.applied or "-")
    yield "Last seen", "-" if one.seen_at is None else when(one.seen_at)
    yield "Device", "; ".join((told.verdict or "-", *told.causes))
    yield "Generation", "-" if told.generation is None else str(told.generation)
    yield "Last good update", "-" if told.updated_at is None else when(told.updated_at)
    yield "Entries in force", "-" if told.entries is None else f"{told.entries:,}"
    yield "Upload", told.upload or "-"
    yield "Software", told.software or "-"


@command.command("change")
@click.argument("nickname", type=Nickname())
@_fields
@_settings
@click.option(
    "--revision",
    metavar="WORD",
    help="Revision that `portal show` told of the entry; if there is another one by now, nothing changes.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Send the settings again under a newer version, after this portal was set back.",
)
@json_option
@click.pass_obj
def change(
    session: Session,
    /,
    nickname: str,
    *,
    settings: tuple[str, ...],
    revision: str | None,
    again: bool,
    json_output: bool,
    **fields: Any,
) -> None:
    """
    Change an entry, or the settings that its manager follows.
    """
    done = session.backend().call(
        CHANGE_ENTRY,
        EntryChanged(
            item=nickname,
            fields=_given(fields),
            settings=_read_settings(settings),
            revision=revision,
            again=again,
        ),
    )
    if json_output:
        say.as_json(_plain(done.entry))
    else:
        say.info(_sentence(done.sentence))


@command.command("rotate")
@click.argument("nickname", type=Nickname())
@yes_option
@json_option
@click.pass_obj
def rotate(session: Session, /, nickname: str, *, yes: bool, json_output: bool) -> int:
    """
    Hand out another device key; uploads with the one before are rejected from then on.
    """
    name = visible(nickname)
    question, kept = f"Replace the device key of {name}?", f"device key of {name} not replaced"
    if not may_go_on(None, question, kept, yes=yes):
        return 1
    made = session.backend().call(ROTATE_KEY, EntryNamed(item=nickname))
    if json_output:
        say.as_json({**_plain(made.entry), **_keys(made)})
        return 0
    say.info(_sentence(made.sentence))
    show_pairs([("Device key", made.device_key), ("TSIG key", made.tsig_key)])
    say.info(
        "The device key is not shown again; give it to the manager of the device as its --upload_key"
    )
    return 0


@command.command("code")
@click.argument("nickname", type=Nickname())
@click.option("--for", "good_for", metavar="TIME", help="How long it is good.  [default: 7d]")
@json_option
@click.pass_obj
def code(session: Session, /, nickname: str, *, good_for: str | None, json_output: bool) -> None:
    """
    Hand out an auto key, by which one manager pairs with this entry, once.

    A manager that is paired already stays until another one uses the key.
    """
    seconds = None if good_for is None else read_span(good_for)
    made = session.backend().call(ISSUE_CODE, CodeWanted(item=nickname, seconds=seconds))
    if json_output:
        told = {"device_id": made.entry.device_id, "auto_key": made.auto_key}
        say.as_json({**told, "good_until": made.good_until, "command": made.command})
        return
    show_pairs(
        [
            ("Device ID (tdid)", made.entry.device_id),
            ("Auto key", made.auto_key),
            ("Good until", when(made.good_until or 0.0)),
        ]
    )
    say.info("The auto key is good once and not shown again; at the manager:")
    say.plain(f"{made.command} {made.entry.nickname}")


@command.command("unpair")
@click.argument("nickname", type=Nickname())
@yes_option
@click.pass_obj
def unpair(session: Session, /, nickname: str, *, yes: bool) -> int:
    """
    End the pairing of an entry: its manager keeps the settings, and they become its own.
    """
    name = visible(nickname)
    if not may_go_on(None, f"Unpair {name}?", f"{name} not unpaired", yes=yes):
        return 1
    done = session.backend().call(UNPAIR_ENTRY, EntryNamed(item=nickname))
    say.info(_sentence(done.sentence))
    return 0


@command.command("remove")
@click.argument("nickname", type=Nickname())
@yes_option
@click.pass_obj
def remove(session: Session, /, nickname: str, *, yes: bool) -> int:
    """
    Remove an entry: its address and device ID are rejected from now on, and its manager is unpaired.
    Lists and uploads are kept.
    """
    entry_file(session.layout.portal, nickname)  # an entry that is not there is not asked about
    question, kept = f"Remove entry {visible(nickname)}?", f"entry {visible(nickname)} not removed"
    if not may_go_on(DELETE_ENTRY, question, kept, yes=yes):
        return 1
    gone = session.backend().call(DELETE_ENTRY, EntryNamed(item=nickname))
    say.info(_sentence(gone.sentence))
    return 0


def _keys(made: EntryHandedOut) -> Json:
    keys = {"device_key": made.device_key, "tsig_name": made.tsig_name}
    return {**keys, "tsig_key": made.tsig_key or None}


def _plain(row: EntryRow) -> Json:
    from tscm.wire.writing import as_json

    return as_json(row)


def _sentence(text: str) -> str:
    told = visible(text)
    return told[:1].upper() + told[1:]
