"""
How all devices stand, one row each.
"""

from tscm.base.schedule import in_slices
from tscm.manager.node import Node, parts
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.rows import row
from tscm.operations.table import fleet as table
from tscm.standing import Row, fault_row, worst_first


@handles(table.FLEET)
async def fleet(node: Node, args: Nothing, call: Call) -> tuple[Row, ...]:
    """In slices of the reactor's time: lines go on coming in meanwhile."""
    del args, call
    manager = parts(node)
    for gone in manager.judged.keys() - manager.devices.keys():
        del manager.judged[gone]
    rows: list[Row] = [
        fault_row(name, fault)
        for name, fault in manager.faults.items()
        if name and name not in manager.devices
    ]
    rows += [
        row(node, name)
        async for name in in_slices(node.clock, sorted(manager.devices))
        if name in manager.devices  # it may have been removed since
    ]
    return tuple(worst_first(rows))
