"""
What the doctor says of the way to an ASA's command line.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, failed, not_looked_at, ok
from tscm.doctor.firewall import Opener
from tscm.errors import DeviceFault
from tscm.kinds.asa.doctor.judge_device import FULL_PRIVILEGE, Seen, judge_privilege
from tscm.kinds.asa.doctor.look import AsaLook, WayIn, look_at_asa
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
    if seen.resting is not None:
        return not_looked_at(LINKS, seen.resting)
    stopped = None if seen.fault is None else _link_of(seen.fault)
    found: list[Finding] = []
    for at, link in enumerate(LINKS):
        if seen.fault is not None and link == stopped:
            found.append(failed(link, seen.fault.cause, seen.fault.remedy))
            return found + not_looked_at(LINKS[at + 1 :], f"{link} failed")
        found.append(_held(link, seen, where, username))
    return found


def _link_of(fault: DeviceFault) -> str:
    """The link that a fault concerns; what has no class of its own is the login's."""
    return next((link for kind, link in _ORDER if isinstance(fault, kind)), "login")


def _held(link: str, seen: Seen, where: str, username: str) -> Finding:
    if link == "reachability":
        role = f", {seen.identity.role} unit" if seen.identity and seen.identity.role else ""
        return ok(link, f"{where} responds with a pinned host key{role}")
    if link == "login":
        return ok(link, f"{username} can log in and reaches privileged mode")
    return judge_privilege(seen.privilege, username) or ok(
        link, f"it can run commands, which requires privilege {FULL_PRIVILEGE}"
    )
