"""
Names of logs and of their readers, as arguments of commands.
"""

from pathlib import Path

import click
from attrs import define
from click.shell_completion import CompletionItem

from tscm.errors import NoSuchLog, TscmError
from tscm.settings.layout import Layout
from tscm.settings.values import nickname


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
