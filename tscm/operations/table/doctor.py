"""
Checks of the chain.
"""

from tscm.doctor.finding import Findings
from tscm.operations.arguments import Device, Nothing
from tscm.operations.operation import Needs, Operation

DOCTOR: Operation[Nothing, Findings] = Operation(
    answer=Findings,
    name="doctor",
    room="doctor",
    verb="POST",
    path="/v1/doctor",
    args=Nothing,
    needs=Needs.FILES,
    noun="a check of the node",
    long=True,
)
"""`{findings}` about host and manager."""

DOCTOR_DEVICE: Operation[Device, Findings] = Operation(
    answer=Findings,
    name="doctor_device",
    room="doctor",
    verb="POST",
    path="/v1/devices/<name>/doctor",
    args=Device,
    needs=Needs.FILES,
    noun="a check of a device",
    long=True,
)
"""`{findings}` about a device's chain."""
