"""
One rule for what destroys something: it asks, `--yes` answers, and without an answer nothing happens.

Which operations that concerns stands in their rows (`Operation.destructive`).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tscm.cli import say
from tscm.cli.prompts import confirmed
from tscm.operations.operation import Operation

F = TypeVar("F", bound=Callable[..., Any])

yes_option: Callable[[F], F] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask for confirmation."
)


def may_go_on(
    operation: Operation[Any, Any] | None,
    question: str,
    kept: str,
    *,
    yes: bool,
    json_output: bool = False,
) -> bool:
    """
    Whether a destructive *operation* may begin; None is something that only this host's files know.

    *question* is asked without `--yes`; *kept* says what holds after a no.  Raises `InputEnded` where
    nobody answers.
    """
    assert operation is None or operation.destructive
    if yes or confirmed(f"{question} (y or n) [default n] ", kept=kept):
        return True
    say.info(f"{kept[0].upper()}{kept[1:]}", aside=json_output)
    return False
