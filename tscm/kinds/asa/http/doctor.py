"""
What the doctor says of the way to an ASA's HTTP interface.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, ok
from tscm.doctor.firewall import Opener
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.doctor.look import AsaLook, look_at_asa, over_https
from tscm.kinds.asa.doctor.way_in import any_certificate, may_write, reached, walk
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.http.answers import AgentRefused
from tscm.kinds.asa.http.kind import LINKS
from tscm.kinds.asa.http.settings import asa_http
from tscm.kinds.faults import Forbidden, SessionLost, Unauthorised, Unreachable, Untrusted
from tscm.model import Report
from tscm.settings.device import DeviceSettings

_ORDER = (
    (Unreachable, "reachability"),
    (Untrusted, "reachability"),
    (UnitOnStandby, "reachability"),
    (Unauthorised, "login"),
    (AgentRefused, "login"),
    (SessionLost, "login"),
    (Forbidden, "privilege"),
)
_INTERFACE = "HTTP interface"


def look(
    settings: DeviceSettings,
    opener: Opener,
    now: Callable[[], float],
    report: Report,
    /,
    *,
    resting: str | None = None,
) -> AsaLook:
    """`Look` of the kind `asahttp`."""
    own = asa_http(settings)
    way_in = over_https(own, own.managed_at, judge_way_in)
    return look_at_asa(own, opener, now, report, way_in, resting=resting)


def judge_way_in(
    seen: Seen, where: str, username: str, *, name: str, self_signed: bool
) -> list[Finding]:
    """Reachability with its certificate, login, privilege and interface, up to the first that does not hold."""

    def held(link: str) -> Finding:
        if link == "reachability":
            if self_signed:
                return any_certificate(where, name)
            return reached(seen, where, "a trusted certificate")
        if link == "login":
            return ok(link, f"{username} can log in")
        if link == "privilege":
            return may_write(seen, username)
        return ok(link, "it answers commands")

    return walk(LINKS, seen, _ORDER, _INTERFACE, held)
