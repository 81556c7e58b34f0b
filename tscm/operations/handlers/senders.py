"""
Operations on unknown senders.
"""

from collections.abc import Sequence

from tscm.devices.answers import Changed
from tscm.errors import TscmError
from tscm.intake.sender_figures import StrangerFigures
from tscm.manager.node import Node, parts
from tscm.operations.arguments import Adoption, ChangedDevice, Nothing
from tscm.operations.call import Call
from tscm.operations.handlers.devices import change
from tscm.operations.registry import handles
from tscm.operations.table import senders as table
from tscm.settings.files import read_device


class SenderUnheard(TscmError):
    """
    An address that is to be adopted has sent nothing, or belongs to a device already.
    """

    def __init__(self, address: str, device: str, sources: Sequence[str]) -> None:
        self.address = address
        self.device = device
        self.sources = tuple(sources)
        super().__init__(address, device, self.sources)

    def __str__(self) -> str:
        return (
            f"{self.address} is not in the list of unknown senders; list them with "
            "`tsadmin senders`, or add the address with `tsadmin configure "
            f"{self.device} --syslog_sources '{' '.join(self.sources)}'`"
        )


@handles(table.SENDERS)
def senders(node: Node, args: Nothing, call: Call) -> tuple[StrangerFigures, ...]:
    """Unknown senders, those heard last first."""
    del args, call
    return tuple(parts(node).senders.unknown())


@handles(table.ADOPT)
async def adopt(node: Node, args: Adoption, call: Call) -> Changed:
    """
    Add the address to the device's additional sources.

    Raises `SenderUnheard`; without a manager it is unknown which senders were heard.
    """
    present = read_device(node.layout, args.name, None)
    heard = node.manager is None or any(
        one.address == args.address for one in node.manager.senders.unknown()
    )
    if not heard:
        raise SenderUnheard(args.address, args.name, (*present.syslog_sources, args.address))
    sources = [*present.syslog_sources, args.address]
    asked = ChangedDevice(name=args.name, settings={"syslog_sources": sources})
    changed: Changed = await change(node, asked, call)
    return changed
