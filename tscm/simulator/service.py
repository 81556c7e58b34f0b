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
    asa.switches.update({"duplicate_status": 409})
    asa.counts.as_json()                     # requests by method and path, bytes, writes, lines
    await asa.stopService()
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError

from tscm.simulator.agent import Agent
from tscm.simulator.certificate import Certificate, make_certificate
from tscm.simulator.cli import Console, load
from tscm.simulator.configuration import Configuration
from tscm.simulator.counts import Counts
from tscm.simulator.device import FACTORY_LINES, Device
from tscm.simulator.profiles import PROFILES
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches
from tscm.simulator.web import AsaHttpFactory


@frozen(kw_only=True)
class AsaOptions:
    """
    What a simulated firewall is started with; port 0 lets the kernel choose.
    """

    username: str = "admin"
    password: str = field(default="cisco", repr=False)
    hostname: str = "ciscoasa"
    profile: str = "ASAv10"
    https: tuple[str, int] = ("127.0.0.1", 0)
    config_lines: tuple[str, ...] = ()
    """Typed over the factory's lines before the device starts, and saved."""
    folder: Path | None = None
    """Where the certificate is written; None: a temporary folder that goes with the service."""


@define(eq=False)
class SimulatedAsa(Service):
    """
    One firewall: the REST agent over HTTPS on a device of its own.
    """

    _reactor: Any
    options: AsaOptions = field(factory=AsaOptions)
    device: Device = field(init=False)
    counts: Counts = field(factory=Counts, init=False)
    certificate: Certificate = field(init=False)
    certificate_path: Path = field(init=False)
    agent: Agent = field(init=False)
    _factory: AsaHttpFactory = field(init=False)
    _port: Any = field(default=None, init=False)
    _temporary: Path | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        profile = PROFILES.get(self.options.profile)
        if profile is None:
            raise SimulatorUnavailable(
                f"profile {self.options.profile!r}",
                "there is no such platform",
                f"choose one of {', '.join(PROFILES)}",
            )
        now = self._reactor.seconds()
        self.device = Device(profile=profile, started_at=now)
        load(self.device, "\n".join((*FACTORY_LINES, *self.options.config_lines)), now)
        self.configuration.hostname = self.options.hostname
        self.device.accounts.add(self.options.username, self.options.password)
        self.device.save(now)
        self.agent = Agent(self._reactor, self.device, self.counts)
        self._factory = AsaHttpFactory(self._reactor, self.agent.take)

    # -- what tests look at --------------------------------------------------

    @property
    def configuration(self) -> Configuration:
        """The running configuration."""
        return self.device.configuration

    @property
    def switches(self) -> Switches:
        """Everything that can be set and made to fail."""
        return self.device.switches

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex without colons."""
        return self.certificate.fingerprint

    @property
    def port(self) -> int:
        """The port of HTTPS, once started."""
        return int(self._port.getHost().port)

    @property
    def api_url(self) -> str:
        """The root of the REST API, once started."""
        host = self.options.https[0]
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{self.port}/api"

    def type_lines(self, lines: Iterable[str]) -> list[str]:
        """
        Type *lines* as somebody else would by SSH; what each printed.

        A change made so is an outside change to the agent.
        """
        before = self.configuration.generation
        console = Console(self.device, "enable_15")
        printed = [console.run(line, self._reactor.seconds()) for line in lines]
        if self.configuration.generation != before:
            self.device.outside_changes += 1
        return printed

    # -- life ----------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind; twistd calls this before it gives up privileges."""
        super().privilegedStartService()
        self._bind()

    def startService(self) -> None:
        """Bind, where that is not done yet."""
        super().startService()
        self._bind()

    def _bind(self) -> None:
        if self._port is not None:
            return
        host, port = self.options.https
        self.certificate = make_certificate(self.options.hostname, host)
        context = self.certificate.connections()
        try:
            self._port = self._reactor.listenSSL(port, self._factory, context, interface=host)
        except CannotListenError as error:
            raise SimulatorUnavailable(
                f"cannot listen for HTTPS on {host}:{port}",
                str(error.socketError),
                "free the port or choose another",
            ) from error
        folder = self.options.folder
        if folder is None:
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="tscm-asa-"))
        self.certificate_path = self.certificate.write(folder)
        self.agent.default_root = self.api_url.removesuffix("/api")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing listens any more and every connection is closed."""
        super().stopService()
        waits = []
        if self._port is not None:
            waits.append(maybeDeferred(self._port.stopListening))
            self._port = None
        self._factory.end_connections()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done
