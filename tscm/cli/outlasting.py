"""
Operations that come to their end, whether or not the output is read what they say.
"""

from typing import Any, TypeVar

from attrs import define, field

from tscm.cli.streams import outlast
from tscm.faces.backend import Backend, Told, silent
from tscm.model import Report
from tscm.operations.call import quiet
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Operation

Args = TypeVar("Args")
Answer = TypeVar("Answer")


@define(eq=False)
class OutlastingBackend:
    """
    A `Backend` whose operations come to their end, and tell it by the exit status, whether or not the output is read.
    """

    _backend: Backend
    running: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.running = self._backend.running

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """See `Backend`."""
        if operation.changes:
            outlast()
        return self._backend.call(operation, args, report, told)

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """See `Backend`."""
        if operation.changes:
            outlast()
        return self._backend.detach(operation, args)
