"""
What is to be said of the way to a firewall, and of what it says of itself.  Pure.
"""

import re
from collections.abc import Mapping

from attrs import frozen

from tscm.doctor.finding import Finding, failed, not_looked_at, ok, warning
from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.groups import KINDS, members_under, parent_name
from tscm.model import Identity

BEHIND = ("version", "free budget", "groups")
_BUDGET = "free budget"
FULL_PRIVILEGE = 15
_FIRST_VERSION, _LAST_VERSION = (9, 3), (9, 16)
_HAZARDS = {(9, 18), (9, 19)}


@frozen(kw_only=True)
class Seen:
    """
    What came of asking the device: as far as it went, and the *fault* that ended it.

    *resting* says why it was not asked at all.
    """

    resting: str | None = None
    fault: DeviceFault | None = None
    identity: Identity | None = None
    clock_seconds: float | None = None
    """How far the device's clock is ahead of ours."""
    groups: Mapping[str, Group] | None = None
    configuration_bytes: int | None = None
    privilege: int | None = None
    """Of our account, where it is a local one."""


def judge_privilege(privilege: int | None, username: str) -> Finding | None:
    """What is wrong with the privilege of a local account; None where nothing is known to be."""
    if privilege is None or privilege >= FULL_PRIVILEGE:
        return None
    return failed(
        "privilege",
        f"{username} has privilege {privilege}, but writing requires {FULL_PRIVILEGE}",
        f"enter its `username` line on the device again, with the password and privilege {FULL_PRIVILEGE} "
        f"at the end",
    )


def judge_behind(seen: Seen, prefix: str, name: str, *, agent: bool = True) -> list[Finding]:
    """Version, free budget and groups; without an *agent* neither its releases nor its budget count."""
    if seen.resting is not None:
        return not_looked_at([one for one in BEHIND if agent or one != _BUDGET], seen.resting)
    found = []
    why = "the device was not reached" if seen.identity is None else "it did not respond"
    if seen.identity is None:
        found += not_looked_at(("version",), why)
    else:
        found.append(judge_version(seen.identity, agent=agent))
    if not agent:
        pass
    elif seen.identity is None or seen.configuration_bytes is None:
        found += not_looked_at(("free budget",), "cannot read the running configuration")
    else:
        found.append(judge_budget(seen.identity, seen.configuration_bytes, name))
    if seen.groups is None:
        found += not_looked_at(("groups",), why)
    else:
        found.append(judge_groups(seen.groups, prefix, name))
    return found


def judge_version(who: Identity, *, agent: bool = True) -> Finding:
    """Releases with a REST agent, and those that lose groups in a reload (docs/develop/asa.md, sections 4 and 5)."""
    text = f"{who.model or 'model unknown'}, version {who.version or 'unknown'}"
    found = re.match(r"([0-9]+)\.([0-9]+)", who.version or "")
    if found is None:
        return warning("version", text, "enter `show version` on the device")
    number = (int(found[1]), int(found[2]))
    if agent and number < _FIRST_VERSION:
        return failed(
            "version",
            f"{text}: releases earlier than 9.3(2) have no REST API agent",
            "upgrade the ASA",
        )
    if number in _HAZARDS:
        return warning(
            "version",
            f"{text}: some of these releases lose nested groups on reload (CSCwe64043)",
            "install a fixed release; every update reads the groups back and repairs them",
        )
    if agent and number > _LAST_VERSION:
        return warning(
            "version", f"{text}: Cisco provides no REST API agent after 9.16", "test with care"
        )
    return ok("version", text)


def judge_budget(who: Identity, used: int, name: str) -> Finding:
    """How much more configuration the agent bears."""
    budget = who.budget_bytes
    if budget is None:
        return warning(
            "free budget",
            f"the configuration has {used:,} bytes; the limit of this platform's agent is not known",
            "raise Max Policy Size step by step",
        )
    text = f"the configuration uses {used:,} of the {budget:,} bytes that its agent supports"
    remedy = f"`tsadmin configure {name} --max_policy_size` with a smaller number than it has now"
    if used > budget:
        return failed("free budget", f"{text}: the agent will return 500 and restart", remedy)
    if used > budget * 0.9:
        return warning("free budget", text, remedy)
    return ok("free budget", text)


def judge_clock_difference(seconds: float | None) -> Finding | None:
    """The device's clock beside ours; None where it does not tell."""
    if seconds is None:
        return None
    if abs(seconds) > 120:
        ahead = "ahead of" if seconds > 0 else "behind"
        return warning(
            "device clock",
            (
                f"its clock is {abs(seconds):,.0f} s {ahead} this host's, so timestamps in its "
                "lines are wrong"
            ),
            (
                "configure an `ntp server` on the device; if the difference is whole hours, "
                "check its time zone"
            ),
        )
    return ok(
        "device clock", f"its clock agrees with this host's within {max(1, round(abs(seconds)))} s"
    )


def judge_groups(groups: Mapping[str, Group], prefix: str, name: str) -> Finding:
    """Are both parents there, with what they should hold?"""
    parents = [parent_name(prefix, kind) for kind in KINDS]
    absent = [one for one in parents if one not in groups]
    if absent:
        return failed(
            "groups",
            f"the device has no object-group {' and no '.join(absent)}",
            f"create them with `tsadmin update {name}`",
        )
    held = {one: members_under(groups, one) for one in parents}
    lost = [child for one in parents for child in groups[one].children if child not in groups]
    if lost:
        return failed(
            "groups", f"cannot read {', '.join(lost[:5])}", f"run `tsadmin update {name}`"
        )
    counts = ", ".join(f"{one} {len(members):,}" for one, members in held.items())
    if not held[parents[0]]:
        return failed(
            "groups",
            f"{parents[0]} has no entries, so nothing is blocked",
            f"run `tsadmin update {name}`",
        )
    return ok("groups", f"entries: {counts}")
