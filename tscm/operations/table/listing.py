"""
The list of devices, which most commands ask for.
"""

from tscm.devices.answers import DeviceRow
from tscm.operations.arguments import Nothing
from tscm.operations.operation import Needs, Operation

DEVICES: Operation[Nothing, tuple[DeviceRow, ...]] = Operation(
    answer=tuple[DeviceRow, ...],
    name="devices",
    room="listing",
    verb="GET",
    path="/v1/devices",
    args=Nothing,
    needs=Needs.FILES,
    noun="the list of devices",
)
"""A row for each device; one with a damaged file has `fault`, and where not in force no more."""
