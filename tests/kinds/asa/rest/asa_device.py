"""
A simulated firewall and the settings that lead to it, for the tests of drivers and updates.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tscm.base.secrets import Secret
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.settings.device import DeviceSettings
from tscm.simulator.service import SimulatedAsa

T = TypeVar("T")


def in_thread(call: Callable[..., T], *args: Any, **kwargs: Any) -> Deferred[T]:
    """A blocking call, while the reactor serves the simulator."""
    made: Deferred[T] = deferToThread(call, *args, **kwargs).addTimeout(30, reactor)
    return made


def settings_for(asa: SimulatedAsa, **changes: Any) -> DeviceSettings:
    """Settings that reach *asa* and trust its certificate by its fingerprint."""
    return AsaRestSettings(
        **{
            "name": "fw",
            "device_id": "tdid_test1",
            "device": "127.0.0.1",
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": asa.options.username,
            "password": Secret(asa.options.password),
            "rest_url": asa.api_url,
            "fingerprint": asa.fingerprint,
            **changes,
        }
    )
