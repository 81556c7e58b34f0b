"""
`tsadmin spool export`: the lines of a log, by its files alone.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from tscm.cli import say
from tscm.cli.iso_times import with_iso
from tscm.cli.log_names import LogName, known_log
from tscm.cli.session import Session
from tscm.cli.times import Time
from tscm.plural import many
from tscm.settings.owner import as_caller

if TYPE_CHECKING:
    from tscm.spool.tools_export import Message


def message_json(message: "Message") -> dict[str, Any]:
    """A line for programs; what is no UTF-8 in it comes as U+FFFD."""
    line = message.line.decode("utf-8", "replace")
    told: dict[str, Any] = with_iso({**attrs.asdict(message), "line": line})
    return told


@click.command("export")
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
