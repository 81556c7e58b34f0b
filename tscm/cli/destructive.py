"""
One rule for what destroys something: it asks, `--yes` answers, and without an answer nothing happens.

What is not there is not asked about: who calls `may_go_on` looks before, and raises `NotThere`.

Which operations that concerns stands in their rows (`Operation.destructive`).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from attrs import define

from tscm.cli import say
from tscm.cli.prompts import confirmed
from tscm.errors import TscmError
from tscm.operations.operation import Operation

F = TypeVar("F", bound=Callable[..., Any])

yes_option: Callable[[F], F] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask for confirmation."
)


@define(eq=False)
class NotThere(TscmError):
    """
    There is nothing of that name that could be destroyed.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


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
    there is no answer.
    """
    assert operation is None or operation.destructive
    if yes or confirmed(f"{question} (y or n) [default n] ", kept=kept):
        return True
    say.info(f"{kept[0].upper()}{kept[1:]}", aside=json_output)
    return False
