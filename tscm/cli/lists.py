"""
`tsadmin lists`: user lists, their entries, and their versions.
"""

import sys
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import show_table
from tscm.operations.arguments import Nothing
from tscm.operations.list_answers import ListDone, TextRead
from tscm.operations.list_arguments import (
    AddressSought,
    FoundRemoved,
    ListEdited,
    ListImported,
    ListNamed,
    ListShown,
    ListUndone,
    NewList,
    TextChecked,
)
from tscm.operations.table.user_lists import (
    CHECK_TEXT,
    CREATE_LIST,
    DELETE_LIST,
    EDIT_LIST,
    IMPORT_LIST,
    LIST_PAGE,
    LIST_VERSIONS,
    LISTS,
    LISTS_HOLDING,
    REMOVE_FOUND,
    UNDO_LIST,
)
from tscm.policy.by_hand import ALLOW, BLOCK, read_span
from tscm.policy.user_lists import TEXT_BYTES, ListFaulty
from tscm.store.user_list_values import UserEntry

F = TypeVar("F", bound=Callable[..., Any])

_USAGE = 2
json_option: Callable[[F], F] = click.option(
    "--json", "json_output", is_flag=True, help="Print the result as JSON."
)
reason_option: Callable[[F], F] = click.option(
    "--reason", default="", metavar="TEXT", help="Reason, shown with the version."
)
version_option: Callable[[F], F] = click.option(
    "--version",
    type=int,
    metavar="NUMBER",
    help="Version that the edit is based on; if the list has another one, nothing changes.",
)
shrink_option: Callable[[F], F] = click.option(
    "--accept_shrink", is_flag=True, help="Accept an edit that empties or halves the list."
)
_FILE = click.File("rb")


def _entries(function: F) -> F:
    """The options of what a text is and how it is read."""
    for option in reversed(
        (
            click.argument("networks", nargs=-1, metavar="[NETWORK]..."),
            click.option(
                "--file", "file", type=_FILE, help="File with one entry per line; - is stdin."
            ),
            click.option("--for", "span", metavar="TIME", help="How long entries last: 4h, 30d."),
            click.option("--comment", default="", metavar="TEXT", help="Comment of the entries."),
            click.option(
                "--accept_wide", "wide", is_flag=True, help="Accept networks wider than /8."
            ),
            click.option(
                "--skip_faults", is_flag=True, help="Leave out lines that are not entries."
            ),
            click.option("--check", is_flag=True, help="Only show what would change."),
        )
    ):
        function = option(function)
    return function


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, /, *, json_output: bool) -> None:
    """
    List the user lists: named sets of addresses, networks and ranges to block or to allow.

    A line of a text is NETWORK [until=2026-12-31] [for=4h] [# comment].
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ctx.obj.backend().call(LISTS, Nothing())
    if json_output:
        say.as_json(found)
        return
    show_table(
        ("list", "side", "entries", "version", "changed", "by", "note"),
        (
            (
                one.name,
                one.side,
                one.entries,
                one.version if not one.by_hand else "-",
                "-" if one.at is None else when(one.at),
                one.who or "-",
                one.note,
            )
            for one in found.lists
        ),
    )


@command.command("create")
@click.argument("name")
@click.option("--block", "side", flag_value=BLOCK, default=BLOCK, help="A block list.")
@click.option("--allow", "side", flag_value=ALLOW, help="An allow list.")
@click.option("--note", default="", metavar="TEXT", help="What the list is for.")
@json_option
@click.pass_obj
def create(session: Session, /, name: str, *, side: str, note: str, json_output: bool) -> None:
    """
    Create a user list without entries.
    """
    args = NewList(list_name=name, side=side, note=note)
    _tell(session.backend().call(CREATE_LIST, args), json_output=json_output)


@command.command("show")
@click.argument("name")
@click.option("--search", default="", metavar="NETWORK", help="Only entries that overlap NETWORK.")
@click.option("--version", type=int, metavar="NUMBER", help="An earlier version.")
@click.option("--top", type=click.IntRange(1, 10_000), default=100, help="Maximum number of rows.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Rows to pass over.")
@json_option
@click.pass_obj
def show(
    session: Session,
    /,
    name: str,
    *,
    search: str,
    version: int | None,
    top: int,
    offset: int,
    json_output: bool,
) -> None:
    """
    Show the entries of a list by address, with author, end and comment.
    """
    args = ListShown(list_name=name, search=search, version=version, top=top, offset=offset)
    found = session.backend().call(LIST_PAGE, args)
    if json_output:
        say.as_json(found)
    elif not found.entries:
        say.info(f"No entries in version {found.version} of {name}")
    else:
        show_table(
            ("entry", "until", "by", "added", "comment"),
            (_cells(one) for one in found.entries),
        )
        if found.found > len(found.entries):
            say.info(f"{len(found.entries):,} of {found.found:,} entries, version {found.version}")


@command.command("find")
@click.argument("network")
@json_option
@click.pass_obj
def find(session: Session, /, network: str, *, json_output: bool) -> None:
    """
    Show which user lists hold an address or network, by whom and until when.
    """
    found = session.backend().call(LISTS_HOLDING, AddressSought(search=network))
    if json_output:
        say.as_json(found)
    elif not found.entries:
        say.info(f"No user list holds {network}")
    else:
        show_table(
            ("list", "side", "entry", "until", "by", "added", "comment"),
            ((one.list_name, one.side, *_cells(one)) for one in found.entries),
        )


def _cells(one: UserEntry) -> tuple[str, ...]:
    """An entry in a row of a table."""
    until = _until(one.until, in_force=one.in_force)
    return one.network, until, one.who, when(one.made_at), one.comment


def _until(until: float | None, *, in_force: bool) -> str:
    if until is None:
        return "-"
    return when(until) if in_force else f"expired {when(until)}"


def _edit(session: Session, name: str, mode: str, given: dict[str, Any]) -> int:
    """An edit by what stands on the command line and in a file; with faults each has its line."""
    file, json_output = given["file"], given["json_output"]
    text = _text(given["networks"], file)
    seconds = None if given["span"] is None else read_span(given["span"])
    common = {
        "list_name": name,
        "text": text,
        "mode": mode,
        "seconds": seconds,
        "comment": given["comment"],
        "wide": given["wide"],
    }
    backend = session.backend()
    if given["check"] or file is not None:
        read = backend.call(CHECK_TEXT, TextChecked(**common))
        stops = bool(read.fault_count) and not given["skip_faults"]
        if given["check"] or stops:
            if json_output:
                say.as_json(read)
            else:
                _tell_read(read)
            if stops and not given["check"]:
                say.error(
                    f"list {name!r} is unchanged; correct the lines, or leave them out with "
                    "--skip_faults"
                )
            return _USAGE if stops else 0
    done = backend.call(
        EDIT_LIST,
        ListEdited(
            **common,
            version=given["version"],
            reason=given["reason"],
            skip_faults=given["skip_faults"],
            shrink=given["accept_shrink"],
        ),
    )
    _tell(done, json_output=json_output)
    return 0


def _refuse_beside(option: str, given: dict[str, Any], *names: str) -> None:
    """Raise `UsageError` for arguments that *option* leaves without effect: `--check` above all, which changes nothing."""
    words = {"networks": "networks", "span": "--for"}
    for name in names:
        if given[name]:
            word = words.get(name, f"--{name}")
            raise click.UsageError(f"{word} has no effect with {option}; use one of the two")


def _text(networks: tuple[str, ...], file: BinaryIO | None) -> str:
    """Raises `ListFaulty` for a file that is too long or no text."""
    if bool(networks) == (file is not None):
        raise click.UsageError("give either networks or --file")
    if file is None:
        return "\n".join(networks)
    if file is sys.stdin.buffer and sys.stdin.isatty():
        say.info("Enter one entry per line; end with Ctrl-D", aside=True)
    content = file.read(TEXT_BYTES + 1)
    if len(content) > TEXT_BYTES:
        raise ListFaulty(f"the file is larger than {TEXT_BYTES >> 20} MB; split it")
    return content.decode("utf-8-sig", "replace")


def _tell_read(read: TextRead) -> None:
    say.info(
        f"{read.added:,} new, {read.removed:,} to remove, {read.changed:,} changed, {read.same:,} "
        f"already there, {read.absent:,} not there, {read.repeated:,} repeated, "
        f"{read.fault_count:,} faulty"
    )
    if read.faults:
        show_table(("line", "fault"), ((one.line, one.cause) for one in read.faults))
    if read.fault_count > len(read.faults):
        say.warn(f"{read.fault_count - len(read.faults):,} more faults are not shown")


@command.command("add")
@click.argument("name")
@_entries
@version_option
@reason_option
@shrink_option
@json_option
@click.pass_obj
def add(session: Session, /, name: str, **given: Any) -> int:
    """
    Add entries: addresses, networks or ranges such as 192.0.2.1-192.0.2.9.
    """
    return _edit(session, name, "add", given)


@command.command("remove")
@click.argument("name")
@click.option("--found", metavar="NETWORK", help="Remove every entry that overlaps NETWORK.")
@_entries
@version_option
@reason_option
@shrink_option
@json_option
@click.pass_obj
def remove(session: Session, /, name: str, *, found: str | None, **given: Any) -> int:
    """
    Remove entries that are exactly as given, or with --found what `lists show --search` finds.
    """
    if found is None:
        return _edit(session, name, "remove", {**given, "wide": True})
    _refuse_beside("--found", given, "networks", "file", "span", "comment", "skip_faults", "check")
    done = session.backend().call(
        REMOVE_FOUND,
        FoundRemoved(
            list_name=name,
            search=found,
            version=given["version"],
            reason=given["reason"],
            shrink=given["accept_shrink"],
        ),
    )
    _tell(done, json_output=given["json_output"])
    return 0


@command.command("replace")
@click.argument("name")
@click.option(
    "--url", metavar="URL", help="Fetch the entries from https://…, as feeds are fetched."
)
@click.option("--format", "form", default="cidr", help="Format of the URL's content.")
@click.option("--pick", default="", help="Column of a CSV, path in a JSON.")
@_entries
@version_option
@reason_option
@shrink_option
@json_option
@click.pass_obj
def replace(
    session: Session, /, name: str, *, url: str | None, form: str, pick: str, **given: Any
) -> int:
    """
    Replace all entries by those of a file, of the command line or of a URL.
    """
    if url is None:
        return _edit(session, name, "replace", given)
    _refuse_beside("--url", given, "networks", "file", "span", "check")
    done = session.backend().call(
        IMPORT_LIST,
        ListImported(
            list_name=name,
            url=url,
            format=form,
            pick=pick,
            comment=given["comment"],
            version=given["version"],
            reason=given["reason"],
            skip_faults=given["skip_faults"],
            shrink=given["accept_shrink"],
            wide=given["wide"],
        ),
    )
    _tell(done, json_output=given["json_output"])
    return 0


@command.command("versions")
@click.argument("name")
@json_option
@click.pass_obj
def versions(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    List the versions of a list: who changed what, when and why.
    """
    found = session.backend().call(LIST_VERSIONS, ListNamed(list_name=name))
    if json_output:
        say.as_json(found)
    elif not found.versions:
        say.info("No versions; entries by hand have none")
    else:
        show_table(
            ("version", "time", "by", "did", "added", "removed", "entries", "reason"),
            (
                (
                    one.version,
                    when(one.at),
                    one.who,
                    one.did,
                    one.added,
                    one.removed,
                    one.entries,
                    one.reason,
                )
                for one in found.versions
            ),
        )


@command.command("undo")
@click.argument("name")
@click.argument("to", type=int, required=False, metavar="[VERSION]")
@version_option
@reason_option
@shrink_option
@json_option
@click.pass_obj
def undo(
    session: Session,
    /,
    name: str,
    *,
    to: int | None,
    version: int | None,
    reason: str,
    accept_shrink: bool,
    json_output: bool,
) -> None:
    """
    Go back to VERSION, by default to the one before the last edit; this makes a new version.
    """
    args = ListUndone(list_name=name, to=to, version=version, reason=reason, shrink=accept_shrink)
    _tell(session.backend().call(UNDO_LIST, args), json_output=json_output)


@command.command("delete")
@click.argument("name")
@yes_option
@json_option
@click.pass_obj
def delete(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Delete a list with all its entries and versions.
    """
    backend = session.backend()
    backend.call(LIST_VERSIONS, ListNamed(list_name=name))  # raises what is wrong with the name
    question = f"Delete list {name!r} with all its versions?"
    if not may_go_on(
        DELETE_LIST, question, "the list was not deleted", yes=yes, json_output=json_output
    ):
        return 1
    _tell(backend.call(DELETE_LIST, ListNamed(list_name=name)), json_output=json_output)
    return 0


def _tell(done: ListDone, *, json_output: bool) -> None:
    if json_output:
        say.as_json(done)
    else:
        say.info(f"{done.sentence[0].upper()}{done.sentence[1:]}")
