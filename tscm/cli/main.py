"""
The command `tsadmin`: global options, the table of commands, and the end of every error.

A command is one module of this package with a click command called `command`; it is
imported when it is called, so that `tsadmin list` does not pay for the others.
"""

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tscm import __version__
from tscm.cli import say
from tscm.cli.session import Session
from tscm.cli.signals import INTERRUPTED
from tscm.cli.streams import is_full, lead_nowhere, losable_streams
from tscm.nearest import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MODULES: Mapping[str, tuple[str, str]] = {
    "add": ("add", "Add a device: ask for its settings, check its lists and the device, store it."),
    "configure": ("configure", "Change the settings of a device."),
    "rename": ("rename", "Rename a device; its log and all that is kept of it follow."),
    "show": ("show", "Show a device's settings and state."),
    "list": ("list", "List the devices."),
    "status": ("status", "Show the state of every device, the worst first."),
    "update": ("update", "Fetch a device's lists and push them now."),
    "plan": ("plan", "Show what an update would change; change nothing."),
    "policy": (
        "policy",
        (
            "Inspect and control a device's policy: why, dropped, history, diff; rollback, pause, "
            "resume."
        ),
    ),
    "why": (
        "why",
        "Show which lists and entries contain an address, since when, and with which hits.",
    ),
    "block": ("block", "Block an address or network by hand, for some time or permanently."),
    "allow": ("allow", "Permit an address or network by hand, for some time or permanently."),
    "entries": ("entries", "List the entries by hand, and remove them."),
    "apply": ("apply", "Bring entries, lists, targets and policies to what a YAML file says."),
    "lists": ("lists", "Show, edit and search user lists; go back to an earlier version."),
    "report": ("report", "Report hits on a device's lists: who was blocked, how often."),
    "events": ("events", "Recount a device's events from its stored log."),
    "tail": ("tail", "Follow a device's log; with --hits, only the lines that match its lists."),
    "search": ("search", "Search a device's log, including old segments."),
    "logs": ("logs", "Rotate and upload a device's logs now."),
    "doctor": ("doctor", "Check the whole chain: what is ok, what failed, and what to do."),
    "test": ("test", "Test the whole chain with a documentation address, then remove it again."),
    "ledger": ("ledger", "Show the ledger: lines received, stored, sent and dropped."),
    "spool": (
        "spool",
        "Work with device logs on disk: list, inspect, verify, export, repair.",
    ),
    "senders": ("senders", "List unknown senders and add one to a device."),
    "remove": ("remove", "Remove a device and print the commands that clean up the firewall."),
    "paired": ("paired", "List the devices whose settings come from a portal."),
    "unpair": ("unpair", "Make the settings of a paired device this manager's own."),
    "jobs": ("jobs", "List what the manager is doing; follow or withdraw one job."),
    "alarms": ("alarms", "List alarms, mute them, and test the ways on which they are sent."),
    "reports": ("reports", "List the reports that are sent by mail, and send one now."),
    "audit": ("audit", "Show who changed what, when, and with what outcome."),
    "check": ("check", "Check all settings files; change nothing."),
    "backup": ("backup", "Write settings, secrets, database and log positions to one file."),
    "restore": ("restore", "Check a backup, and restore it."),
    "portal": ("portal", "Manage device entries, targets and policies of the embedded services."),
    "cluster": ("cluster", "Create and show the stream of a site of several managers."),
    "web": ("web", "Manage who may sign in to the page."),
    "network": ("network", "Show or change the network of the appliance."),
    "ntp": ("ntp", "Show or set the time servers of the appliance."),
    "hostname": ("hostname", "Show or set the name of the appliance."),
    "demo": ("demo", "Run the whole product on this machine with simulated firewalls."),
    "completion": ("completion", "Print the completion script for a shell."),
    "version": ("version", "Show the version."),
}
"""Name of each command, its module and its line in the help."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Every day": (
        "status",
        "show",
        "report",
        "why",
        "search",
        "plan",
        "update",
        "block",
        "allow",
        "doctor",
    ),
    "Devices": ("add", "configure", "list", "test", "rename", "remove", "paired", "unpair"),
    "Policies": ("policy", "entries", "lists", "apply"),
    "Logs": ("tail", "logs", "ledger", "spool", "events", "senders"),
    "This manager": (
        "alarms",
        "reports",
        "jobs",
        "audit",
        "check",
        "cluster",
        "backup",
        "restore",
        "version",
        "completion",
    ),
    "Embedded services, page and demonstration": ("portal", "web", "demo"),
    "The appliance": ("network", "ntp", "hostname"),
}
"""The order of the help: first what is typed every day."""

_WITHOUT_NODE = {"demo", "completion", "version", "web", "network", "ntp", "hostname"}


class Commands(click.Group):
    """The commands, each imported when it is needed."""

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All of them, imported: for programs that walk a group (man pages, documentation)."""
        context = click.Context(self)
        found = ((name, self.get_command(context, name)) for name in self.list_commands(context))
        return {name: command for name, command in found if command is not None}

    @commands.setter
    def commands(self, given: object) -> None:
        """What click's constructor sets; the table `MODULES` stands in its place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help."""
        del ctx
        return [name for group in GROUPS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, or None for an unknown word."""
        del ctx
        if cmd_name not in MODULES:
            return None
        module = import_module(f"tscm.cli.{MODULES[cmd_name][0]}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a sentence that says what to do."""
        if args and args[0] not in MODULES and not ctx.resilient_parsing:
            meant = did_you_mean(args[0], MODULES)
            ctx.fail(
                f"there is no command {args[0]!r}{meant}; list the commands with `tsadmin --help`"
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """As click does it, without importing any command: a shell asks at each press of the key."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=MODULES[name][1])
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list by groups, without importing any command."""
        del ctx
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, MODULES[name][1]) for name in names])


def underscores(word: str) -> str:
    """Options may be written with dashes too: `--device-id` is `--device_id`."""
    return word.replace("-", "_")


@click.command(
    cls=Commands,
    context_settings={
        "help_option_names": ["--help", "-h"],
        "token_normalize_func": underscores,
        "max_content_width": 100,
    },
)
@click.option(
    "--root",
    metavar="DIR",
    envvar="TSCM_ROOT",
    default="/",
    type=click.Path(file_okay=False),
    help="Root directory of all files of this installation (environment: TSCM_ROOT).  [default: /]",
)
@click.option(
    "--portal",
    metavar="URL",
    envvar="TSCM_PORTAL",
    help="Ask the API of another host, https://ADDRESS[:PORT] (environment: TSCM_PORTAL).",
)
@click.option(
    "--key",
    "key_file",
    metavar="FILE",
    envvar="TSCM_KEY_FILE",
    help="File with the key for --portal; without it the key is read from the environment, TSCM_KEY.",
)
@click.option(
    "--portal_ca",
    metavar="FILE",
    envvar="TSCM_PORTAL_CA",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificate or CA of --portal (environment: TSCM_PORTAL_CA).",
)
@click.version_option(__version__, message="%(version)s", help="Show the version and exit.")
@click.pass_context
def tsadmin(
    ctx: click.Context,
    root: str,
    portal: str | None,
    key_file: str | None,
    portal_ca: str | None,
) -> None:
    """Syslog collector and policy manager for Cisco ASA firewalls."""
    remote = None
    if portal is not None:
        from tscm.cli.remote import portal_of

        remote = portal_of(portal, key_file, portal_ca)
    elif ctx.get_parameter_source("key_file") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--key is for --portal; give both")
    ctx.obj = session = Session(root, remote)
    if ctx.invoked_subcommand not in _WITHOUT_NODE and not session.is_remote:
        from tscm.settings.owner import as_owner

        ctx.with_resource(as_owner(session.layout))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """
    Run `tsadmin` and exit: 0 when it is done, else one sentence on the error stream.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit status of one command line; no error leaves as a traceback."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of a poor locale still shows something
            stream.reconfigure(errors="backslashreplace")
    with losable_streams() as output:
        try:
            status = _run(arguments)
        except BrokenPipeError:
            status = 1
        try:
            output.flush()
        except BrokenPipeError:
            lead_nowhere(output.stream)
            return 1
        except OSError as error:  # a full disk behind the redirection
            lead_nowhere(output.stream)
            if status == 0:
                say.error(_sentence(error))
            return status or 1
        if is_full(output.lost):
            say.warn(f"cannot write all output: {output.lost}")
        return status


def _open_closed_streams() -> None:
    """
    Streams that the caller closed (`>&-`, `<&-`) read nothing and lead nowhere.

    Left closed, the next file that is opened would take their number, and what is said would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result: Any = tsadmin.main(
            args=[_utf8(word) for word in (sys.argv[1:] if arguments is None else arguments)],
            prog_name="tsadmin",
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        say.error(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say.error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        say.error(_sentence(error))
        return 1
    except Exception as error:
        from tscm.errors import TscmError  # attrs: only where something went wrong

        if not isinstance(error, TscmError):
            raise
        say.error(str(error))
        return error.exit_status
    return result if isinstance(result, int) else 0


def _utf8(word: str) -> str:
    """A word of the command line as UTF-8, whatever the locale says."""
    try:
        return os.fsencode(word).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return word


def _sentence(error: OSError) -> str:
    if isinstance(error, PermissionError):
        from tscm.cli.denied import denied

        return denied(error)
    cause = error.strerror or str(error)
    return f"{error.filename}: {cause}" if error.filename else f"operation failed: {cause}"
