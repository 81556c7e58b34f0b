"""
`tsadmin spool`: the devices' logs, by their files alone.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import click

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.log_names import LogName, NoRight, ReaderName, known_log
from tscm.cli.session import Session
from tscm.cli.spool_erase import erase
from tscm.cli.spool_export import export
from tscm.cli.state import when
from tscm.cli.tables import latest, show_pairs, show_table
from tscm.errors import TscmError
from tscm.operations.arguments import Device, Reader
from tscm.operations.table.logs import DELETE_LOG, DROP_READER
from tscm.plural import many
from tscm.printable import visible
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.settings.owner import chown_to_owner

if TYPE_CHECKING:
    from tscm.spool.tools_list import LogSummary, LogView
    from tscm.spool.tools_verify import Finding

_SEGMENTS_SHOWN = 20


@click.group()
def command() -> None:
    """
    Work with device logs directly on disk, with or without a running manager.
    """


command.add_command(export)
command.add_command(erase)


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
        return []  # that is unknown
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
        cursor.not_selected,
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
