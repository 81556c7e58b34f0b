"""
Entries by hand beside what comes from the lists: judged by the same guard, merged behind the cut.

Pure.
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from tscm.policy.by_hand import ALLOW, BLOCK, LIST_NAME, HandEntry
from tscm.policy.cidr import CidrSet, Entries, overlapping
from tscm.policy.guard import GuardRules, inspect
from tscm.policy.lists import PolicyList


@frozen(kw_only=True, eq=False)
class Judged:
    """
    Entries by hand after the guard: those that go into force, and why each of the others does not.
    """

    kept: tuple[HandEntry, ...] = ()
    left_out: tuple[tuple[HandEntry, str], ...] = ()

    def networks(self, action: str) -> CidrSet:
        """What the kept ones of one *action* cover."""
        return CidrSet.of_texts(one.cidr for one in self.kept if one.action == action)

    def count(self, action: str) -> int:
        """How many of one *action* are kept."""
        return sum(one.action == action for one in self.kept)


def judge(entries: Sequence[HandEntry], rules: GuardRules) -> Judged:
    """
    Leave out what breaks a rule; *rules* are those of a block list.
    """
    causes: dict[tuple[str, str], str] = {}
    for action, its_rules in ((BLOCK, rules), (ALLOW, rules.for_allow_list())):
        wanted = Entries.of(one.cidr for one in entries if one.action == action)
        found = inspect(as_list(wanted), its_rules)
        for cidr, reason in zip(found.left_out.cidrs(), found.reasons.tolist(), strict=True):
            causes[action, cidr] = found.causes[reason]
    return Judged(
        kept=tuple(one for one in entries if (one.action, one.cidr) not in causes),
        left_out=tuple(
            (one, causes[one.action, one.cidr])
            for one in entries
            if (one.action, one.cidr) in causes
        ),
    )


def as_list(entries: Entries) -> PolicyList:
    """Entries by hand in the shape of a published list."""
    return PolicyList(name=LIST_NAME, entries=entries, serial=None, fetched_at=0.0, source="")


def waiting(judged: Judged, held: Sequence[int], cause: str) -> Judged:
    """Without the block entries that are not among those *held* already: they wait, for *cause*."""
    late = [one for one in judged.kept if one.action == BLOCK and one.id not in held]
    return Judged(
        kept=tuple(one for one in judged.kept if one not in late),
        left_out=(*judged.left_out, *((one, cause) for one in late)),
    )


def without_effect(entries: Sequence[HandEntry], allow: CidrSet) -> Iterator[HandEntry]:
    """The block entries that lie wholly within *allow*, whose lines stand above on a firewall."""
    blocking = [one for one in entries if one.action == BLOCK]
    entries_of = Entries.of(one.cidr for one in blocking)
    rest = CidrSet.of(entries_of).difference(allow)
    dead = set(entries_of.take(~overlapping(entries_of, rest)).cidrs())
    yield from (one for one in blocking if one.cidr in dead)


def merged(lists: CidrSet, by_hand: CidrSet) -> CidrSet:
    """Both together; the very same set where nothing comes by hand."""
    return lists.union(by_hand) if len(by_hand) else lists


def left_out_words(judged: Judged) -> Iterator[str]:
    """For the operator."""
    for one, cause in judged.left_out:
        yield f"{one} is excluded: {cause}"


def no_effect_words(judged: Judged, allow: CidrSet) -> Iterator[str]:
    """For the operator."""
    for one in without_effect(judged.kept, allow):
        yield f"{one} has no effect: the allow list permits it and comes first"
