"""
`tsadmin completion`: the script that a shell loads to complete commands, options and device names.
"""

from typing import Any

import click
from click.shell_completion import get_completion_class

from tscm.cli import say

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="bash: tsadmin completion bash > /etc/bash_completion.d/tsadmin; "
    "zsh: a file _tsadmin in $fpath; fish: ~/.config/fish/completions/tsadmin.fish"
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """
    Print the completion script for a shell.
    """
    found: Any = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root()
    say.plain(found(root.command, {}, "tsadmin", "_TSADMIN_COMPLETE").source())
