"""
What the doctor says of the way to an ASA's command line.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, ok
from tscm.doctor.firewall import Opener
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.doctor.look import AsaLook, WayIn, look_at_asa
from tscm.kinds.asa.doctor.way_in import may_write, reached, walk
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.ssh.faults import NoCommonAlgorithm
from tscm.kinds.asa.ssh.kind import LINKS
from tscm.kinds.asa.ssh.settings import asa_ssh
from tscm.kinds.faults import Forbidden, SessionsUsedUp, Unreachable, Untrusted
from tscm.model import Report
from tscm.settings.device import DeviceSettings

_ORDER = (
    (Unreachable, "reachability"),
    (Untrusted, "reachability"),
    (NoCommonAlgorithm, "reachability"),
    (UnitOnStandby, "reachability"),
    (SessionsUsedUp, "reachability"),
    (Forbidden, "privilege"),
)


def look(
    settings: DeviceSettings,
    opener: Opener,
    now: Callable[[], float],
    report: Report,
    /,
    *,
    resting: str | None = None,
) -> AsaLook:
    """`Look` of the kind `asa`."""
    own = asa_ssh(settings)

    def way_in(seen: Seen) -> list[Finding]:
        return judge_way_in(seen, own.managed_at, own.username)

    return look_at_asa(own, opener, now, report, WayIn(way_in, agent=False), resting=resting)


def judge_way_in(seen: Seen, where: str, username: str) -> list[Finding]:
    """Reachability with host key and algorithms, login with `enable`, and privilege, up to the first that does not hold."""

    def held(link: str) -> Finding:
        if link == "reachability":
            return reached(seen, where, "a pinned host key")
        if link == "login":
            return ok(link, f"{username} can log in and reaches privileged mode")
        return may_write(seen, username)

    return walk(LINKS, seen, _ORDER, "login", held)
