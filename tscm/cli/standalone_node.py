"""
The node of a command without a manager: files and database alone.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tscm.devices.reach import NETWORK, Reach
from tscm.errors import TscmError
from tscm.faces.peer import user_name
from tscm.manager.node import Node
from tscm.model import Identity
from tscm.operations.call import Actor
from tscm.operations.jobs import Jobs
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_node
from tscm.settings.layout import Layout
from tscm.spool.disk import Disk
from tscm.store.audit_entry import AuditEntry
from tscm.store.audits import Audits
from tscm.store.database import Store, open_database, opened

if TYPE_CHECKING:
    from tscm.update.records import UpdateRecords
    from tscm.update.service import UpdateService

HOLDER = "tsadmin"


class _Clock:
    """The time, for a process that waits for nothing but its calls."""

    def seconds(self) -> float:
        """POSIX seconds."""
        return time.time()


class _InThisThread:
    """
    Makes blocking calls at once: no other work needs this thread.
    """

    async def run(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The answer, at once; raises what the call does."""
        return call(*args, **kwargs)


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
                records().recognise(settings, lambda: device_names(layout))
                if before is not None:
                    records().settings_changed(before, settings)

    def note_serial(name: str, who: Identity) -> None:
        if layout.database.exists():
            with contextlib.suppress(TscmError), opened(store):
                records().note_serial(name, who)

    async def retire(name: str, settings: DeviceSettings | None) -> None:
        from tscm.manager.log_consumers import DROP, EVENTS  # heavy: not for `tsadmin list`
        from tscm.spool.tools_repair import drop_positions

        all_readers = settings is not None and settings.backlog == DROP
        with contextlib.suppress(FileNotFoundError):
            drop_positions(Disk(), layout.logs, name, None if all_readers else (EVENTS,))
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


def kept_audit(layout: Layout, store: Store) -> Callable[[AuditEntry], None]:
    """
    Into the database, unless it cannot be used: settings change without it too.

    What failed on a root that has no database yet leaves none there.
    """

    def keep(entry: AuditEntry) -> None:
        if entry.outcome == "done" or layout.database.exists():
            with contextlib.suppress(TscmError), opened(store):
                Audits(store).keep(entry)

    return keep


def this_user() -> Actor:
    """Who runs this process."""
    uid = os.getuid()
    return Actor(name=user_name(uid), uid=uid)
