"""
One session with an ASA, to see all that the doctor judges.  Blocking; changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import define, evolve, field, frozen

from tscm.doctor.finding import Finding, not_looked_at
from tscm.doctor.firewall import Collector, FirewallLook, Heard, Opener
from tscm.errors import DeviceFault
from tscm.kinds.asa.cli.clock import clock_in
from tscm.kinds.asa.doctor.judge_device import Seen, judge_behind, judge_clock_difference
from tscm.kinds.asa.doctor.judge_protection import LINKS, judge_protection
from tscm.kinds.asa.doctor.packet_trace import PacketTrace, build_trace, judge_events, judge_trace
from tscm.kinds.asa.driver import AsaDriver, Group, asa_driver
from tscm.kinds.asa.running import RunningConfig, read_running
from tscm.kinds.asa.settings import AsaHttpsSettings, AsaSettings
from tscm.kinds.faults import Unauthorised
from tscm.model import Progress, Report


@frozen
class WayIn:
    """
    What is particular to the way that leads to the device.
    """

    judge: Callable[[Seen], list[Finding]]
    """Its links, up to the first that does not hold.  Pure."""
    agent: bool = field(kw_only=True)
    """Does an agent take what is sent, with releases and a budget of its own?"""


@define
class AsaLook(FirewallLook):
    """
    What was seen, as far as the session went.
    """

    settings: AsaSettings
    way_in: WayIn
    seen: Seen
    config: RunningConfig | None = None
    trial: PacketTrace | None = None
    traced: str | None = None
    groups: Mapping[str, Group] = field(factory=dict)

    @property
    def refused(self) -> bool:
        """Was the password rejected?"""
        return isinstance(self.seen.fault, Unauthorised)

    @property
    def awaited(self) -> str | None:
        """The address that `packet-tracer` was asked about."""
        return None if self.trial is None or self.traced is None else self.trial.listed

    def judge(self, collector: Collector) -> list[Finding]:
        """The way in, version, budget, groups and clock, access-lists and logging."""
        name, prefix = self.settings.name, self.settings.prefix
        found = self.way_in.judge(self.seen)
        found += judge_behind(self.seen, prefix, name, agent=self.way_in.agent)
        difference = judge_clock_difference(self.seen.clock_seconds)
        if difference is not None:
            found.append(difference)
        elif self.seen.identity is None and not self.way_in.agent:
            found += not_looked_at(
                ("device clock",), self.seen.resting or "the device was not reached"
            )
        if self.config is None:
            why = self.seen.resting or "cannot read its running configuration"
            return found + not_looked_at(LINKS, why)
        return found + judge_protection(self.config, prefix, collector)

    def judge_effect(self, heard: Heard) -> list[Finding]:
        """What became of the packet."""
        return [
            judge_trace(self.trial, self.traced, looked=self.config is not None),
            judge_events(self.trial, heard, self.settings.name),
        ]


class JudgeHttps(Protocol):
    """Says what was *seen* of a way over HTTPS."""

    def __call__(
        self, seen: Seen, where: str, username: str, *, name: str, self_signed: bool
    ) -> list[Finding]:
        """Its links; *where* the device is asked, and whether any certificate was taken there."""


def over_https(
    settings: AsaHttpsSettings, where: str, judge: JudgeHttps, *, agent: bool = False
) -> WayIn:
    """The way in to a web server."""

    def way_in(seen: Seen) -> list[Finding]:
        return judge(
            seen,
            where,
            settings.username,
            name=settings.name,
            self_signed=settings.any_certificate,
        )

    return WayIn(way_in, agent=agent)


def look_at_asa(
    settings: AsaSettings,
    opener: Opener,
    now: Callable[[], float],
    report: Report,
    way_in: WayIn,
    *,
    resting: str | None = None,
) -> AsaLook:
    """
    Ask version, groups, what it says of itself, its configuration and one packet, until it fails.

    The password is tried once: wrong ones are counted, and lock the account.
    """
    look = AsaLook(settings, way_in, Seen(resting=resting))
    if resting is not None:
        return look
    report(Progress(phase="check", text=f"device at {settings.device}"))
    try:
        driver = asa_driver(opener())
        try:
            _ask(driver, now, look)
        finally:
            driver.close()
    except DeviceFault as fault:
        look.seen = evolve(look.seen, fault=fault)
    return look


def _ask(driver: AsaDriver, now: Callable[[], float], look: AsaLook) -> None:
    settings, identity = look.settings, driver.probe()
    clock = identity.clock_at
    if clock is None and not look.way_in.agent:
        clock = clock_in(driver.look("show clock"), now())
    ahead = None if clock is None else clock - now()
    look.seen = evolve(look.seen, identity=identity, clock_seconds=ahead)
    groups = driver.read_groups(settings.prefix)
    look.groups = groups
    look.seen = evolve(look.seen, groups=groups)
    look.seen = evolve(look.seen, identity=driver.identify())
    configuration = driver.running_config(settings.prefix)
    look.config = config = read_running(configuration.text)
    look.seen = evolve(
        look.seen,
        configuration_bytes=configuration.size,
        privilege=config.privileges.get(settings.username),
    )
    look.trial = build_trace(config, groups, settings.prefix)
    if look.trial is not None:
        look.traced = driver.look(look.trial.command)
