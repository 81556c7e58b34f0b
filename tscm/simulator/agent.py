"""
The agent as a process: what lies between the wire and the pure `RestAgent`.
"""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from tscm.simulator.counts import Counts
from tscm.simulator.device import Device
from tscm.simulator.http_values import Reply, Request
from tscm.simulator.rest import RestAgent
from tscm.simulator.web import AsaHttpRequest, read_request, write_reply


@define(eq=False)
class Agent:
    """
    Takes requests off the wire and puts the replies on it.
    """

    _clock: IReactorTime
    device: Device
    counts: Counts
    default_root: str = "https://asa"
    _rest: RestAgent = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rest = RestAgent(self.device)

    def take(self, http: AsaHttpRequest) -> None:
        """A request has come in whole."""
        request = read_request(http, self.default_root)
        self.counts.request(request.method, "/" + "/".join(request.segments), len(request.body))
        self._answer(http, self.reply_to(request))

    def reply_to(self, request: Request) -> Reply:
        """What is answered."""
        return self._rest.handle(request, self._clock.seconds())

    def _answer(self, http: AsaHttpRequest, reply: Reply) -> None:
        switches = self.device.switches
        size = write_reply(http, reply, self._clock.seconds(), security=switches.security_headers)
        self.counts.reply(reply.status, size)
