"""
A device whose secrets the node's key does not open: what is in force of it meanwhile, and what is shown.

Its lines are collected as ever.  Whatever needs a password waits until the key is there again.
"""

from attrs import evolve

from tscm.base.secrets import MASK, Secret
from tscm.errors import TscmError
from tscm.settings.device import DeviceSettings, secrets_of
from tscm.settings.files import read_device
from tscm.settings.layout import Layout

_MASKED = Secret(MASK)


def is_sealed(settings: DeviceSettings) -> bool:
    """Were they read without the key, so that a secret of them is a mask?"""
    return any(getattr(settings, name) == _MASKED for name in secrets_of(type(settings)))


def while_sealed(settings: DeviceSettings) -> DeviceSettings:
    """What is in force of *settings* meanwhile: nothing is uploaded, and no line is given up for it."""
    return evolve(settings, send_logs=False, backlog="keep")


def as_set(layout: Layout, in_force: DeviceSettings) -> DeviceSettings:
    """The settings as the operator made them, for settings *in_force* that may be those of a sealed device."""
    if not is_sealed(in_force):
        return in_force
    try:
        stored = read_device(layout, in_force.name, None)
    except TscmError:
        return in_force
    return stored if while_sealed(stored) == in_force else in_force
