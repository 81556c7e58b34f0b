"""
One session with a firewall, to see all that the doctor judges.  Blocking; changes nothing.
"""

from collections.abc import Callable, Mapping

from attrs import define, evolve, field

from tscm.doctor.judge_firewall import Seen
from tscm.doctor.packet_trace import Trial, plan_trial
from tscm.errors import DeviceFault
from tscm.kinds.asa.running import RunningConfig, read_running
from tscm.kinds.asa.settings import AsaSettings, asa
from tscm.model import AsaDriver, Group, Progress, Report
from tscm.settings.device import DeviceSettings

Opener = Callable[[], AsaDriver]


@define
class FirewallLook:
    """
    What was seen, as far as the session went.
    """

    seen: Seen
    config: RunningConfig | None = None
    trial: Trial | None = None
    traced: str | None = None
    groups: Mapping[str, Group] = field(factory=dict)


def look_at_firewall(
    settings: DeviceSettings, opener: Opener, now: Callable[[], float], report: Report
) -> FirewallLook:
    """
    Ask version, groups, what it says of itself, its configuration and one packet, until it fails.

    The password is tried once: wrong ones are counted, and lock the account.
    """
    look = FirewallLook(Seen())
    report(Progress(phase="check", text=f"device at {settings.device}"))
    try:
        driver = opener()
        try:
            _ask(driver, asa(settings), now, look)
        finally:
            driver.close()
    except DeviceFault as fault:
        look.seen = evolve(look.seen, fault=fault)
    return look


def _ask(
    driver: AsaDriver, settings: AsaSettings, now: Callable[[], float], look: FirewallLook
) -> None:
    identity = driver.probe()
    ahead = None if identity.clock_at is None else identity.clock_at - now()
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
    look.trial = plan_trial(config, groups, settings.prefix)
    if look.trial is not None:
        look.traced = driver.look(look.trial.command)
