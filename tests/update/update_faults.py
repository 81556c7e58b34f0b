"""
Faults put between the wire and the simulated agent, at a request of the test's choosing.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from tscm.simulator.http_values import Reply
from tscm.simulator.service import SimulatedAsa
from tscm.simulator.web import AsaHttpRequest, read_request, write_reply

HTML = "<html><body><h1>Error</h1></body></html>"
STANDBY = (
    "**** WARNING ****\\n\\tConfiguration Replication is NOT performed from Standby unit to Active "
    "unit.\\n\\tConfigurations are no longer synchronized."
)


@define(eq=False)
class Faults:
    """
    Counts requests, does *kind* to the one with number *at* (and with *forever* to all later
    ones), and calls *watch* after every request that took effect.
    """

    clock: IReactorTime
    asa: SimulatedAsa
    kind: str = ""
    at: int = 0
    forever: bool = False
    largest_body: int | None = None
    """Longer bodies kill the agent's request with a 500."""
    seen: int = 0
    watch: Callable[[], None] = lambda: None
    requests: list[str] = field(factory=list)
    complaints: list[BaseException] = field(factory=list)
    _held: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.asa._factory.taker = self.take

    def arm(self, kind: str, at: int, *, forever: bool = False) -> None:
        self.kind, self.at, self.forever, self.seen = kind, at, forever, 0
        self.requests.clear()

    def take(self, http: AsaHttpRequest) -> None:
        self.seen += 1
        self.requests.append(f"{http.method.decode()} {http.uri.decode()}")
        hit = self.at and (self.seen == self.at or (self.forever and self.seen > self.at))
        content: Any = http.content
        if self.largest_body is not None and len(content.read()) > self.largest_body:
            self._500(http)
        elif not hit:
            self.asa.agent.take(http)
        else:
            getattr(self, "_" + self.kind.replace(" ", "_"))(http)
        try:
            self.watch()
        except AssertionError as error:
            self.complaints.append(error)

    def _execute(self, http: AsaHttpRequest) -> Reply:
        return self.asa.agent.reply_to(read_request(http, self.asa.agent.default_root))

    def _answer(self, http: AsaHttpRequest, status: int, body: str, kind: str) -> None:
        reply = Reply(status=status, body=body, content_type=kind)
        write_reply(http, reply, self.clock.seconds(), security=False)

    def _500(self, http: AsaHttpRequest) -> None:
        self._answer(http, 500, HTML, "text/html")

    def _500_after(self, http: AsaHttpRequest) -> None:
        self._execute(http)
        self._500(http)

    def _reset_before(self, http: AsaHttpRequest) -> None:
        http.reset_connection()

    def _reset_after(self, http: AsaHttpRequest) -> None:
        self._execute(http)
        http.reset_connection()

    def _silence(self, http: AsaHttpRequest) -> None:
        self._execute(http)
        self._held.append(http)

    def _token_lost(self, http: AsaHttpRequest) -> None:
        self.asa.device.tokens.lose_all()
        self.asa.agent.take(http)

    def _reload(self, http: AsaHttpRequest) -> None:
        self.asa.reload()
        self.asa.agent.take(http)

    def _page(self, http: AsaHttpRequest) -> None:
        self._answer(http, 200, HTML, "text/html")

    def _standby(self, http: AsaHttpRequest) -> None:
        self._answer(http, 200, f'{{"response":["{STANDBY}"]}}', "application/json")
