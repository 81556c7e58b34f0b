"""
The commands without a manager: the same handlers on the stored files, under their lock.

Light, for `tsadmin list` and its like; what needs the update service is in `standalone_store`.
"""

import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from tscm.cli.backend import Told, silent
from tscm.devices import NETWORK, Reach
from tscm.errors import TscmError
from tscm.model import Identity, Json, Report
from tscm.operations.audit import AuditEntry
from tscm.operations.call import Actor, quiet
from tscm.operations.calls import Calls
from tscm.operations.jobs import Jobs
from tscm.operations.node import ManagerDown, Node
from tscm.operations.operation import Needs, Operation
from tscm.peer import user_name
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock, policies_held
from tscm.settings.owner import left_to_owner
from tscm.store.audits import Audits
from tscm.store.database import Store, open_database, opened

if TYPE_CHECKING:
    from tscm.update.records import UpdateRecords
    from tscm.update.service import UpdateService

Args = TypeVar("Args")
Answer = TypeVar("Answer")
HOLDER = "tsadmin"


class _Clock:
    """The time, for a process that waits for nothing but its calls."""

    def seconds(self) -> float:
        """POSIX seconds."""
        return time.time()


class _InThisThread:
    """
    Makes blocking calls at once: nobody else needs this thread.
    """

    async def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The answer, at once; raises what the call does."""
        return call(*args, **kwargs)


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

    def detach(self, operation: Operation[Args, Any], args: Args) -> Json:
        """See `Backend`."""
        del args
        raise ManagerDown(f"{operation.noun} in the background")

    @contextlib.contextmanager
    def _held(self, operation: Operation[Any, Any]) -> Iterator[None]:
        """
        What the operation changes is this process's meanwhile: a log, or settings and database.
        """
        if operation.on_log:
            with left_to_owner(self._layout), RootLock(self._layout.lock, HOLDER):
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


def node_on_files(
    layout: Layout,
    store: Store,
    *,
    clock: Any = None,
    blocking: Any = None,
    updates: "UpdateService | None" = None,
    reach: Reach = NETWORK,
) -> Node:
    """
    A node of files and database alone; without a pool of threads blocking calls are made at once.
    """
    clock, blocking = clock or _Clock(), blocking or _InThisThread()

    def records() -> "UpdateRecords":
        from tscm.store.policies import Policies
        from tscm.update.records import UpdateRecords

        return UpdateRecords(Policies(store))

    async def write(call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)

    def apply(before: DeviceSettings | None, settings: DeviceSettings) -> None:
        if before is None or layout.database.exists():
            with contextlib.suppress(TscmError), opened(store):
                records().recognise(settings, device_names(layout))
                if before is not None:
                    records().settings_changed(before, settings)

    def note_serial(name: str, who: Identity) -> None:
        if layout.database.exists():
            with contextlib.suppress(TscmError), opened(store):
                records().note_serial(name, who)

    async def retire(name: str) -> None:
        if layout.database.exists():
            from tscm.events.rollups import Rollups

            with opened(store):
                records().forget(name)
                with contextlib.closing(open_database(str(layout.database))) as counts:
                    Rollups(counts).forget(name)

    return Node(
        layout=layout,
        settings=lambda: read_node(layout),
        clock=clock,
        quick=blocking,
        slow=blocking,
        write=write,
        apply=apply,
        note_serial=note_serial,
        retire=retire,
        hold=lambda: None,
        jobs=Jobs(clock),
        store=store,
        updates=updates,
        reach=reach,
    )


def kept_audit(layout: Layout, store: "Store") -> Callable[[AuditEntry], None]:
    """
    Into the database, unless it cannot be used: settings change without it too.

    What failed on a root that has no database yet leaves none there.
    """

    def keep(entry: AuditEntry) -> None:
        if entry.outcome == "done" or layout.database.exists():
            with contextlib.suppress(TscmError), opened(store):
                Audits(store).keep(entry.as_json())

    return keep


def this_user() -> Actor:
    """Who runs this process."""
    uid = os.getuid()
    return Actor(name=user_name(uid), uid=uid)


def _finished(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer of a coroutine whose blocking calls are made at once, so that it never waits."""
    try:
        work.send(None)
    except StopIteration as over:
        answer: Answer = over.value
        return answer
    raise AssertionError("an operation on files waits for something")
