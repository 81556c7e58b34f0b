"""
Faults put between the wire and the simulated agent, at a request of the test's choosing; lines counted over SSH.
"""

from collections.abc import Callable

from attrs import define, evolve, field

from tscm.simulator.service import SimulatedAsa
from tscm.simulator.web import AsaHttpRequest


@define(eq=False)
class Faults:
    """
    Counts requests, lets the simulator do *kind* to the one with number *at* (and with *forever*
    to all later ones), and calls *watch* after every request that took effect.
    """

    asa: SimulatedAsa
    kind: str = ""
    at: int = 0
    forever: bool = False
    lines: tuple[str, ...] = ()
    """What a rival types."""
    seen: int = 0
    watch: Callable[[], None] = lambda: None
    requests: list[str] = field(factory=list)
    complaints: list[BaseException] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.asa._doors.https.taker = self.take

    def arm(self, kind: str, at: int, *, forever: bool = False) -> None:
        self.kind, self.at, self.forever, self.seen = kind, at, forever, 0
        self.requests.clear()

    def set_privilege(self, level: int) -> None:
        """Of the account that the manager uses."""
        account = self.asa.device.accounts.users[self.asa.options.username]
        self.asa.device.put_account(evolve(account, privilege=level))

    def take(self, http: AsaHttpRequest) -> None:
        self.seen += 1
        self.requests.append(f"{http.method.decode()} {http.uri.decode()}")
        hit = self.at and (self.seen == self.at or (self.forever and self.seen > self.at))
        if not hit:
            self.asa.agent.take(http)
        else:
            self._strike(http)
        try:
            self.watch()
        except AssertionError as error:
            self.complaints.append(error)

    def _strike(self, http: AsaHttpRequest) -> None:
        if self.kind == "standby":
            self.asa.device.role = "standby"  # and its mate says nothing of it
        elif self.kind == "privilege":
            self.set_privilege(5)
        elif self.kind == "certificate":
            self.asa.renew_certificate()
            http.reset_connection()
            return
        elif self.kind == "rival":
            self.asa.type_lines(self.lines)
        elif self.kind == "sync":
            self.asa.begin_sync(3600)
        elif self.kind:
            self.asa.agent.faults.arm(self.kind)
        self.asa.agent.take(http)


@define(eq=False)
class Typed:
    """
    Counts the lines that the firewall has read over SSH, and calls *watch* after each.
    """

    asa: SimulatedAsa
    seen: int = 0
    watch: Callable[[], None] = lambda: None
    _say: Callable[[], None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        server = self.asa._ssh
        assert server is not None
        self._say, server.say = server.say, self._read

    def arm(self, kind: str, at: int) -> None:
        """Count from now on; *kind* and *at* are those of `Faults`, and no fault is put in."""
        del kind, at
        self.seen = 0

    def _read(self) -> None:
        self.seen += 1
        self._say()
        self.watch()
