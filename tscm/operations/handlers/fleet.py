"""
How all devices stand, one row each.
"""

from tscm.base.clock import wall_seconds
from tscm.base.schedule import in_slices
from tscm.manager.node import Node, parts
from tscm.model import Json
from tscm.operations import table
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.states import device_state
from tscm.standing import Row, fault_row, row_of, worst_first
from tscm.wire.writing import as_json


def row(node: Node, name: str) -> Row:
    """How one device stands, from figures in memory."""
    interval = float(node.settings().policy.interval_seconds)
    return row_of(name, device_state(node, name), wall_seconds(node.clock), interval)


@handles(table.FLEET)
async def fleet(node: Node, args: Nothing, call: Call) -> list[Json]:
    """In slices of the reactor's time: lines go on coming in meanwhile."""
    del args, call
    manager = parts(node)
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
    return [as_json(one) for one in worst_first(rows)]
