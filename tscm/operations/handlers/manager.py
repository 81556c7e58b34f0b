"""
Operations on the manager itself: its status, its versions, its ledger.
"""

from tscm import __version__
from tscm.ledger.figures import Balance
from tscm.manager.node import Node, parts
from tscm.operations.answers import ModuleVersion
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.states import manager_state
from tscm.operations.table import manager as table
from tscm.settings.modules import modules
from tscm.state import ManagerState


@handles(table.STATUS)
def status(node: Node, args: Nothing, call: Call) -> ManagerState:
    """Process, listeners, intake figures, faults."""
    del args, call
    return manager_state(node)


@handles(table.VERSIONS)
def versions(node: Node, args: Nothing, call: Call) -> tuple[ModuleVersion, ...]:
    """Modules and their versions."""
    del node, args, call
    own = ModuleVersion(module="TSCM-Core", version=__version__)
    others = (ModuleVersion(module=one.module, version=one.version) for one in modules())
    return (own, *dict.fromkeys(others))  # one module may bring several types


@handles(table.LEDGER)
async def ledger(node: Node, args: Balanced, call: Call) -> Balance:
    """The balance of one device or of all."""
    from tscm.manager.balances import balanced, balanced_device  # brings Twisted

    del call
    if args.device is None:
        return await balanced(node)
    refuse_unknown(node, args.device)
    return balanced_device(parts(node), args.device)
