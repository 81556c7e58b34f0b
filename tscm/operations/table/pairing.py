"""
Operations on devices whose settings come from a portal, at their manager.
"""

from tscm.operations.arguments import Device, Nothing
from tscm.operations.entry_answers import BondRows, PairedDevice, Unpaired
from tscm.operations.entry_arguments import Paired
from tscm.operations.operation import Needs, Operation

PAIR: Operation[Paired, PairedDevice] = Operation(
    answer=PairedDevice,
    name="pair",
    room="pairing",
    verb="POST",
    path="/v1/bonds",
    args=Paired,
    needs=Needs.FILES,
    noun="pairing",
    long=True,
    changes=True,
)
"""Take a device's settings from a portal, now and from now on; a device that is not there is added."""

BONDS: Operation[Nothing, BondRows] = Operation(
    answer=BondRows,
    name="bonds",
    room="pairing",
    verb="GET",
    path="/v1/bonds",
    args=Nothing,
    needs=Needs.FILES,
    noun="the paired devices",
    long=True,
)
"""Devices whose settings come from a portal, and how that stands."""

UNPAIR: Operation[Device, Unpaired] = Operation(
    answer=Unpaired,
    name="unpair",
    room="pairing",
    verb="POST",
    path="/v1/devices/<name>/unpair",
    args=Device,
    needs=Needs.FILES,
    noun="unpairing",
    long=True,
    changes=True,
)
"""Follow the portal no longer: the settings stay, and are the manager's own."""
