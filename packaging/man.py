"""
Man pages from the commands and the settings: `man.py FOLDER` writes `man1`, `man5` and `man8` below it.

`tsadmin(1)` lists the commands, `tsadmin-COMMAND(1)` tells one with its subcommands, `tscm.toml(5)` is the sample
of all settings, `tscm(8)` the manager.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from tscm import __version__
from tscm.cli.main import GROUPS, MODULES, tsadmin
from tscm.settings.page import sample

_HEAD = (
    '.TH "{name}" "{section}" "{date}" "tscm {version}" "tscm"\n.SH NAME\n{name} \\- {purpose}\n'
)
_MANAGER = """\
.SH SYNOPSIS
.B systemctl start tscm.service
.SH DESCRIPTION
The manager collects the syslog lines of firewalls, forwards them to SIEM targets, uploads those about listed
addresses, and updates the lists on the firewalls.  It is started by systemd;
.BR tscm.socket
holds its ports over a restart.  The settings are in
.BR tscm.toml (5);
.BR tsadmin (1)
adds firewalls and shows the state.
.SH SIGNALS
.TP
.B SIGHUP
Check the settings files now.
.TP
.B SIGTERM
Stop; plain connections are handed over to the next start.
.SH FILES
.TP
.I /etc/tscm/tscm.toml, /etc/tscm/devices/NAME.toml
Settings of the manager and of each device.
.TP
.I /var/lib/tscm
Database, key, ledger.
.TP
.I /var/log/threatstop
Logs, and what has been received from unknown senders.
.TP
.I /usr/share/doc/tscm-core/operate
The manual.
.SH SEE ALSO
.BR tsadmin (1),
.BR tscm.toml (5)
"""


def escaped(text: str) -> str:
    """Text that roff prints as it stands, also at the start of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in ".'" else line for line in text.split("\n"))


def head(name: str, section: int, purpose: str) -> str:
    """The page's title and its line for whatis(1)."""
    at = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    return _HEAD.format(
        name=name,
        section=section,
        date=time.strftime("%Y-%m-%d", at),
        version=__version__,
        purpose=escaped(purpose.rstrip(".")),
    )


def option_lines(command: click.Command, context: click.Context) -> Iterator[str]:
    """Options and arguments with their help."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield f".TP\n\\fB{escaped(record[0])}\\fR\n{escaped(' '.join(record[1].split()))}"


def command_lines(command: click.Command, context: click.Context, level: str) -> Iterator[str]:
    """What a command says of itself, and its subcommands."""
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".{level} {'SYNOPSIS' if level == 'SH' else escaped(context.command_path)}"
    yield f"\\fB{escaped(context.command_path)}\\fR {escaped(pieces)}"
    if level == "SH":
        yield ".SH DESCRIPTION"
    else:
        yield ".PP"
    yield escaped(" ".join((command.help or "").split()))
    if command.epilog:
        yield f".PP\n{escaped(' '.join(command.epilog.split()))}"
    lines = list(option_lines(command, context))
    if lines:
        yield ".SH OPTIONS" if level == "SH" else ".PP"
        yield from lines
    if isinstance(command, click.Group):
        if level == "SH":
            yield ".SH COMMANDS"
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                inner = click.Context(below, info_name=name, parent=context)
                yield from command_lines(below, inner, "SS")


def pages() -> Iterator[tuple[str, int, str]]:
    """Name, section and text of each page."""
    assert isinstance(tsadmin, click.Group)
    top = click.Context(tsadmin, info_name="tsadmin")
    lines = [head("tsadmin", 1, "manage the syslog collector and policy manager tscm")]
    lines += [".SH SYNOPSIS", "\\fBtsadmin\\fR [OPTIONS] COMMAND [ARGS]...", ".SH OPTIONS"]
    lines += option_lines(tsadmin, top)
    for title, names in GROUPS.items():
        lines.append(f".SH {escaped(title.upper())}")
        for name in names:
            lines.append(f".TP\n\\fBtsadmin\\-{escaped(name)}\\fR(1)\n{escaped(MODULES[name][1])}")
    yield (
        "tsadmin",
        1,
        "\n".join([*lines, ".SH SEE ALSO", "\\fBtscm\\fR(8), \\fBtscm.toml\\fR(5)", ""]),
    )
    for name, command in tsadmin.commands.items():
        context = click.Context(command, info_name=name, parent=top)
        told = [
            head(f"tsadmin-{name}", 1, MODULES[name][1]),
            *command_lines(command, context, "SH"),
        ]
        yield f"tsadmin-{name}", 1, "\n".join([*told, ".SH SEE ALSO", "\\fBtsadmin\\fR(1)", ""])
    settings = [
        head("tscm.toml", 5, "settings of the manager tscm"),
        ".SH DESCRIPTION\nEvery setting with its default.",
        f".PP\n.nf\n{escaped(sample())}\n.fi",
        ".SH SEE ALSO\n\\fBtscm\\fR(8), /usr/share/doc/tscm\\-core/operate/settings.md\n",
    ]
    yield "tscm.toml", 5, "\n".join(settings)
    yield "tscm", 8, head("tscm", 8, "syslog collector and policy manager for firewalls") + _MANAGER


def main(folder: Path) -> None:
    """Write all of them."""
    for name, section, text in pages():
        file = folder / f"man{section}" / f"{name}.{section}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
