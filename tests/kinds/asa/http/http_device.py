"""
The simulated firewall behind its HTTP interface: settings, drivers, and what each posted line left.
"""

from collections.abc import Mapping
from typing import Any

from tests.kinds.asa.rest.asa_device import in_thread
from tscm.base.secrets import Secret
from tscm.kinds.asa.http.driver import HttpDriver
from tscm.kinds.asa.http.link import Bounds
from tscm.kinds.asa.http.opening import open_driver
from tscm.kinds.asa.http.settings import AsaHttpSettings
from tscm.settings.device import DeviceSettings
from tscm.simulator.service import SimulatedAsa

SHORT = Bounds(connect_seconds=5, read_seconds=10, write_seconds=10)

__all__ = ["SHORT", "http_driver", "http_settings", "in_thread"]


def http_settings(asa: SimulatedAsa, **changes: Any) -> DeviceSettings:
    """Settings that reach *asa* and trust its certificate by its fingerprint."""
    return AsaHttpSettings(
        **{
            "name": "fw",
            "device_id": "tdid_test1",
            "device": "127.0.0.1",
            "block_list": "block.example",
            "allow_list": "allow.example",
            "username": asa.options.username,
            "password": Secret(asa.options.password),
            "http_port": asa.port,
            "fingerprint": asa.fingerprint,
            **changes,
        }
    )


def http_driver(
    asa: SimulatedAsa,
    learnt: Mapping[str, Any] | None = None,
    *,
    bounds: Bounds = SHORT,
    **changes: Any,
) -> HttpDriver:
    """A driver that has said nothing yet; the caller closes it."""
    return open_driver(http_settings(asa, **changes), learnt or {}, bounds=bounds)
