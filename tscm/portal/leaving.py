"""
What leaves a published list by time alone, also while a change of its policy waits for confirmation.  Pure.

A change that waits must not keep an entry in force beyond its end: a permit for a day would last until an operator
looked.  What the list was made of is no longer known then, so it is noted with the list when it is published.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from tscm.policy.cidr import CidrSet, Entries, overlapping, without
from tscm.policy.user_lists import cidrs_of

ENDS_MOST = 2000
"""The soonest ends that are noted of a list."""
_STAYS_MOST = 20_000

End = tuple[float, str]
"""When an entry ends (POSIX seconds), and its network as `read_network` spells it."""


@frozen(kw_only=True)
class Passing:
    """
    A part of a list: what has no end, and what has one.
    """

    steady: Entries
    ends: Sequence[End] = ()


@frozen(kw_only=True)
class Leaving:
    """
    Entries of a published list that end.

    *same* are those of their CIDRs that the list also has without an end, *stays* what of their addresses it has so,
    in whatever entries: a warning list may have cut an entry, so that it is not in the list as such.
    """

    ends: tuple[End, ...] = ()
    stays: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Passing]) -> "Leaving":
        """Of a list that is made of *parts*; entries that end late count as without an end."""
        found = tuple(parts)
        ends = sorted(one for part in found for one in part.ends)
        kept, later = ends[:ENDS_MOST], ends[ENDS_MOST:]
        if not kept:
            return cls()
        ending = _networks(kept)
        steady = Entries.joined([*(part.steady for part in found), _networks(later).entries])
        near = steady.take(overlapping(steady, ending))
        stays = ending.intersection(CidrSet.of(near))
        if len(stays) > _STAYS_MOST:
            return cls()
        same = set(near.cidrs()).intersection(_cidrs(kept))
        return cls(
            ends=tuple(kept),
            stays=tuple(str(one) for one in stays.cidrs()),
            same=tuple(sorted(same)),
        )

    @classmethod
    def of_json(cls, told: Any) -> "Leaving":
        """What `as_json` gave; nothing for anything else."""
        try:
            return cls(
                ends=tuple((float(until), str(network)) for until, network in told["ends"]),
                stays=tuple(str(one) for one in told["stays"]),
                same=tuple(str(one) for one in told["same"]),
            )
        except (TypeError, ValueError, KeyError):
            return cls()

    def as_json(self) -> Mapping[str, Any]:
        """For the database."""
        return {
            "ends": [list(one) for one in self.ends],
            "stays": list(self.stays),
            "same": list(self.same),
        }

    @property
    def next_end(self) -> float | None:
        """When the next entry ends."""
        return self.ends[0][0] if self.ends else None

    def is_due(self, now: float) -> bool:
        """Has any of them ended?"""
        return self.next_end is not None and self.next_end <= now

    def taken_off(self, published: Entries, now: float) -> Entries:
        """*published* without the entries that have ended, as far as nothing else holds their addresses."""
        later = self.later(now).ends
        ended = [one for one in self.ends if one[0] <= now]
        gone = set(_cidrs(ended)).difference(self.same, _cidrs(later))
        touched = overlapping(published, CidrSet.of_texts(gone))
        left = [one for one in published.take(touched).cidrs() if one not in gone]
        stays = CidrSet.of_texts(self.stays).union(_networks(later))
        return without(
            Entries.joined([published.take(~touched), Entries.of(left)]),
            _networks(ended).difference(stays),
        ).distinct()

    def later(self, now: float) -> "Leaving":
        """What has not ended yet."""
        return Leaving(
            ends=tuple(one for one in self.ends if one[0] > now), stays=self.stays, same=self.same
        )


def _cidrs(ends: Iterable[End]) -> Iterator[str]:
    for _, network in ends:
        yield from cidrs_of(network)


def _networks(ends: Iterable[End]) -> CidrSet:
    return CidrSet.of_texts(_cidrs(ends))
