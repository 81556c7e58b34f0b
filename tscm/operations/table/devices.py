"""
Operations on devices and their settings.
"""

from tscm.devices.answers import Added, Changed, Prospected, Removed, Renamed
from tscm.operations.answers import DeviceView, SetupLines
from tscm.operations.arguments import ChangedDevice, Device, NewDevice, Prospect, RenamedDevice
from tscm.operations.operation import Needs, Operation

PROSPECT: Operation[Prospect, Prospected] = Operation(
    answer=Prospected,
    name="prospect",
    room="devices",
    verb="POST",
    path="/v1/prospect",
    args=Prospect,
    needs=Needs.FILES,
    noun="what a new device needs",
    long=True,
)
"""Before the questions: is the address free, and does the log service want a key: `{key_wanted_at}`."""

ADD: Operation[NewDevice, Added] = Operation(
    answer=Added,
    name="add",
    room="devices",
    verb="POST",
    path="/v1/devices",
    args=NewDevice,
    needs=Needs.FILES,
    noun="adding a device",
    long=True,
    changes=True,
)
"""Check and store a new device: `{name, check, settings, lines, notes}`."""

VIEW: Operation[Device, DeviceView] = Operation(
    answer=DeviceView,
    name="view",
    room="devices",
    verb="GET",
    path="/v1/devices/<name>",
    args=Device,
    needs=Needs.FILES,
    noun="the settings of a device",
)
"""`{settings, state, confirm_changes_percent}` of one device, secrets masked; without a manager the state is empty."""

CHANGE: Operation[ChangedDevice, Changed] = Operation(
    answer=Changed,
    name="change",
    room="devices",
    verb="PUT",
    path="/v1/devices/<name>",
    args=ChangedDevice,
    needs=Needs.FILES,
    noun="changing a device",
    long=True,
    changes=True,
)
"""Check and store changed settings: `{name, check, settings, changed, notes}`."""

REMOVE: Operation[Device, Removed] = Operation(
    answer=Removed,
    name="remove",
    room="devices",
    verb="DELETE",
    path="/v1/devices/<name>",
    args=Device,
    needs=Needs.FILES,
    noun="removing a device",
    long=True,
    changes=True,
    destructive=True,
)
"""Forget a device: `{name, lines}`, the lines being the way back on the firewall."""

RENAME: Operation[RenamedDevice, Renamed] = Operation(
    answer=Renamed,
    name="rename",
    room="renaming",
    verb="POST",
    path="/v1/devices/<name>/rename",
    args=RenamedDevice,
    needs=Needs.FILES,
    noun="renaming a device",
    long=True,
    changes=True,
)
"""Give a device another nickname; its permanent id, its log and all that is kept of it stay: `{name, before, notes}`."""

SETUP_LINES: Operation[Device, SetupLines] = Operation(
    answer=SetupLines,
    name="setup_lines",
    room="devices",
    verb="GET",
    path="/v1/devices/<name>/lines",
    args=Device,
    needs=Needs.FILES,
    noun="what to enter on a firewall",
)
"""What to enter on the firewall, with secrets masked: `{name, text}`."""
