"""
What the doctor says of the way to an ASA's REST API agent.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, failed, not_looked_at, ok, warning
from tscm.doctor.firewall import Opener
from tscm.errors import DeviceFault
from tscm.kinds.asa.doctor.judge_device import Seen, judge_privilege
from tscm.kinds.asa.doctor.look import AsaLook, WayIn, look_at_asa
from tscm.kinds.asa.doctor.way_in import any_certificate
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.rest.kind import LINKS
from tscm.kinds.asa.rest.settings import asa_rest
from tscm.kinds.faults import (
    Forbidden,
    InterfaceAbsent,
    Overloaded,
    SessionsUsedUp,
    Unauthorised,
    Unreachable,
    Untrusted,
)
from tscm.model import Identity, Report
from tscm.settings.device import DeviceSettings

_ORDER = (
    (Unreachable, "reachability"),
    (Untrusted, "reachability"),
    (UnitOnStandby, "reachability"),
    (Unauthorised, "login"),
    (SessionsUsedUp, "login"),
    (Forbidden, "privilege"),
    (InterfaceAbsent, "agent"),
    (Overloaded, "agent"),
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
    """`Look` of the kind `asarest`."""
    own = asa_rest(settings)

    def way_in(seen: Seen) -> list[Finding]:
        return judge_way_in(
            seen,
            own.api_url,
            own.username,
            name=own.name,
            self_signed=own.allow_self_signed and own.fingerprint is None,
        )

    return look_at_asa(own, opener, now, report, WayIn(way_in, agent=True), resting=resting)


def judge_way_in(
    seen: Seen, where: str, username: str, *, name: str, self_signed: bool
) -> list[Finding]:
    """Reachability, login, privilege and agent, up to the first that does not hold."""
    if seen.resting is not None:
        return not_looked_at(LINKS, seen.resting)
    fault = seen.fault
    stopped = None if fault is None else _link_of(fault)
    found: list[Finding] = []
    for link in LINKS:
        if fault is not None and link == stopped:
            found.append(failed(link, fault.cause, fault.remedy))
            rest = LINKS[LINKS.index(link) + 1 :]
            return found + not_looked_at(rest, f"{link} failed")
        if stopped == "agent" and seen.identity is None and link != "reachability":
            found += not_looked_at((link,), "the agent does not respond")
            continue
        found.append(_held(link, seen, where, username, name=name, self_signed=self_signed))
    return found


def _link_of(fault: DeviceFault) -> str:
    """The link that a fault concerns; what has no class of its own is the agent's."""
    return next((link for kind, link in _ORDER if isinstance(fault, kind)), "agent")


def _held(
    link: str, seen: Seen, where: str, username: str, *, name: str, self_signed: bool
) -> Finding:
    who = seen.identity or Identity()
    if link == "reachability":
        if self_signed:
            return any_certificate(where, name)
        role = f", {who.role} unit" if who.role else ""
        return ok(link, f"{where} responds with a trusted certificate{role}")
    if link == "login":
        return ok(link, f"{username} can log in")
    if link == "privilege":
        return judge_privilege(seen.privilege, username) or ok(
            link, "it can run commands, which requires privilege 15"
        )
    if who.agent is None:
        return warning(
            link,
            "it responds but does not report its version",
            "enter `show rest-api agent` on the device",
        )
    return ok(link, f"REST API agent {who.agent}")
