"""
The list of devices.
"""

from attrs import evolve

from tscm.devices.answers import DeviceRow
from tscm.devices.listed import device_row, device_rows
from tscm.manager.node import Node
from tscm.operations.arguments import Nothing
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.table import listing as table
from tscm.settings.sealed import as_set


@handles(table.DEVICES)
def list_devices(node: Node, args: Nothing, call: Call) -> tuple[DeviceRow, ...]:
    """The devices in force; without a manager those that are"""
    del args, call
    manager = node.manager
    if manager is None:
        return device_rows(node.layout)
    rows = {
        name: device_row(as_set(node.layout, one.settings)) for name, one in manager.devices.items()
    }
    for name, fault in manager.faults.items():
        if name:
            rows[name] = evolve(rows.get(name, DeviceRow(name=name)), fault=fault)
    return tuple(rows[name] for name in sorted(rows))
