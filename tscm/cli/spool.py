"""
`tsadmin spool`: the devices' logs, by their files alone.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
from attrs import define
from click.shell_completion import CompletionItem

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.session import Session
from tscm.cli.state import when
from tscm.cli.tables import latest, show_pairs, show_table
from tscm.cli.times import Time
from tscm.errors import TscmError
from tscm.operations.arguments import Device, Reader
from tscm.operations.table.logs import DELETE_LOG, DROP_READER
from tscm.plural import many
from tscm.printable import visible
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.settings.owner import as_caller, chown_to_owner
from tscm.settings.values import nickname

if TYPE_CHECKING:
    from tscm.spool.tools_export import Message
    from tscm.spool.tools_list import LogSummary, LogView
    from tscm.spool.tools_verify import Finding

_SEGMENTS_SHOWN = 20


@define(eq=False)
class NoSuchLog(TscmError):
    """
    There is no log of this name.
    """

    exit_status = 1

    name: str

    def __str__(self) -> str:
        return f"no log of {self.name!r}; list the logs with `tsadmin spool list`"


@define(eq=False)
class NoRight(TscmError):
    """
    A log that the user of this process may not read.
    """

    exit_status = 1

    folder: Path

    def __str__(self) -> str:
        return (
            f"permission denied for {self.folder}; run tsadmin as root or as a member of group tscm"
        )


class LogName(click.ParamType[str]):
    """The name of a log, whether there is still a device of that name or not."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names of logs on disk."""
        from tscm.cli.names import layout_of
        from tscm.spool.names import log_names

        del param
        try:
            names = log_names(layout_of(ctx).logs)
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class ReaderName(click.ParamType[str]):
    """The name of a reader of the log that the argument before it names."""

    name = "reader"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Readers that have a cursor on disk."""
        from tscm.cli.names import layout_of
        from tscm.spool.names import LogFolder, cursor_readers

        del param
        folder = LogFolder(layout_of(ctx).logs / str(ctx.params.get("name") or ""))
        try:
            names = sorted(cursor_readers([one.name for one in folder.spool.iterdir()]))
        except OSError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.group()
def command() -> None:
    """
    Work with device logs directly on disk, with or without a running manager.
    """


def known_log(layout: Layout, name: str) -> str:
    """*name*, if a log of that name lies on the disk; else `NoSuchLog`."""
    from tscm.spool.names import closed_logs, log_names

    try:
        nickname(name)
    except ValueError:
        raise NoSuchLog(name) from None
    if name not in log_names(layout.logs):
        if name in closed_logs(layout.logs):
            raise NoRight(layout.device_log(name))
        raise NoSuchLog(name)
    return name


@command.command("list")
@click.option("--json", "json_output", is_flag=True, help="Print the logs as JSON.")
@click.pass_obj
def list_spool(session: Session, /, *, json_output: bool) -> None:
    """
    List the logs, including those of removed devices.
    """
    from tscm.settings.files import device_names
    from tscm.spool.disk import Disk
    from tscm.spool.names import closed_logs
    from tscm.spool.tools_list import list_logs

    devices = set(device_names(session.layout))
    logs = list_logs(Disk(), session.layout.logs)
    closed = [session.layout.device_log(one) for one in closed_logs(session.layout.logs)]
    orphans = {one.name: _orphans(session.layout, one, devices) for one in logs}
    if json_output:
        say.as_json(
            [
                {
                    **attrs.asdict(one),
                    "device": one.name in devices,
                    "orphaned_readers": orphans[one.name],
                }
                for one in logs
            ]
        )
        return
    if not logs and closed:
        raise NoRight(closed[0])
    for folder in closed:
        say.warn(str(NoRight(folder)))
    if not logs:
        say.info("No logs yet")
        return
    show_table(
        (
            "log",
            "device",
            "lines stored",
            "lines kept",
            "bytes kept",
            "on disk",
            "segments",
            "from",
            "to",
            "readers",
            "unused readers",
        ),
        (
            (
                one.name,
                one.name in devices,
                one.stored_lines,
                one.kept_lines,
                one.kept_bytes,
                one.disk_bytes,
                one.segments,
                when(one.first_at),
                when(one.last_at),
                one.readers,
                orphans[one.name],
            )
            for one in logs
        ),
    )
    for name, readers in orphans.items():
        for reader in readers:
            say.info(
                f"Reader {reader} of {name} keeps its backlog until its target is "
                f"configured again; discard it with `tsadmin spool drop {name} {reader}`"
            )


def _orphans(layout: Layout, log: "LogSummary", devices: set[str]) -> list[str]:
    """Readers of a log that no target and no service of its device has."""
    from tscm.manager.log_consumers import users_of
    from tscm.settings.files import read_device, read_node

    if log.name not in devices:
        return sorted(log.readers)
    try:
        users = users_of(read_device(layout, log.name, None), read_node(layout))
    except TscmError:
        return []  # nobody can tell
    return sorted(set(log.readers) - set(users))


@command.command("drop")
@click.argument("name", type=LogName())
@click.argument("reader", type=ReaderName())
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def drop(session: Session, /, name: str, reader: str, *, yes: bool, json_output: bool) -> int:
    """
    Discard the backlog of an unused reader; the lines stay in the log.
    """
    asked = Reader(name=known_log(session.layout, name), reader=reader)
    question = f"Drop reader {visible(reader)} of {name} and discard its backlog?"
    kept = f"reader {visible(reader)} of {name} not dropped"
    if not may_go_on(DROP_READER, question, kept, yes=yes, json_output=json_output):
        return 1
    dropped = session.backend().call(DROP_READER, asked)
    if json_output:
        say.as_json(dropped)
    else:
        lines = many(dropped.waiting_lines, "line", "lines")
        say.info(f"{name}: reader {dropped.reader} dropped, with a backlog of {lines}")
    return 0


@command.command("delete")
@click.argument("name", type=LogName())
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def delete(session: Session, /, name: str, *, yes: bool, json_output: bool) -> int:
    """
    Delete the log of a removed device, with all of its lines.

    Lines that no reader has passed are lost.  What the SIEM and the log service have received stays there.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_list import summary, view_log

    log = known_log(session.layout, name)
    kept = summary(Disk(), view_log(Disk(), session.layout.logs, log))
    lines = many(kept.kept_lines, "line", "lines")
    question = f"Delete the log of {log}, {lines} ({kept.disk_bytes:,} bytes on disk)?"
    refused = f"log of {log} not deleted"
    if not may_go_on(DELETE_LOG, question, refused, yes=yes, json_output=json_output):
        return 1
    deleted = session.backend().call(DELETE_LOG, Device(name=log))
    if json_output:
        say.as_json(deleted)
    else:
        say.info(f"{log}: log deleted, {many(deleted.lines, 'line', 'lines')}")
    return 0


@command.command("inspect")
@click.argument("name", type=LogName())
@click.option("--json", "json_output", is_flag=True, help="Print everything as JSON.")
@click.pass_obj
def inspect(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Show segments, live end, reader positions and state of one log.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_list import view_log

    view = view_log(Disk(), session.layout.logs, known_log(session.layout, name))
    if json_output:
        say.as_json(_view_json(view))
        return
    show_pairs(_view_pairs(view), f"Log of {name}")
    kept = view.kept
    if kept:
        show_table(
            ("segment", "bytes", "lines", "first line", "last line"),
            (
                (str(one.start), one.size, one.lines, when(one.first_at), when(one.last_at))
                for one in kept[-_SEGMENTS_SHOWN:]
            ),
            latest("Segments", len(kept), _SEGMENTS_SHOWN),
        )
    show_table(
        (
            "reader",
            "position",
            "sent",
            "not selected",
            "expired",
            "by cause",
            "backlog (bytes)",
            "damaged",
        ),
        (_reader_row(view, reader) for reader in sorted(view.cursors)),
        "Readers",
    )


def _view_pairs(view: "LogView") -> Iterator[tuple[str, Any]]:
    yield "folder", str(view.folder.path)
    yield "lines stored", view.lines
    yield "end offset (bytes since the log began)", view.end
    yield "live segment", f"{view.live_bytes or 0:,} bytes, {view.live_lines:,} lines"
    yield "segments kept", len(view.kept)
    if view.bad_records or view.loose_bytes:
        yield "damaged records", len(view.bad_records) + bool(view.loose_bytes)
    state = view.state
    if state is None:
        yield "state", "missing or damaged"
        return
    yield "closed by a clean stop", state.clean
    yield "unclean stops", state.gaps_total
    if state.truncations:
        yield "truncated by another process", many(state.truncations, "time", "times")
    if state.changed_texts:
        yield (
            "modified by another process",
            f"in {many(state.changed_texts, 'segment', 'segments')}",
        )
    yield "deleted by retention", state.deleted_lines or "nothing"
    if state.unknown_lines:
        yield "lines without sender and time", state.unknown_lines


def _reader_row(view: "LogView", reader: str) -> tuple[Any, ...]:
    from tscm.spool.cursor import CAUSES

    cursor, damaged = view.cursors[reader]
    if cursor is None:
        return (reader, "none valid", None, None, None, None, None, damaged)
    waiting = max(0, view.end - cursor.offset)
    causes = {cause: lines for cause, lines in zip(CAUSES, cursor.expired, strict=True) if lines}
    return (
        reader,
        str(cursor.offset),
        cursor.sent,
        cursor.skipped,
        sum(cursor.expired),
        causes or None,
        waiting,
        damaged,
    )


def _view_json(view: "LogView") -> dict[str, Any]:
    return {
        "name": view.name,
        "folder": str(view.folder.path),
        "lines": view.lines,
        "end": view.end,
        "live_bytes": view.live_bytes,
        "live_lines": view.live_lines,
        "segments": [attrs.asdict(one) for one in view.records],
        "damaged_records": list(view.bad_records),
        "state": None if view.state is None else attrs.asdict(view.state),
        "readers": {
            reader: {
                "position": None if cursor is None else attrs.asdict(cursor.position),
                "damaged": damaged,
            }
            for reader, (cursor, damaged) in view.cursors.items()
        },
    }


@command.command("verify")
@click.argument("name", type=LogName(), required=False)
@click.option("--json", "json_output", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def verify(session: Session, /, name: str | None, *, json_output: bool) -> int:
    """
    Verify one log, or all, against checksums, indexes and the list of segments.

    Exit status 1 if lines are lost or something needs repair.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.names import log_names
    from tscm.spool.tools_verify import verify_log

    logs = session.layout.logs
    names = [known_log(session.layout, name)] if name else log_names(logs)
    found = {one: verify_log(Disk(), logs, one) for one in names}
    wrong = sum(finding.harm != "note" for findings in found.values() for finding in findings)
    if json_output:
        say.as_json({one: [_finding_json(f) for f in findings] for one, findings in found.items()})
        return 1 if wrong else 0
    for one, findings in found.items():
        for finding in findings:
            tell = say.info if finding.harm == "note" else say.warn
            tell(f"{one}: {finding}")
        if not any(finding.harm != "note" for finding in findings):
            say.info(f"{one}: no faults")
    if wrong:
        harmed = " and ".join(f"`tsadmin spool repair {one}`" for one in harmed_logs(found))
        say.error(f"{many(wrong, 'finding', 'findings')}; to repair, run {harmed}")
    return 1 if wrong else 0


def harmed_logs(found: Mapping[str, Sequence["Finding"]]) -> list[str]:
    """Names of the logs that have more than notes."""
    return [name for name, findings in found.items() if any(one.harm != "note" for one in findings)]


def _finding_json(finding: "Finding") -> dict[str, Any]:
    return attrs.asdict(finding)


def message_json(message: "Message") -> dict[str, Any]:
    """A line for programs; what is no UTF-8 in it comes as U+FFFD."""
    return {**attrs.asdict(message), "line": message.line.decode("utf-8", "replace")}


@command.command("export")
@click.argument("name", type=LogName())
@click.option(
    "--since",
    type=Time(),
    metavar="TIME",
    help="Only lines received at or after this time, or 2h for two hours ago.",
)
@click.option("--until", type=Time(), metavar="TIME", help="Only lines received before this time.")
@click.option("--sender", metavar="ADDRESS", help="Only lines received from this address.")
@click.option(
    "--unknown", is_flag=True, help="Include lines whose sender and time were lost in a crash."
)
@click.option(
    "--restored", is_flag=True, help="Restore messages as received, with their line breaks."
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    help="Write to this file, which must not exist, with mode 0600.",
)
@click.option(
    "--json",
    "json_output",
    is_flag=True,
    help="Print a JSON object for each message: offset, line, received_at, sender.",
)
@click.pass_obj
def export(
    session: Session,
    /,
    name: str,
    *,
    since: float | None,
    until: float | None,
    sender: str | None,
    unknown: bool,
    restored: bool,
    output: str | None,
    json_output: bool,
) -> int:
    """
    Export lines of a log, oldest first, as stored.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_export import ExportFilter, Passage, export_log, export_passages

    wanted = ExportFilter(since=since, until=until, sender=sender, unknown=unknown)
    log = known_log(session.layout, name)
    with _output(output) as write:
        if json_output:

            def take(passage: Passage) -> int:
                rows = map(message_json, passage.messages(restored=restored))
                data = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
                write(data)
                return len(data)

            done = export_passages(Disk(), session.layout.logs, log, take, wanted)
        else:
            done = export_log(Disk(), session.layout.logs, log, write, wanted, restored=restored)
    for sentence in done.missing:
        say.warn(sentence)
    say.info(
        f"{many(done.lines, 'line', 'lines')}, {many(done.bytes, 'byte', 'bytes')}", aside=True
    )
    return 1 if done.missing else 0


@contextmanager
def _output(path: str | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    with as_caller():  # root may name a place of his own
        file = Path(path).open("xb")  # noqa: SIM115 - closed below
        os.fchmod(file.fileno(), 0o600)
    with file:
        yield file.write


@command.command("repair")
@click.argument("name", type=LogName())
@click.option("--json", "json_output", is_flag=True, help="Print the repairs as JSON.")
@click.pass_obj
def repair(session: Session, /, name: str, *, json_output: bool) -> None:
    """
    Repair what can be repaired; no text is changed or deleted.

    The manager must be down.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_repair import repair_log

    log = known_log(session.layout, name)
    with chown_to_owner(session.layout), RootLock(session.layout.lock, "tsadmin spool repair"):
        done = repair_log(Disk(), session.layout.logs, log, time.time())
    if json_output:
        say.as_json(done)
        return
    for sentence in done:
        say.info(sentence)
    say.info(f"{name}: {'repaired' if done else 'nothing to repair'}")
