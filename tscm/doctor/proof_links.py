"""
What a test of the chain says of each link.  Pure.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from attrs import frozen

from tscm.doctor.finding import Finding, failed, not_looked_at, ok, warning
from tscm.plural import many
from tscm.standing import Verdict
from tscm.syslog.asa import Action, AsaEvent

PUSHED = "pushed"
IN_FORCE = "in force"
MATCHED = "rule matched"
RECEIVED = "line received"
COUNTED = "counted"
FORWARDED = "forwarded"
TAKEN_AWAY = "taken away"
TO_BE_SEEN = (IN_FORCE, MATCHED, RECEIVED, COUNTED, FORWARDED)
"""What can be looked at only while the entry is on the device."""


@frozen(kw_only=True)
class Passed(Finding):
    """
    A link as it was found, and how long that took.
    """

    seconds: float

    @classmethod
    def of(cls, found: Finding, seconds: float) -> Self:
        """*found* with the time that it took."""
        return cls(
            link=found.link,
            verdict=found.verdict,
            sentence=found.sentence,
            remedy=found.remedy,
            seconds=round(seconds, 3),
        )


@frozen(kw_only=True)
class Proven:
    """Whether the whole chain of a device holds, by the *entry* that was blocked for it, and each link."""

    name: str
    entry: str
    proven: bool
    sentence: str
    seconds: float
    links: tuple[Passed, ...]


@frozen(kw_only=True)
class SentTo:
    """
    A target of the forwarder: whether it was *sent* the line, and how many lines wait before that.
    """

    target: str
    answers: bool
    """Is there anything that confirms it?"""
    sent: bool
    waiting: int = 0
    fault: str | None = None


def judge_line(event: AsaEvent | None, address: str, seconds: float, *, knocked: bool) -> Finding:
    """*event* is the first line about *address* within so many *seconds*; *knocked*: we sent a packet too."""
    if event is not None and event.action is Action.DENIED:
        return ok(RECEIVED, f"{event.message_id}: {event.access_list} denied {address}")
    if event is not None:
        return failed(
            RECEIVED,
            f"the line says of {address}: {event.action} by {event.access_list}",
            "`tsadmin doctor` shows which entry comes before those of tscm",
        )
    tried = (
        "neither packet-tracer nor a packet from this host made the firewall log a line"
        if knocked
        else "a firewall does not normally log packet-tracer packets"
    )
    return warning(
        RECEIVED,
        f"no line about {address} in {seconds:.0f} s: {tried}",
        "repeat with `--wait 120`, and meanwhile open a connection to the address of the "
        "test from a host behind the firewall",
    )


def judge_counted(hits: int, address: str, fault: str | None) -> Finding:
    """Did the event reader count a hit of the test?"""
    if hits:
        return ok(COUNTED, f"{many(hits, 'hit', 'hits')} on {address}")
    return failed(
        COUNTED,
        fault or f"the line is in the log, but no hit on {address} was counted",
        "run `tsadmin doctor`, and check the manager's log",
    )


def judge_sent(targets: Sequence[SentTo]) -> Finding:
    """Was every target sent the line?"""
    late = [one for one in targets if not one.sent]
    if late:
        return failed(
            FORWARDED,
            "; ".join(
                f"the line was not sent to {one.target}: "
                + (one.fault or f"{many(one.waiting, 'line is', 'lines are')} queued before it")
                for one in late
            ),
            "`tsadmin doctor` shows why the target accepts no lines",
        )
    return ok(
        FORWARDED,
        "; ".join(
            f"sent to {one.target}" + ("" if one.answers else ", which sends no confirmation")
            for one in targets
        ),
    )


def behind(link: str, why: str = "", *, forwards: bool) -> list[Finding]:
    """The links behind *link* up to the last that needs the entry; *why*: not because it does not hold."""
    order = (PUSHED, *TO_BE_SEEN)
    left = [one for one in order[order.index(link) + 1 :] if forwards or one != FORWARDED]
    return not_looked_at(left, why or f"{link} failed")


def proven(findings: Iterable[Finding]) -> bool:
    """Does every link hold?"""
    return all(one.verdict == Verdict.OK for one in findings)


def sentence_of(device: str, entry: str, findings: Sequence[Finding], seconds: float) -> str:
    """What the test came to, in one line."""
    weak = [one.link for one in findings if one.verdict != Verdict.OK]
    if not weak:
        return f"all checks of {device} passed with {entry} in {seconds:.0f} s"
    return f"the chain of {device} was not proven with {entry}: {', '.join(weak)}"
