"""
Operations that check the chain: host, manager, and one device from its settings to the SIEM.
"""

from tscm.doctor.finding import Findings
from tscm.manager.node import Node
from tscm.model import OwnReader
from tscm.operations.arguments import Device, Nothing
from tscm.operations.call import Call
from tscm.operations.registry import handles
from tscm.operations.states import device_state, manager_state
from tscm.operations.table import doctor as table


@handles(table.DOCTOR)
async def check_node(node: Node, args: Nothing, call: Call) -> Findings:
    """Host and manager; that no manager runs is a finding."""
    del args
    from tscm.doctor import examine_alone
    from tscm.doctor.examine_node import walk_node

    if node.manager is None:
        return examine_alone.doctor_node(node.layout, call.report)
    state = manager_state(node)
    found = await node.slow.run(walk_node, node.layout, state, call.report)
    return Findings(findings=tuple(found))


@handles(table.DOCTOR_DEVICE)
async def check_device(node: Node, args: Device, call: Call) -> Findings:
    """A device's chain."""
    from tscm.doctor import examine_alone
    from tscm.doctor.examine_in_manager import Visit

    name, manager = args.name, node.manager
    if manager is None or node.updates is None:
        return examine_alone.doctor_device(node.layout, name, call.report)
    device = manager.devices.get(name)
    known = device is not None
    visit = Visit(
        layout=node.layout,
        node=node.settings(),
        settings=None if device is None else device.settings,
        state=device_state(node, name, anew=True) if known else None,
        listeners=manager.intake.addresses(),
        strangers=tuple(one.address for one in manager.senders.unknown()),
        clock=node.clock,
        threads=node.slow,  # type: ignore[arg-type]
        ask_device=node.updates.ask_device,
        log=manager.spool.reader(name, OwnReader.EVENTS) if known else None,
    )
    return await visit.pay(name, call.report)
