"""
How long a call takes the agent, and what is too much for it.

The figures follow the few that were recorded on a small ASAv (docs/develop/asa.md, section 4: reading an
object 0.08 s, a small group 0.55 to 4.8 s, adding a member 0.9 to 23 s, saving 7 s and more): all
grow with the configuration's share of the platform's budget.  They are ours where nothing was
recorded, and are scaled by the switch `time_scale`, so that 0 costs nothing.
"""

from attrs import frozen

from tscm.simulator.device import Device
from tscm.simulator.http_values import Request
from tscm.simulator.rest import WRITES

TOKEN = 0.05
MONITORING = 0.08
READ = 0.5
READ_FULL = 4.3
WRITE = 0.9
WRITE_FULL = 22.0
A_MEMBER = 0.001
SAVE = 7.4
SAVE_FULL = 5.0
READ_ANEW = 5.0
READ_ANEW_FULL = 40.0
_BYTES_A_MEMBER = 48


@frozen
class Cost:
    """
    Seconds of the device, and whether the call works on the configuration.
    """

    seconds: float
    uses_configuration: bool
    reads_anew: bool = False


def cost_of(request: Request, device: Device) -> Cost:
    """
    What *request* takes as things stand.

    After a change that did not come through the agent's resources the agent reads the whole
    configuration again first.
    """
    kind = request.segments[1:2]
    if kind == ("tokenservices",):
        return Cost(TOKEN, uses_configuration=False)
    if kind == ("monitoring",):
        return Cost(MONITORING, uses_configuration=False)
    full = share(device)
    reads_anew = device.outside_changes > 0
    seconds = READ_ANEW + READ_ANEW_FULL * full if reads_anew else 0.0
    if kind == ("commands",):
        seconds += SAVE + SAVE_FULL * full
    elif request.method in WRITES:
        seconds += WRITE + WRITE_FULL * full + A_MEMBER * len(request.body) / _BYTES_A_MEMBER
    else:
        seconds += READ + READ_FULL * full
    return Cost(seconds, uses_configuration=True, reads_anew=reads_anew)


def share(device: Device) -> float:
    """Which part of what the platform's agent bears the configuration takes."""
    budget = device.profile.budget_bytes
    return device.configuration.size / budget if budget else 0.0


def over_budget(device: Device) -> bool:
    """Is the configuration more than the platform's agent bears?"""
    return bool(device.switches.enforce_budget) and share(device) > 1.0
