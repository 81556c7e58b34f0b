"""
Who carries a command out: the running manager, or this process on the stored files.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tscm.errors import TscmError
from tscm.model import Report
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation

if TYPE_CHECKING:  # every command imports this module, and few tell of an update
    from tscm.update.figures import UpdateRecord

ON_BEHALF_OF = "x-tscm-user"
"""Header by which a trusted process says for which of its users it asks."""

VERSION = "x-tscm-version"
"""Header by which the manager says its version with every answer."""

Args = TypeVar("Args")
Answer = TypeVar("Answer")
Told = Callable[[JobFigures], None]
"""Takes a job when its state changes."""


def silent(_: JobFigures) -> None:
    """States of a job that are not shown."""


class ManagerError(TscmError):
    """
    An error of the manager, with its own sentence and exit status; of an update its *outcome*.

    *shown* is the SHA-256 of a certificate that was not believed.
    """

    def __init__(
        self,
        sentence: str,
        status: int,
        outcome: "UpdateRecord | None" = None,
        shown: str | None = None,
        *,
        absent: bool = False,
    ) -> None:
        self.sentence = sentence
        self.exit_status = status
        self.absent = absent
        self.outcome = outcome
        self.shown = shown
        super().__init__(sentence, status)

    def __str__(self) -> str:
        return self.sentence


class Backend(Protocol):
    """
    A way to carry out the operations of the table; both give the same values and raise the same errors.
    """

    running: bool
    """Does a manager carry them out?"""

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """The answer; *report* takes progress, *told* the job's states.  Raises `TscmError`."""

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """Have the manager do it as a job without a waiting client; gives the job."""
