"""
The ledger of a running manager: whether all that came in is accounted for, over all starts.
"""

from tscm.base.schedule import in_slices
from tscm.intake.figures import IntakeCounts
from tscm.ledger.balance import balance, together
from tscm.ledger.figures import Balance, DeviceBalance
from tscm.manager.node import Manager, Node, parts
from tscm.model import OwnReader


async def balanced(node: Node, *, look: bool = True) -> Balance:
    """
    The balance of what is open now.

    That of each device is of one moment, and all of them together take slices of the reactor's time.  *look* at the
    live files first.
    """
    manager = parts(node)
    whole = balance(
        manager.intake.counts(),
        {},
        book=manager.bookkeeper.book(),
        orphans=manager.spool.orphans(),
    )
    devices: dict[str, DeviceBalance] = {}
    async for name in in_slices(node.clock, sorted(manager.devices)):
        if name in manager.devices:  # it may have been removed since
            devices |= balanced_device(manager, name, look=look).devices
    return together(whole, devices)


def balanced_device(manager: Manager, name: str, *, look: bool = True) -> Balance:
    """The balance of one device."""
    mine, device = manager.intake.device_figures(name), manager.devices[name]
    return balance(
        IntakeCounts(devices={} if mine is None else {name: mine}),
        {name: manager.spool.figures(name, look=look)},
        name,
        users={name: device.users},
        rejected_batches={name: device.rejected_counts},
        unread={name: {OwnReader.EVENTS: manager.events.unread(name)}},
    )
