"""
Operations on the manager itself: its status, its versions, its ledger.
"""

from tscm import __version__
from tscm.manager.node import Node, balanced, parts
from tscm.model import Json
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.states import manager_state
from tscm.operations.table import manager as table
from tscm.wire.writing import as_json

MODULES = ("TSCM-Core", "ts-asarest")


@handles(table.STATUS)
def status(node: Node, args: Nothing, call: Call) -> Json:
    """Process, listeners, intake figures, faults."""
    del args, call
    return as_json(manager_state(node))


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
    return as_json(balanced(manager, args.device))
