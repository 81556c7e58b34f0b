"""
The links of a way in, up to the first that does not hold.  Pure.
"""

from collections.abc import Callable, Sequence

from tscm.doctor.finding import Finding, failed, not_looked_at, ok, warning
from tscm.errors import DeviceFault
from tscm.kinds.asa.doctor.judge_device import FULL_PRIVILEGE, Seen, judge_privilege

Order = Sequence[tuple[type[DeviceFault], str]]
"""The link that each class of fault concerns."""


def link_of(fault: DeviceFault | None, order: Order, otherwise: str) -> str | None:
    """The link that *fault* concerns; *otherwise* where its class is in no *order*."""
    if fault is None:
        return None
    return next((link for kind, link in order if isinstance(fault, kind)), otherwise)


def walk(
    links: Sequence[str], seen: Seen, order: Order, otherwise: str, held: Callable[[str], Finding]
) -> list[Finding]:
    """
    What is *held* of each link; a fault in no *order* is that of the link *otherwise*.
    """
    if seen.resting is not None:
        return not_looked_at(links, seen.resting)
    fault, stopped = seen.fault, link_of(seen.fault, order, otherwise)
    found: list[Finding] = []
    for at, link in enumerate(links):
        if fault is not None and link == stopped:
            found.append(failed(link, fault.cause, fault.remedy))
            return found + not_looked_at(links[at + 1 :], f"{link} failed")
        found.append(held(link))
    return found


def reached(seen: Seen, where: str, by: str) -> Finding:
    """It answers, and shows *by* what it is known."""
    role = f", {seen.identity.role} unit" if seen.identity and seen.identity.role else ""
    return ok("reachability", f"{where} responds with {by}{role}")


def any_certificate(where: str, name: str) -> Finding:
    """It answers, and could be any host."""
    return warning(
        "reachability",
        (
            f"{where} responds, but any certificate is accepted, so an attacker on the path can "
            "capture the password"
        ),
        f"`tsadmin configure {name} --allow_self_signed no` shows its certificate and asks whether to pin it",
    )


def may_write(seen: Seen, username: str) -> Finding:
    """The privilege of the account."""
    return judge_privilege(seen.privilege, username) or ok(
        "privilege", f"it can run commands, which requires privilege {FULL_PRIVILEGE}"
    )
