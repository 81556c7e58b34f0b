"""
What the doctor says of the way to an ASA's REST API agent.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, not_looked_at, ok, warning
from tscm.doctor.firewall import Opener
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.doctor.look import AsaLook, look_at_asa, over_https
from tscm.kinds.asa.doctor.way_in import any_certificate, link_of, may_write, reached, walk
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
    way_in = over_https(own, own.api_url, judge_way_in, agent=True)
    return look_at_asa(own, opener, now, report, way_in, resting=resting)


def judge_way_in(
    seen: Seen, where: str, username: str, *, name: str, self_signed: bool
) -> list[Finding]:
    """Reachability, login, privilege and agent, up to the first that does not hold."""
    silent = seen.identity is None and link_of(seen.fault, _ORDER, "agent") == "agent"

    def held(link: str) -> Finding:
        if link == "reachability":
            if self_signed:
                return any_certificate(where, name)
            return reached(seen, where, "a trusted certificate")
        if silent:
            return not_looked_at((link,), "the agent does not respond")[0]
        if link == "login":
            return ok(link, f"{username} can log in")
        if link == "privilege":
            return may_write(seen, username)
        return _agent((seen.identity or Identity()).agent)

    return walk(LINKS, seen, _ORDER, "agent", held)


def _agent(version: str | None) -> Finding:
    if version is None:
        return warning(
            "agent",
            "it responds but does not report its version",
            "enter `show rest-api agent` on the device",
        )
    return ok("agent", f"REST API agent {version}")
