"""
The commands without a manager: the same handlers on the stored files, under their lock.

Light, for `tsadmin list` and its like; what needs the update service is in `standalone_store`.
"""

import contextlib
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from tscm.cli.standalone_node import HOLDER, kept_audit, node_on_files, this_user
from tscm.devices.reach import NETWORK, Reach
from tscm.faces.backend import Told, silent
from tscm.manager.node import ManagerDown
from tscm.model import Report
from tscm.operations.call import quiet
from tscm.operations.calls import Calls
from tscm.operations.job_figures import JobFigures
from tscm.operations.operation import Needs, Operation
from tscm.settings.files import device_names, read_device
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock, policies_held
from tscm.settings.owner import chown_to_owner
from tscm.store.database import Store

if TYPE_CHECKING:
    pass

Args = TypeVar("Args")
Answer = TypeVar("Answer")


@define(eq=False)
class StandaloneBackend:
    """
    A `Backend` that opens the files itself.  Whatever changes them holds the root's lock meanwhile.
    """

    _layout: Layout
    _reach: Reach = NETWORK
    running: bool = field(default=False, init=False)

    def call(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        report: Report = quiet,
        told: Told = silent,
    ) -> Answer:
        """See `Backend`."""
        del told
        if operation.needs is Needs.MANAGER:
            name = getattr(args, "name", None)
            if name is not None and name not in device_names(self._layout):
                read_device(self._layout, name, None)  # raises what is wrong with the name
            raise ManagerDown(operation.noun)
        if operation.needs is Needs.STORE:
            from tscm.cli.standalone_store import call_with_store

            return call_with_store(self._layout, operation, args, report, self._reach)
        if not operation.changes:
            return self._on_files(operation, args, report)
        with self._held(operation):
            return self._on_files(operation, args, report)

    def detach(self, operation: Operation[Args, Any], args: Args) -> JobFigures:
        """See `Backend`."""
        del args
        raise ManagerDown(f"{operation.noun} in the background")

    @contextlib.contextmanager
    def _held(self, operation: Operation[Any, Any]) -> Iterator[None]:
        """
        What the operation changes is this process's meanwhile: a log, or settings and database.
        """
        if operation.on_log:
            with chown_to_owner(self._layout), RootLock(self._layout.lock, HOLDER):
                yield
        else:
            with policies_held(self._layout, HOLDER):
                yield

    def _on_files(self, operation: Operation[Args, Answer], args: Args, report: Report) -> Answer:
        store = Store(self._layout.database)
        node = node_on_files(self._layout, store, reach=self._reach)
        calls = Calls(node, kept_audit(self._layout, store))
        try:
            if not operation.long:
                return calls.answer_at_once(operation, args, this_user())
            _, work = calls.start(operation, args, this_user(), report)
            answer: Answer = _finished(work)
            return answer
        finally:
            store.close()


def _finished(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer of a coroutine whose blocking calls are made at once, so that it never waits."""
    try:
        work.send(None)
    except StopIteration as over:
        answer: Answer = over.value
        return answer
    raise AssertionError("an operation on files waits for something")
