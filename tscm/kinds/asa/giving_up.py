"""
What an operator is told to do about an ASA at the last failure of a run.  Pure.
"""

from collections.abc import Iterable

from tscm.errors import DeviceFault
from tscm.kinds.asa.faults import Replicating, revive
from tscm.kinds.faults import Refused
from tscm.update.patience import stopped

REFUSED = (
    "the agent answers and says no: `show running-config object-group | include {prefix}-` shows the groups, "
    "`tsadmin plan {name}` what is left to do, and the next update goes on from there"
)
WITHOUT_AGENT = (
    "`tsadmin doctor {name}` looks at each link on the way; on the device `show ssh sessions` and "
    "`show cpu usage` tell who is connected and how busy it is"
)


def given_up(
    fault: DeviceFault,
    name: str,
    prefix: str,
    groups: Iterable[str] = (),
    *,
    remedy: str = "",
    agent: bool = True,
) -> DeviceFault:
    """
    The last fault as the operator is told of it, with what revives the agent that holds *groups*.

    A pair that replicates all the time needs no new agent, nor does one that says what it will not do, or of
    which a *remedy* is known.  Without an *agent* there is none to revive.
    """
    if isinstance(fault, Replicating):
        remedy = remedy or fault.remedy
    elif not agent:
        remedy = remedy or fault.remedy or WITHOUT_AGENT.format(name=name)
    elif isinstance(fault, Refused):
        remedy = remedy or REFUSED.format(name=name, prefix=prefix)
    return stopped(fault, remedy or revive(name, prefix, groups))
