"""
The simulated firewall itself: device, agents, passage and doors, with all that can be done to it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory

from tscm.simulator.agent import Agent
from tscm.simulator.certificate import Certificate
from tscm.simulator.cli import Console
from tscm.simulator.configuration import Configuration
from tscm.simulator.contexts import divide
from tscm.simulator.counts import Counts
from tscm.simulator.device import FACTORY_LINES, Device, new_serial
from tscm.simulator.doors import Doors
from tscm.simulator.faults import Armed
from tscm.simulator.health import AgentHealth
from tscm.simulator.listening import shown
from tscm.simulator.loading import load
from tscm.simulator.options import AsaOptions
from tscm.simulator.pair import Pair
from tscm.simulator.passage import Passage
from tscm.simulator.profiles import PROFILES
from tscm.simulator.reach import Reach
from tscm.simulator.refusal import SimulatorUnavailable
from tscm.simulator.switches import Switches
from tscm.simulator.syslog_form import Message, header_lines
from tscm.simulator.web import AsaHttpFactory, AsaHttpRequest

if TYPE_CHECKING:
    from tscm.simulator.ssh import SshFactory


@define(eq=False)
class Firewall(Service):
    """
    One firewall: the REST agent over HTTPS on a device of its own.
    """

    _reactor: Any
    options: AsaOptions = field(factory=AsaOptions)
    device: Device = field(init=False)
    counts: Counts = field(factory=Counts, init=False)
    standby_counts: Counts = field(factory=Counts, init=False)
    pair: Pair | None = field(default=None, init=False)
    agent: Agent = field(init=False)
    """At the management address; `agent.faults.arm("reset-after", 3)` breaks the third request."""
    standby_agent: Agent = field(init=False)
    passage: Passage = field(init=False)
    """Packets in, syslog lines out."""
    _doors: Doors = field(init=False)
    _ssh: "SshFactory | None" = field(default=None, init=False)
    _starting: IDelayedCall | None = field(default=None, init=False)
    """A reload that is not over."""

    def __attrs_post_init__(self) -> None:
        profile = PROFILES.get(self.options.profile)
        if profile is None:
            raise SimulatorUnavailable(
                f"profile {self.options.profile!r}",
                "there is no such platform",
                f"choose one of {', '.join(PROFILES)}",
            )
        now = self._reactor.seconds()
        self.device = Device(
            profile=profile, serial=self.options.serial or new_serial(), started_at=now
        )
        self.device.switches.ssh_algorithms = profile.ssh
        load(self.device, "\n".join(self._first_lines()), now)
        self.device.accounts.add(self.options.username, self.options.password)
        if self.options.contexts:
            divide(self.device, self.options.contexts)
            for name in self.options.contexts:
                load(self.device.spaces[name], "\n".join(self._first_lines()), now)
                self.device.spaces[name].save(now)
        self.device.save(now)
        self._agent_as_configured(self.device)
        self.passage = Passage(
            self._reactor,
            self.device,
            self.counts,
            Reach(frozenset(one.host for one in self.options.syslog), self.options.syslog_networks),
            self.options.source_address,
            self.options.standby_source_address,
        )
        self.agent = Agent(
            self._reactor,
            self.device,
            self.counts,
            act=self._act,
            say=self.passage.say_outbox,
            keep_in_step=self._keep_in_step,
        )
        self.passage.each_second = self._each_second
        self.standby_agent = Agent(
            self._reactor, self.device, self.standby_counts, keep_in_step=self._keep_in_step
        )
        self._doors = Doors(
            self._reactor,
            self.options,
            https=AsaHttpFactory(self._reactor, self.agent.take, self._admits),
            standby=AsaHttpFactory(self._reactor, self.standby_agent.take, self._admits),
            control=AsaHttpFactory(self._reactor, self._steered),
            ssh=self._make_ssh,
        )

    def _admits(self, address: str) -> bool:
        return self.device.admits_https(address)

    def _keep_in_step(self) -> None:
        if self.pair is not None:
            self.pair.keep_in_step(self._reactor.seconds())

    def _each_second(self) -> None:
        self.agent.poll()
        self.standby_agent.poll()

    def _first_lines(self) -> Iterable[str]:
        has_agent = self.device.profile.agent_version is not None
        yield from (line for line in FACTORY_LINES if has_agent or "rest-api" not in line)
        yield f"hostname {self.options.hostname}"
        yield from header_lines(self.options.header)
        for target in self.options.syslog:
            yield target.command
        yield from self.options.config_lines

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
    def certificate(self) -> Certificate:
        """What HTTPS shows, once started."""
        return self._doors.certificate

    @property
    def certificate_path(self) -> Path:
        """The certificate as a file, once started."""
        return self._doors.certificate_path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex without colons."""
        return self.certificate.fingerprint

    @property
    def port(self) -> int:
        """The port of HTTPS, once started."""
        return self._doors.port

    @property
    def api_url(self) -> str:
        """The root of the REST API, once started."""
        return f"https://{shown(self.options.https[0])}:{self.port}/api"

    @property
    def control_url(self) -> str | None:
        """The root of the control port, once started; None without one."""
        return self._doors.control_url

    @property
    def standby_url(self) -> str | None:
        """The root of the standby unit's REST API; None where there is no pair."""
        return self._doors.standby_url

    @property
    def ssh_port(self) -> int | None:
        """The port of the command line; None without one."""
        return self._doors.ssh_port

    @property
    def ssh_host_key(self) -> str | None:
        """SHA-256 of the key that it shows, as `ssh` writes it; None without a command line."""
        return None if self._ssh is None else self._ssh.fingerprint(self.switches.ssh_algorithms)

    def _steered(self, http: AsaHttpRequest) -> None:
        """Answer what is asked on the control port."""
        raise NotImplementedError

    # -- what tests do -------------------------------------------------------

    def set_switches(self, wanted: dict[str, Any]) -> None:
        """Set several switches; raises `SettingsFaulty` and sets none when one is unknown."""
        self.switches.update(wanted)
        self.device.apply_switches()
        if self.pair is not None:
            self.pair.standby.apply_switches()

    def reset_counts(self) -> None:
        """Begin to count again."""
        self.counts.reset()

    def reload(self, *, version: str = "") -> None:
        """
        Start again from what was saved: what was not is lost, as are tokens, flows and connections.

        *version* is what the firewall runs from then on.  Switch `reload_hazard` is the defect
        of 9.18.1 and 9.19.1, `reload_seconds` the time in which nothing answers.
        """
        now = self._reactor.seconds()
        if self.pair is not None:
            self._reload_one_of_two(version, now)
            return
        device, switches = self.device, self.switches
        self.configuration.adopt(Configuration())
        device.accounts.users.clear()
        for one in device.spaces.values():
            if one is not device:
                one.configuration.adopt(Configuration())
                load(one, one.startup, now, out_of_order_fails=switches.reload_hazard)
        device.asa_version = version or device.asa_version
        device.health = AgentHealth(switches)
        load(device, device.startup, now, out_of_order_fails=switches.reload_hazard)
        self._agent_as_configured(device)
        device.tokens.lose_all()
        self.agent.interface.sessions.end_all()
        device.started_at = now + switches.reload_seconds
        device.outside_changes = 0
        device.hits.clear()
        device.shuns.clear()
        self.passage.source.reset()
        self._end_ssh()
        self.agent.booting_until = now + switches.reload_seconds
        self.passage.traffic.forget()
        if switches.reload_lines:
            self._end_start()
            self._starting = self._reactor.callLater(switches.reload_seconds, self._started)

    def _started(self) -> None:
        """What a firewall says when it is there again."""
        self._starting = None
        self.passage.say([Message("199002", 6, "Startup completed.  Beginning operation.")])

    def _end_start(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def _reload_one_of_two(self, version: str, now: float) -> None:
        """The mate takes over, and the unit that comes back takes its configuration."""
        self.fail_over()
        assert self.pair is not None
        back = self.pair.standby
        back.asa_version = version or back.asa_version
        back.started_at = now + self.switches.reload_seconds
        back.health = AgentHealth(self.switches)
        self._agent_as_configured(back)
        self.standby_agent.booting_until = back.started_at
        self.pair.begin_sync(now, self.switches.reload_seconds)

    def begin_sync(self, seconds: float) -> None:
        """A bulk synchronisation with the mate, in which changes do not reach it."""
        self.make_pair().begin_sync(self._reactor.seconds(), seconds)

    def _agent_as_configured(self, device: Device) -> None:
        if (
            device.profile.agent_version is None
            or "rest-api agent" not in device.configuration.plain
        ):
            device.health.stop()

    def kill_agent(self) -> None:
        """The agent gives up; only `no rest-api agent` and `rest-api agent` bring it back."""
        self.device.outbox += self.device.health.kill()
        self.passage.say_outbox()

    def revive_agent(self) -> None:
        """What an operator types for that."""
        self.type_lines(["no rest-api agent", "rest-api agent"])
        self.agent.poll()

    def renew_certificate(self) -> None:
        """Serve new connections with another certificate, as after a reload without a trustpoint."""
        self._doors.renew_certificate()

    def fail_over(self) -> None:
        """
        The other unit takes over at the management address; one is made if there was none.
        """
        pair = self.make_pair()
        pair.swap(self._reactor.seconds())
        self._end_ssh()
        self.device = pair.active
        self.agent.serve(pair.active)
        self.passage.serve(pair.active)
        self.standby_agent.serve(pair.standby)
        self.passage.say_outbox()

    def _make_ssh(self) -> IProtocolFactory:
        try:
            from tscm.simulator.ssh import SshFactory
        except ImportError as error:
            raise SimulatorUnavailable(
                "SSH", f"{error.name} is not installed", "`pip install 'tscm[ssh]'`"
            ) from None
        self._ssh = SshFactory(self._reactor, lambda: self.device, self.passage.say_outbox)
        return self._ssh

    def _end_ssh(self) -> None:
        if self._ssh is not None:
            self._ssh.end_connections()

    def make_pair(self) -> Pair:
        """Give the firewall a mate that replicates, if it has none."""
        if self.pair is None:
            self.pair = Pair.of(self.device, self._reactor.seconds())
            self.standby_agent.serve(self.pair.standby)
        return self.pair

    def _act(self, armed: Armed) -> None:
        """What a fault asks of the firewall as a whole."""
        if armed.kind == "failover":
            self.fail_over()
        elif armed.kind == "reload":
            self.reload()
        else:
            self.type_lines(armed.lines)

    def type_lines(self, lines: Iterable[str], *, context: str = "") -> list[str]:
        """
        Type *lines* as another user would by SSH, in a *context* where it has several; what each printed.

        A change made so is an outside change to the agent.
        """
        self._keep_in_step()
        before = self.configuration.generation
        device = self.device.spaces[context] if context else self.device
        console = Console.of(device, "enable_15")
        printed = [console.run(line, self._reactor.seconds()) for line in lines]
        if self.configuration.generation != before:
            self.device.outside_changes += 1
        self.passage.say_outbox()
        return printed

    # -- life ----------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind; twistd calls this before it gives up privileges."""
        super().privilegedStartService()
        try:
            self._bind()
            self.passage.open()
        except SimulatorUnavailable:
            self._doors.remove_folder()
            raise

    def startService(self) -> None:
        """Bind, where that is not done yet."""
        super().startService()
        self._bind()
        self.passage.start()

    def _bind(self) -> None:
        if self._doors.open:
            return
        if self.options.standby_https is not None:
            self.make_pair()
        self._doors.bind()
        self.agent.default_root = self.api_url.removesuffix("/api")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing listens any more and every connection is closed."""
        super().stopService()
        self._end_start()
        waits: list[Deferred[Any]] = [self.passage.stop()]
        self.agent.stop()
        self.standby_agent.stop()
        self._end_ssh()
        waits += self._doors.close()
        done: Deferred[None] = gatherResults(waits, consumeErrors=True).addCallback(lambda _: None)
        return done
