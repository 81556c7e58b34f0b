"""
`tsadmin spool erase`: the lines about an address or a user, where the law asks for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from attrs import define, field

from tscm.cli import say
from tscm.cli.destructive import may_go_on, yes_option
from tscm.cli.log_names import LogName, known_log
from tscm.cli.session import Session
from tscm.operations.arguments import Erasure
from tscm.operations.table.logs import ERASE_LINES
from tscm.plural import many
from tscm.printable import quoted, visible

if TYPE_CHECKING:
    from tscm.operations.answers import LinesErased
    from tscm.spool.tools_export import Passage
    from tscm.syslog.mentions import Mentions

_SHOWN = 5


@click.command("erase")
@click.argument("names", type=LogName(), nargs=-1, metavar="[NAME]...")
@click.option("--all", "everyone", is_flag=True, help="Every log on disk.")
@click.option("--address", help="Erase the lines that name this address.")
@click.option("--user", help="Erase the lines that name this user, in either case.")
@yes_option
@click.option("--json", "json_output", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def erase(
    session: Session,
    /,
    names: tuple[str, ...],
    *,
    everyone: bool,
    address: str | None,
    user: str | None,
    yes: bool,
    json_output: bool,
) -> int:
    """
    Erase the lines about an address or a user.

    Searches the logs first, shows what it found, and asks.  Each line is overwritten where it stands, so that
    the counts of the ledger and the positions of all readers stay.  The audit tells who erased what; what a SIEM, the
    log service or a backup has is not changed.

    Exit status 1 if no line was found, or a part of a log could not be read.
    """
    from tscm.syslog.mentions import mentions

    about = mentions(address, user)
    found = {
        name: _search(session, name, about, quiet=json_output)
        for name in _logs(session, names, everyone=everyone)
    }
    subject = f"address {quoted(address)}" if address is not None else f"user {quoted(user)}"
    logs = [name for name, lines in found.items() if lines]
    lines = many(sum(found.values()), "line", "lines")
    if not logs and not json_output:
        say.info(f"No line about {subject}", aside=True)
    if not logs:
        if json_output:
            say.as_json([])
        return 1
    where = f"in the log of {logs[0]}" if len(logs) == 1 else f"in {len(logs)} logs"
    question = f"Erase {lines} about {subject} {where}? They cannot be restored"
    if not may_go_on(ERASE_LINES, question, "nothing erased", yes=yes, json_output=json_output):
        return 1
    backend = session.backend()
    erased = [
        backend.call(ERASE_LINES, Erasure(name=name, address=address, user=user)) for name in logs
    ]
    if json_output:
        say.as_json(erased)
    else:
        for one in erased:
            _tell(one)
    return 1 if any(one.missing for one in erased) else 0


def _logs(session: Session, names: Sequence[str], *, everyone: bool) -> list[str]:
    from tscm.spool.names import log_names

    if everyone == bool(names):
        raise click.UsageError("give the NAME of a log, several of them, or --all")
    if everyone:
        return sorted(log_names(session.layout.logs))
    return [known_log(session.layout, name) for name in dict.fromkeys(names)]


def _tell(one: "LinesErased") -> None:
    say.info(f"{one.name}: {many(one.lines, 'line', 'lines')} erased")
    for sentence in one.missing:
        say.warn(f"not erased: {sentence}")
    for path in one.aside:
        say.warn(f"{path} was not searched; look at it, and delete what may not stay")
    if one.lines:
        say.info(
            f"Reports still count these lines; `tsadmin events rebuild {one.name}` recounts them"
        )


@define
class _Shown:
    """Counts the lines that were found, and shows the first ones."""

    name: str
    about: "Mentions"
    quiet: bool
    lines: int = field(default=0, init=False)

    def take(self, passage: "Passage") -> int:
        """The lines of one block that are not erased yet."""
        from tscm.spool.erasing import blank

        for start, end in self.about.spans(passage.data):
            line = passage.data[start:end]
            if not line or line == blank(len(line)):
                continue
            self.lines += 1
            if not self.quiet and self.lines <= _SHOWN:
                say.plain(f"{self.name}: {visible(line.decode('utf-8', 'replace'))}")
        return 0


def _search(session: Session, name: str, about: "Mentions", *, quiet: bool) -> int:
    from tscm.spool.disk import Disk
    from tscm.spool.tools_export import export_passages

    shown = _Shown(name, about, quiet)
    result = export_passages(Disk(), session.layout.logs, name, shown.take)
    for sentence in result.missing:
        say.warn(f"not searched: {name}: {sentence}")
    if not quiet and shown.lines > _SHOWN:
        say.plain(f"{name}: and {many(shown.lines - _SHOWN, 'more line', 'more lines')}")
    return shown.lines
