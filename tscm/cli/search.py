"""
`tsadmin search`: lines of a device's log that hold a text, old segments included.
"""

import re
import sys
from collections.abc import Callable
from functools import partial

import click

from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.spool import LogName, known_log, message_json
from tscm.cli.times import Time
from tscm.printable import visible


class Enough(Exception):
    """As many lines as were asked for."""


@click.command()
@click.argument("name", type=LogName())
@click.argument("pattern")
@click.option("--since", type=Time(), help="Lines received from then on.")
@click.option("--until", type=Time(), help="Lines received before then.")
@click.option("--regex", is_flag=True, help="PATTERN is a regular expression.")
@click.option("--ignore_case", "-i", is_flag=True, help="Capital and small letters are the same.")
@click.option("--max", "most", type=click.IntRange(1), help="Stop after so many lines.")
@click.option("--count", is_flag=True, help="Give the number of lines alone.")
@click.option("--raw", is_flag=True, help="Give the bytes as stored, for programs.")
@click.option("--json", "json_output", is_flag=True, help="Give a JSON object for each line.")
@click.pass_obj
def command(
    session: Session,
    /,
    name: str,
    pattern: str,
    *,
    since: float | None,
    until: float | None,
    regex: bool,
    ignore_case: bool,
    most: int | None,
    count: bool,
    raw: bool,
    json_output: bool,
) -> int:
    """
    Show the lines of a log that hold PATTERN.

    Live and compressed segments alike, oldest first.  Exit status 1 when there is none.
    """
    from tscm.spool.disk import Disk
    from tscm.spool.tools_export import Passage, Wanted, export_passages

    if raw and json_output:
        raise click.UsageError("give one of --raw and --json")
    search = finder(pattern, regex=regex, ignore_case=ignore_case)
    known_log(session.layout, name)
    found = 0

    def take(passage: Passage) -> int:
        nonlocal found
        lines = search(passage.data)
        if json_output and not count and lines:
            whole = (one for one in passage.messages() if search(one.line + b"\n"))
            shown = (partial(say.json_line, message_json(one)) for one in whole)
        else:
            shown = (partial(_show, line, raw=raw) for line in lines)
        for show in shown:
            found += 1
            if not count:
                show()
            if found == most:
                raise Enough
        return 0

    wanted = Wanted(since=since, until=until, unknown=True)
    try:
        result = export_passages(Disk(), session.layout.logs, name, take, wanted)
        for sentence in result.missing:
            say.warn(f"not searched: {sentence}")
    except Enough:
        pass
    if count and json_output:
        say.as_json({"name": name, "count": found})
    elif count:
        say.plain(str(found))
    elif not found:
        say.info(f"No line of {name} fits", aside=True)
    return 0 if found else 1


def _show(line: bytes, *, raw: bool) -> None:
    if raw:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    else:
        say.plain(visible(line.decode("utf-8", "replace")))


def finder(pattern: str, *, regex: bool, ignore_case: bool) -> Callable[[bytes], list[bytes]]:
    """
    A function from a block of whole lines to those that fit; lines that do not are not touched.
    """
    source = pattern.encode() if regex else re.escape(pattern.encode())
    try:
        compiled = re.compile(source, re.MULTILINE | (re.IGNORECASE if ignore_case else 0))
    except (re.error, RecursionError, OverflowError) as error:
        raise click.UsageError(f"PATTERN is no regular expression: {error}") from None

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
