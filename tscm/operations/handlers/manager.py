"""
Operations on the manager itself: its status, its versions, its ledger.
"""

import os

from tscm import __version__
from tscm.model import Json
from tscm.operations import table
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.node import Node, balanced, parts
from tscm.operations.registry import handles
from tscm.wire.writing import as_json

MODULES = ("TSCM-Core", "ts-asarest")


@handles(table.STATUS)
def status(node: Node, args: Nothing, call: Call) -> Json:
    """Process, listeners, intake figures, faults."""
    del args, call
    manager = parts(node)
    fault = node.store.fault
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started_at": manager.started_at(),
        "root": str(node.layout.root),
        "devices": len(manager.devices),
        "faults": dict(manager.faults),
        "database": None if fault is None else str(fault),
        "listeners": manager.intake.addresses(),
        "metrics": manager.metrics_addresses(),
        "portal": dict(manager.services_addresses()),
        "uploads": manager.kept_uploads(),
        "intake": as_json(manager.intake.figures()),
        "ledger": manager.bookkeeper.figures(),
    }


@handles(table.VERSIONS)
def versions(node: Node, args: Nothing, call: Call) -> list[Json]:
    """Modules and their versions."""
    del node, args, call
    return [{"module": one, "version": __version__} for one in MODULES]


@handles(table.LEDGER)
def ledger(node: Node, args: Balanced, call: Call) -> Json:
    """The balance of one device or of all."""
    del call
    manager = parts(node)
    if args.device is not None:
        refuse_unknown(node, args.device)
    return balanced(manager, args.device)
