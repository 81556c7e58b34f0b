"""
`tsadmin search`: lines of a device's log that hold a text, old segments included.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from attrs import define

from tscm.cli import say
from tscm.cli.hit_options import asked_of, hit_options
from tscm.cli.log_names import LogName, known_log
from tscm.cli.session import Session
from tscm.cli.spool_export import message_json
from tscm.cli.times import Time
from tscm.operations.arguments import LinesWanted
from tscm.operations.table.lines import SEARCH_LINES
from tscm.plural import many
from tscm.printable import visible
from tscm.wire.writing import as_json

if TYPE_CHECKING:
    from tscm.spool.tools_export import Passage

TOP_MOST = 1000
"""Lines about hits that are found at once."""


class Enough(Exception):
    """As many lines as were asked for."""


@click.command()
@click.argument("names", type=LogName(), nargs=-1, metavar="[NAME]...")
@click.argument("pattern")
@click.option("--all", "everyone", is_flag=True, help="Every log on disk.")
@click.option("--since", type=Time(), help="Only lines received at or after this time.")
@click.option("--until", type=Time(), help="Only lines received before this time.")
@click.option("--regex", is_flag=True, help="Treat PATTERN as a regular expression.")
@click.option("--ignore_case", "-i", is_flag=True, help="Ignore case.")
@click.option("--max", "most", type=click.IntRange(1), help="Stop after this many lines.")
@click.option("--count", is_flag=True, help="Print only the number of lines.")
@click.option("--hits", is_flag=True, help="Only lines that match a list.")
@hit_options
@click.option("--raw", is_flag=True, help="Print the stored bytes unchanged, for programs.")
@click.option("--json", "json_output", is_flag=True, help="Print a JSON object for each line.")
@click.pass_obj
def command(
    session: Session,
    /,
    names: tuple[str, ...],
    pattern: str,
    *,
    everyone: bool,
    since: float | None,
    until: float | None,
    regex: bool,
    ignore_case: bool,
    most: int | None,
    count: bool,
    hits: bool,
    raw: bool,
    json_output: bool,
    **about: Any,
) -> int:
    """
    Show the lines of a log that contain PATTERN; with several logs, or all, each after the name of its log.

    Searches live and compressed segments, oldest first.  Exit status 1 if no line matches.

    With --hits or a filter, only lines that match a list, also with an empty PATTERN: the lines behind a row of
    `tsadmin report`, at most 1,000 of them.
    """
    if raw and json_output:
        raise click.UsageError("use only one of --raw and --json")
    asked = asked_of(about)
    if hits or asked:
        if regex or raw:
            raise click.UsageError("--hits and filters do not go with --regex and --raw")
        options = {**asked, "hits": True, "text": pattern, "ignore_case": ignore_case}
        wanted = LinesWanted(
            devices=tuple(_devices(names, everyone=everyone)),
            since=since,
            until=until,
            top=min(most or TOP_MOST, TOP_MOST),
            options=options,
        )
        return _about_hits(session, wanted, count=count, json_output=json_output)
    logs = _logs(session, names, everyone=everyone)
    several = everyone or len(logs) > 1
    found = _Found(
        search=finder(pattern, regex=regex, ignore_case=ignore_case),
        several=several,
        silent=count,
        raw=raw,
        json_output=json_output,
        most=most,
    )
    counts = {name: _search(session, name, since, until, found) for name in logs}
    if count and json_output:
        told = [{"name": name, "count": number} for name, number in counts.items()]
        say.as_json(told if several else told[0])
    elif count:
        for name, number in counts.items():
            say.plain(f"{name}: {number}" if several else str(number))
    elif not found.total:
        whose = "any log" if several else next(iter(counts), "any log")
        say.info(f"No matching line in {whose}", aside=True)
    return 0 if found.total else 1


def _devices(names: Sequence[str], *, everyone: bool) -> list[str]:
    """The devices that were named, or none for all."""
    if everyone and names:
        raise click.UsageError("give names or --all, not both")
    if not names and not everyone:
        raise click.UsageError("give the NAME of a log, several of them, or --all")
    return list(dict.fromkeys(names))


def _about_hits(session: Session, wanted: LinesWanted, *, count: bool, json_output: bool) -> int:
    """Lines about hits, as the manager finds them."""
    found = session.backend().call(SEARCH_LINES, wanted)
    several = len(wanted.devices) != 1
    if count and json_output:
        say.as_json({"count": found.fitting})
    elif count:
        say.plain(str(found.fitting))
    for one in () if count else found.lines:
        if json_output:
            say.json_line(as_json(one))
        else:
            say.plain(f"{one.device}: {visible(one.line)}" if several else visible(one.line))
    for sentence in found.missing:
        say.warn(f"not searched: {sentence}")
    if found.left_out and not count:
        say.warn(
            f"{many(found.left_out, 'more line matches', 'more lines match')}; narrow the time with --since and --until"
        )
    if found.ended is not None:
        say.warn(f"{found.ended}; narrow the time with --since and --until")
    if not found.fitting:
        say.info("No matching line", aside=True)
    return 0 if found.fitting else 1


def _logs(session: Session, names: Sequence[str], *, everyone: bool) -> list[str]:
    """The logs that were named, each once, or all on disk."""
    from tscm.spool.names import log_names

    if everyone and names:
        raise click.UsageError("give names or --all, not both")
    if everyone:
        return sorted(log_names(session.layout.logs))
    if not names:
        raise click.UsageError("give the NAME of a log, several of them, or --all")
    return [known_log(session.layout, name) for name in dict.fromkeys(names)]


@define
class _Found:
    """Shows the lines that fit, until there are enough, and counts them."""

    search: Callable[[bytes], list[bytes]]
    several: bool
    silent: bool
    raw: bool
    json_output: bool
    most: int | None
    total: int = 0

    def take(self, name: str, passage: "Passage") -> int:
        """The lines of one block.  Raises `Enough`."""
        lines = self.search(passage.data)
        if self.json_output and not self.silent and lines:
            whole = (one for one in passage.messages() if self.search(one.line + b"\n"))
            device = {"device": name} if self.several else {}
            shown = (partial(say.json_line, {**device, **message_json(one)}) for one in whole)
        else:
            head = f"{name}: " if self.several else ""
            shown = (partial(_show, line, head, raw=self.raw) for line in lines)
        for show in shown:
            self.total += 1
            if not self.silent:
                show()
            if self.total == self.most:
                raise Enough
        return 0


def _search(
    session: Session, name: str, since: float | None, until: float | None, found: _Found
) -> int:
    """How many lines of one log fit."""
    from tscm.spool.disk import Disk
    from tscm.spool.tools_export import ExportFilter, export_passages

    before = found.total
    if before == found.most:
        return 0
    wanted = ExportFilter(since=since, until=until, unknown=True)
    try:
        take = partial(found.take, name)
        result = export_passages(Disk(), session.layout.logs, name, take, wanted)
        for sentence in result.missing:
            say.warn(
                f"not searched: {name}: {sentence}"
                if found.several
                else f"not searched: {sentence}"
            )
    except Enough:
        pass
    return found.total - before


def _show(line: bytes, head: str, *, raw: bool) -> None:
    if raw:
        sys.stdout.buffer.write(head.encode() + line + b"\n")
        sys.stdout.buffer.flush()
    else:
        say.plain(head + visible(line.decode("utf-8", "replace")))


def finder(pattern: str, *, regex: bool, ignore_case: bool) -> Callable[[bytes], list[bytes]]:
    """
    A function from a block of whole lines to those that fit; lines that do not are not touched.
    """
    source = pattern.encode() if regex else re.escape(pattern.encode())
    try:
        compiled = re.compile(source, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))
    except (re.error, RecursionError, OverflowError) as error:
        raise click.UsageError(f"PATTERN is not a valid regular expression: {error}") from None

    def search(block: bytes) -> list[bytes]:
        lines, at = [], 0
        while at < len(block) and (match := compiled.search(block, at)):
            start = block.rfind(b"\n", 0, match.start()) + 1
            end = block.find(b"\n", match.start())
            end = len(block) if end < 0 else end
            if regex and match.end() > end:
                # The match ran over the line's end: look at the line by itself.
                inside = compiled.search(block[start:end])
                if inside is None:
                    at = end + 1
                    continue
            lines.append(block[start:end])
            at = end + 1
        return lines

    return search
