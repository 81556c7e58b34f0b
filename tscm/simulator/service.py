"""
A simulated Cisco ASA as a Twisted service, for `twistd tscm-asa` and for tests in one process.

In a test (reactor running, calls that block in a thread of their own):

    asa = SimulatedAsa(reactor, AsaOptions(username="admin", password="secret"))
    asa.startService()                       # binds at once; raises SimulatorUnavailable
    asa.api_url                              # "https://127.0.0.1:40123/api"
    asa.certificate_path, asa.fingerprint    # CA file for requests; SHA-256 in hex
    asa.configuration.groups["X-Block-1"].members   # canonical texts, in order of entry
    asa.type_lines(["object-group network X", " network-object host 192.0.2.1"])  # out of band
    asa.device.running_config()              # the text of `show running-config`
    asa.set_switches({"duplicate_status": 409})
    asa.passage.send([Packet(source=..., destination=...)]).as_json(10)
    asa.counts.as_json()                     # requests by method and path, bytes, writes, lines
    await asa.stopService()
"""

from typing import Any

from attrs import define, field

from tscm.simulator import report
from tscm.simulator.control import Control
from tscm.simulator.firewall import Firewall
from tscm.simulator.options import AsaOptions
from tscm.simulator.web import AsaHttpRequest

__all__ = ["AsaOptions", "SimulatedAsa"]


@define(eq=False)
class SimulatedAsa(Firewall):
    """
    A firewall with its control port, by which it is steered and tells of itself.
    """

    _control: Control = field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._control = Control(self, self._reactor)

    def _steered(self, http: AsaHttpRequest) -> None:
        self._control.take(http)

    def ready(self) -> dict[str, Any]:
        """What the user who started the firewall needs to know."""
        return report.ready(self)

    def state(self) -> dict[str, Any]:
        """What can be seen from outside at this moment."""
        return report.state(self, self._reactor.seconds())
