"""
Why an address is blocked, permitted, or neither.

Looks only at the entries that meet the address, so that an answer about 100,000 entries takes
some thousandths of a second.
"""

from collections.abc import Sequence

from attrs import evolve, frozen

from tscm.model import Cidr
from tscm.policy.cidr import CidrSet, Entries, overlapping, read_cidr
from tscm.policy.guard import Guarded, GuardRules, inspect
from tscm.policy.lists import PolicyList
from tscm.policy.standing import Finding, Some, Standing

SHOWN = 20
"""More entries than this are counted, not named: the question may be about 0.0.0.0/0."""


@frozen(kw_only=True, eq=False)
class ListView:
    """
    One list as it was published, the rules it is judged by, and what the device holds of it.
    """

    kind: str
    """`block` or `allow`."""
    published: PolicyList
    rules: GuardRules
    in_force: CidrSet
    off: str = ""
    """Why nothing of the policy is to be in force, for people; empty where it is."""
    unchecked: bool = False
    """Part of what the device held may be gone since; not checked yet."""


def why(asked: str, views: Sequence[ListView]) -> tuple[Standing, ...]:
    """
    How *asked*, an address or a network, stands with each list; `ValueError` if it is neither.

    What a device holds is known by kind: with several lists of a kind, one that does not publish what
    another does is told as such.
    """
    cidr, _ = read_cidr(asked)
    wanted = CidrSet.of_texts((cidr,))
    found = [_standing(cidr, wanted, view) for view in views]
    publishing = {one.kind for one in found if one.published.count}
    return tuple(
        evolve(one, by_others=not one.published.count and one.kind in publishing) for one in found
    )


def verdict(standings: Sequence[Standing]) -> str:
    """
    What the firewall does, in a word and a reason: permit lines stand above deny lines.

    It is *perhaps* so where part of what it held may be gone.
    """
    held = any(one.unchecked and one.covered != "none" for one in standings)
    return ("perhaps " if held else "") + _as_held(standings)


def _as_held(standings: Sequence[Standing]) -> str:
    covered = {standing.kind: standing.covered for standing in standings}
    if covered.get("allow") == "all":
        return "permitted: it is in the allow list, which comes first"
    if covered.get("block") == "all":
        part = covered.get("allow") == "part"
        return "blocked" + (", except for what the allow list holds" if part else "")
    if covered.get("block") == "part":
        return "partly blocked"
    if covered.get("allow") == "part":
        return "partly permitted by the allow list, otherwise not touched by this policy"
    off = next((standing.off for standing in standings if standing.off), "")
    return f"not touched by this policy, which is {off}" if off else "not touched by this policy"


def not_in_force(view: ListView) -> Entries:
    """
    What passed the guard and does not stand on the device, merged: cut, or not yet applied.
    """
    kept = CidrSet.of(inspect(view.published, view.rules).kept)
    return kept.difference(view.in_force).entries


def left_out(view: ListView, asked: str | None = None) -> Guarded:
    """
    The published list with every entry that the guard leaves out, and why.

    With *asked* only of what shares an address with it, and `ValueError` if that is not a CIDR; then
    also without what is no network at all.
    """
    published = view.published
    if asked is not None:
        few = meeting(published.entries, asked)
        published = evolve(published, entries=few, refused=(), refused_count=0)
    return inspect(published, view.rules)


def meeting(entries: Entries, asked: str) -> Entries:
    """The rows that share an address with *asked*; `ValueError` if that is not a CIDR."""
    return entries.take(overlapping(entries, CidrSet.of_texts((asked,))))


def _standing(cidr: Cidr, wanted: CidrSet, view: ListView) -> Standing:
    entries = view.published.entries
    few = entries.take(overlapping(entries, wanted))
    held = view.in_force.entries
    held = held.take(overlapping(held, wanted))
    if not len(few) and not len(held):
        return Standing(
            kind=view.kind,
            list_name=view.published.name,
            asked=cidr,
            covered="none",
            in_force=_NONE,
            published=_NONE,
            waiting=_NONE,
            left_out=(),
            off=view.off,
            unchecked=view.unchecked,
        )
    guarded = inspect(evolve(view.published, entries=few, refused=(), refused_count=0), view.rules)
    force = CidrSet(held)
    missing = CidrSet.of(guarded.kept).intersection(wanted).difference(force)
    covered = "all" if force.contains(wanted) else "part" if len(held) else "none"
    return Standing(
        kind=view.kind,
        list_name=view.published.name,
        asked=cidr,
        covered=covered,
        in_force=_some(held),
        published=_some(few),
        waiting=_some(guarded.kept.take(overlapping(guarded.kept, missing))),
        left_out=tuple(_first_findings(guarded.left_out, guarded.reasons.tolist(), guarded.causes)),
        off=view.off,
        unchecked=view.unchecked,
    )


_NONE = Some(cidrs=(), count=0)


def _some(entries: Entries) -> Some:
    return Some(cidrs=tuple(entries.head(SHOWN).cidrs()), count=len(entries))


def _first_findings(
    left_out: Entries, reasons: Sequence[int], causes: Sequence[str]
) -> list[Finding]:
    shown = left_out.head(SHOWN).cidrs()
    return [
        Finding(entry=entry, cause=causes[reason])
        for entry, reason in zip(shown, reasons, strict=False)
    ]
