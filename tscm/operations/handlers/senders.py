"""
Operations on unknown senders.
"""

from tscm.model import Json
from tscm.operations import table
from tscm.operations.arguments import Adoption, ChangedDevice, Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.devices import change
from tscm.operations.node import Node, parts
from tscm.operations.registry import handles
from tscm.settings.files import read_device


@handles(table.SENDERS)
def senders(node: Node, args: Nothing, call: Call) -> list[Json]:
    """Unknown senders, those heard last first."""
    del args, call
    return parts(node).senders.unknown()


@handles(table.ADOPT)
async def adopt(node: Node, args: Adoption, call: Call) -> Json:
    """Add the address to the device's additional sources."""
    present = read_device(node.layout, args.name, None)
    sources = [*present.syslog_sources, args.address]
    asked = ChangedDevice(name=args.name, settings={"syslog_sources": sources})
    changed: Json = await change(node, asked, call)
    return changed
