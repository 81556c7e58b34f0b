"""
What the doctor says of the way to an ASA's command line.
"""

from collections.abc import Callable

from tscm.doctor.finding import Finding, ok, warning
from tscm.doctor.firewall import Opener
from tscm.kinds.asa.doctor.judge_device import Seen
from tscm.kinds.asa.doctor.look import AsaLook, WayIn, look_at_asa
from tscm.kinds.asa.doctor.way_in import may_write, reached, walk
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.ssh.driver import SshDriver
from tscm.kinds.asa.ssh.faults import ContextRefused, EnableRefused, NoCommonAlgorithm
from tscm.kinds.asa.ssh.kind import LINKS
from tscm.kinds.asa.ssh.settings import asa_ssh
from tscm.kinds.driver import Driver
from tscm.kinds.faults import Forbidden, SessionsUsedUp, Unreachable, Untrusted
from tscm.model import Report
from tscm.settings.device import DeviceSettings

_ORDER = (
    (Unreachable, "reachability"),
    (UnitOnStandby, "reachability"),
    (SessionsUsedUp, "reachability"),
    (NoCommonAlgorithm, "algorithms"),
    (Untrusted, "host key"),
    (EnableRefused, "enable"),
    (ContextRefused, "context"),
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
    own, opened = asa_ssh(settings), list[Driver]()

    def opening() -> Driver:
        opened.append(opener())
        return opened[-1]

    def way_in(seen: Seen) -> list[Finding]:
        paged = any(isinstance(one, SshDriver) and not one.without_pages for one in opened)
        return judge_way_in(
            seen,
            own.managed_at,
            own.username,
            context=own.context,
            paged=paged,
            old_algorithms=own.ssh_old_algorithms,
        )

    return look_at_asa(own, opening, now, report, WayIn(way_in, agent=False), resting=resting)


def judge_way_in(
    seen: Seen,
    where: str,
    username: str,
    *,
    context: str | None = None,
    paged: bool = False,
    old_algorithms: bool = False,
) -> list[Finding]:
    """
    Each link in the order in which a session comes to it, up to the first that does not hold.

    *context* is the one that is set; *paged* tells that the device would not turn pages off.
    """

    def held(link: str) -> Finding:
        match link:
            case "reachability":
                return reached(seen, where, "SSH")
            case "algorithms":
                return _algorithms(old=old_algorithms)
            case "host key":
                return ok(link, "it presents a pinned host key")
            case "login":
                return ok(link, f"{username} can log in")
            case "enable":
                return ok(link, "the session reaches privileged mode")
            case "pager":
                return _pager(paged=paged)
            case "context":
                return ok(
                    link, f"commands go to the context {context}" if context else "none is set"
                )
        return may_write(seen, username)

    return walk(LINKS, seen, _ORDER, "login", held)


def _algorithms(*, old: bool) -> Finding:
    if not old:
        return ok("algorithms", "it offers current algorithms")
    return warning(
        "algorithms",
        "old algorithms are allowed, so a recorded session may reveal the password one day",
        "enter `ssh key-exchange group dh-group14-sha256` on the device, from 9.12 on, and set "
        "`ssh_old_algorithms` to no once it has RSA signatures with SHA-2",
    )


def _pager(*, paged: bool) -> Finding:
    if not paged:
        return ok("pager", "pages are turned off for the session")
    return warning(
        "pager",
        "it allows neither `terminal pager 0` nor `no terminal pager`, so all output comes page by page, slowly",
        "allow one of the two on the server that authorises commands",
    )
