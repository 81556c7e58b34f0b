"""
The manager's side of pairing: what the follower of portals is given of this manager.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tscm.base.clock import wall_seconds
from tscm.base.threads import Threads
from tscm.devices.paired import to_apply
from tscm.operations.arguments import ChangedDevice
from tscm.operations.call import PORTAL
from tscm.operations.calls import Calls
from tscm.operations.table.devices import CHANGE
from tscm.operations.upward import standing_of
from tscm.pairing.bonds import Bond
from tscm.pairing.follower import Follower
from tscm.store.audit_entry import AuditEntry


def follower_of(
    reactor: Any, threads: Threads, calls: Calls, audit: Callable[[AuditEntry], None]
) -> Follower:
    """The follower of a manager's paired devices."""
    node = calls.node

    def entries() -> dict[str, str | None]:
        manager = node.manager
        devices = {} if manager is None else manager.devices
        return {name: one.settings.entry for name, one in devices.items()}

    def changed(names: Sequence[str]) -> None:
        if node.updates is not None:
            node.updates.lists_changed(names)

    def ended(bond: Bond, why: str) -> None:
        audit(
            AuditEntry(
                at=wall_seconds(reactor),
                actor=PORTAL.name,
                operation="unpair",
                device=bond.name,
                outcome="done",
                sentence=f"{why}: the settings are this manager's own from now on",
            )
        )

    return Follower(
        reactor,
        threads,
        node.layout,
        entries,
        partial(standing_of, node),
        partial(_bring, calls),
        changed,
        ended,
    )


async def _bring(calls: Calls, bond: Bond) -> None:
    """Put a bond's document in force as `configure` does, and audit it as the portal's."""
    node = calls.node
    table = await node.quick.run(to_apply, node.layout, bond)
    if table is None:
        return
    change = ChangedDevice(name=bond.name, settings=table)
    _, work = calls.start(CHANGE, change, PORTAL, attached=True)
    await work
