"""
The state of a device and of the manager, put together from what their parts tell of themselves.
"""

import os
from collections.abc import Mapping, Sequence

from tscm import __version__
from tscm.intake.figures import IntakeCounts
from tscm.ledger.balance import balance, differences_of
from tscm.manager.node import Node, parts, updates
from tscm.state import DeviceState, ManagerState


def device_state(node: Node, name: str, *, anew: bool = False) -> DeviceState:
    """The state of a device that is in force; *again*: the database is read whatever is known."""
    manager = parts(node)
    device = manager.devices[name]
    log, intake = manager.spool.figures(name), manager.intake.device_figures(name)
    came_in = IntakeCounts(devices={} if intake is None else {name: intake})
    return DeviceState(
        fault=manager.faults.get(name),
        policy=updates(node).figures(name, anew=anew),
        log=log,
        lag_seconds=manager.lags.of(name),
        forward=device.forward_figures(),
        forward_also=device.forward_also_figures(),
        upload=device.upload_figures(),
        events=manager.events.figures(name),
        intake=intake,
        udp_path=manager.intake.udp_path,
        users=device.users,
        pulls=manager.lists.figures(name),
        unbalanced=tuple(differences_of(balance(came_in, {name: log}, name))),
    )


def manager_state(node: Node) -> ManagerState:
    """The state of the manager."""
    manager, fault = parts(node), node.store.fault
    return ManagerState(
        version=__version__,
        pid=os.getpid(),
        started_at=manager.started_at(),
        root=str(node.layout.root),
        devices=len(manager.devices),
        faults=dict(manager.faults),
        database=None if fault is None else str(fault),
        listeners=_tuples(manager.intake.addresses()),
        metrics=tuple(manager.metrics_addresses()),
        lists=tuple(manager.lists.addresses()),
        portal=_tuples(manager.services_addresses()),
        uploads=manager.kept_uploads(),
        audit_targets=tuple(manager.audit_targets()),
        intake=manager.intake.figures(),
        ledger=manager.bookkeeper.figures(),
        alarms=manager.alarms().figures(),
    )


def _tuples(found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(several) for name, several in found.items()}
