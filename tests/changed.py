"""
Settings of a device, changed by options as an operator does.
"""

from typing import Any

from tscm.devices.stored import propose
from tscm.kinds.asa.rest.settings import AsaRestSettings, asa_rest
from tscm.settings.device import DeviceSettings


def changed(settings: DeviceSettings, **options: Any) -> AsaRestSettings:
    return asa_rest(propose(options, settings))
