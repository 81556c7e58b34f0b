"""
What the guard lets through: single entries, and lists as a whole.

`inspect` leaves out entries that would do harm and says why for each; the rest of the list is
used.  `compare` says why a list as a whole cannot be trusted; then the old one stays in
force until the operator insists.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Self

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from tscm.model import Cidr
from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries, overlapping, read_cidr
from tscm.policy.lists import PolicyList
from tscm.policy.special import SPECIAL
from tscm.policy.standing import Finding
from tscm.risks import Risk, RiskFound

_SERIALS = 1 << 32
_FEW = 5
"""So many entries may be unreadable whatever share that is."""


def _canonical(text: str) -> Cidr:
    return read_cidr(text)[0]


@frozen
class Protected:
    """
    An address or network that must never be blocked, and what it is to the operator.
    """

    cidr: Cidr = field(converter=_canonical)
    what: str


@frozen(kw_only=True, eq=False)
class WarningList:
    """
    Networks known to be good.  An entry that overlaps them is shown, or left out with *refuse*.
    """

    name: str
    networks: CidrSet
    refuse: bool = False


@frozen(kw_only=True)
class GuardRules:
    """
    What the operator wants to be kept from.

    *may_be_empty* is for allow lists; *empty_is_right* also accepts an empty list where there was
    one.  Of what a list holds at least *readable_share* has to be networks.  Shares are of the last good list: a list that lost more than
    *shrink_share* of its entries, or grew by more than *growth_share*, is refused as a whole.
    """

    protected: tuple[Protected, ...] = ()
    widest_v4: int = 8
    widest_v6: int = 19
    allow_special: bool = False
    may_be_empty: bool = False
    empty_is_right: bool = False
    readable_share: float = 0.0
    min_entries: int | None = None
    shrink_share: float = 0.5
    growth_share: float | None = None
    max_entries: int | None = None
    warning_lists: tuple[WarningList, ...] = ()

    def for_allow_list(self) -> Self:
        """
        The same rules for an allow list: it may be empty, and may hold our own addresses.
        """
        return evolve(self, protected=(), may_be_empty=True, warning_lists=())


@frozen(kw_only=True, eq=False)
class Guarded:
    """
    A list after inspection.

    *kept* and *left_out* are rows of the list as published; *reasons* holds the number of a cause
    for each row left out.  Columns, because a list may be wrong in all of its entries.
    """

    policy_list: PolicyList
    kept: Entries
    left_out: Entries
    reasons: NDArray[np.int64]
    warned: Entries
    warnings: NDArray[np.int64]
    causes: tuple[str, ...]

    @property
    def left_out_count(self) -> int:
        """Entries left out, those that were no CIDR included."""
        return len(self.left_out) + self.policy_list.refused_count

    @property
    def counts(self) -> Mapping[str, int]:
        """How many entries were left out for each cause."""
        found = self._by_cause(self.reasons)
        if self.policy_list.refused_count:
            found["no CIDR"] = self.policy_list.refused_count
        return found

    @property
    def warning_counts(self) -> Mapping[str, int]:
        """How many entries were only pointed at, for each cause."""
        return self._by_cause(self.warnings)

    def _by_cause(self, numbers: NDArray[np.int64]) -> dict[str, int]:
        return {
            self.causes[number]: count
            for number, count in enumerate(np.bincount(numbers).tolist())
            if count
        }

    def findings(self) -> Iterator[Finding]:
        """
        Every entry left out with its cause, then those only pointed at.

        Of entries that were no CIDR as many as the source kept.
        """
        for entry, number in zip(self.left_out.cidrs(), self.reasons.tolist(), strict=True):
            yield Finding(entry=entry, cause=self.causes[number])
        for refused in self.policy_list.refused:
            yield Finding(entry=refused.entry, cause=refused.cause)
        for entry, number in zip(self.warned.cidrs(), self.warnings.tolist(), strict=True):
            yield Finding(entry=entry, cause=self.causes[number], left_out=False)


def inspect(policy_list: PolicyList, rules: GuardRules) -> Guarded:
    """
    Leave out the entries of one list that break a rule.
    """
    entries = policy_list.entries
    marks = _Marks(entries)
    lengths = np.concatenate((entries.v4_lengths, entries.v6_lengths))
    is_v6 = np.arange(len(entries)) >= len(entries.v4_lengths)
    marks.leave_out(lengths == 0, "default route: it holds every address")
    for family, widest, rows in (
        ("IPv4", rules.widest_v4, ~is_v6),
        ("IPv6", rules.widest_v6, is_v6),
    ):
        marks.leave_out(rows & (lengths < widest), f"wider than /{widest}, the limit for {family}")
    marks.leave_out_overlaps(
        (CidrSet.of_texts((one.cidr,)), f"would block {one.cidr}, {one.what}")
        for one in rules.protected
    )
    if not rules.allow_special:
        marks.leave_out_overlaps(_special())
    marks.leave_out_overlaps(
        (known.networks, f"overlaps warning list {known.name}")
        for known in rules.warning_lists
        if known.refuse
    )
    for known in rules.warning_lists:
        if not known.refuse:
            marks.point_at(
                overlapping(entries, known.networks), f"overlaps warning list {known.name}"
            )
    return marks.judged(policy_list)


def compare(
    previous: PolicyList | None, new: PolicyList, rules: GuardRules
) -> tuple[RiskFound, ...]:
    """
    Why *new* is refused as a whole unless that is accepted; nothing when it can be used.

    *previous* is the last good list before it was cut; one of another name is no measure and
    raises no alarm.
    """
    found: list[RiskFound] = []

    def add(risk: Risk, sentence: str) -> None:
        found.append(RiskFound(risk=risk, sentence=sentence))

    if rules.max_entries is not None and len(new.entries) > rules.max_entries:
        add(
            Risk.GROWTH,
            f"{new.name} has {many(len(new.entries), 'entry', 'entries')}, over the limit of {rules.max_entries:,}",
        )
    if rules.min_entries is not None and len(new.entries) < rules.min_entries:
        add(
            Risk.SHRINK,
            f"{new.name} has {many(len(new.entries), 'entry', 'entries')}, below its "
            f"minimum of {rules.min_entries:,}",
        )
    unreadable, all_of_it = new.refused_count, len(new.entries) + new.refused_count
    if unreadable > _FEW and len(new.entries) < rules.readable_share * all_of_it:
        add(
            Risk.SHRINK,
            f"{unreadable:,} of {many(all_of_it, 'entry', 'entries')} of {new.name} could not be read, more than "
            f"{1 - rules.readable_share:.0%}",
        )
    measure = previous if previous is not None and previous.name == new.name else None
    if not len(new.entries) and rules.empty_is_right:
        pass
    elif not len(new.entries):
        if measure is not None and len(measure.entries):
            add(
                Risk.SHRINK,
                f"{new.name} is empty and had {many(len(measure.entries), 'entry', 'entries')}",
            )
        elif measure is None and not rules.may_be_empty:
            # Where the last good one is empty too, the operator has said that this is right.
            add(Risk.SHRINK, f"{new.name} is empty")
    elif not rules.may_be_empty and not len(inspect(new, rules).kept):
        add(
            Risk.SHRINK,
            f"the guard excludes all of {new.name}: {many(len(new.entries), 'entry', 'entries')}",
        )
    if measure is None:
        return tuple(found)
    serials = (measure.serial, new.serial)
    if None not in serials and serial_went_back(measure.serial or 0, new.serial or 0):
        add(Risk.OLDER, f"serial of {new.name} went back from {measure.serial} to {new.serial}")
    if len(new.entries):
        found.extend(
            _size_changes(new.name, inspect(measure, rules).kept, inspect(new, rules).kept, rules)
        )
    return tuple(found)


_SITTING_SECONDS = 1800.0


def stale(
    changed_at: Sequence[float], now: float, *, times: float = 5.0, least: int = 4
) -> str | None:
    """
    Why a list seems to be no longer maintained, or None.

    *changed_at* are the times at which its content was seen to change, in order.  Its usual interval
    is the median between two changes; with fewer than *least* changes nothing is usual yet.
    Changes within half an hour of each other, as a user's edits in one sitting, count as one.
    """
    changes: list[float] = []
    for at in changed_at:
        if not changes or at - changes[-1] >= _SITTING_SECONDS:
            changes.append(at)
    if len(changes) < least:
        return None
    usual = median(later - sooner for sooner, later in pairwise(changes))
    silent = now - changed_at[-1]
    if silent <= times * usual:
        return None
    return f"unchanged for {_span(silent)}, although it usually changes every {_span(usual)}"


def _span(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return many(round(seconds), "second", "seconds")


def serial_went_back(old: int, new: int) -> bool:
    """
    Is *new* before *old* in serial arithmetic (RFC 1982, section 3.2)?

    A distance of exactly half the circle has no answer there; it counts as going back here.
    """
    return (new - old) % _SERIALS >= _SERIALS // 2


@cache
def _special() -> tuple[tuple[CidrSet, str], ...]:
    return tuple((CidrSet.of_texts((cidr,)), f"{what}, {cidr}") for cidr, what in SPECIAL)


@define(eq=False)
class _Marks:
    """What was found at each row; the first cause stands."""

    entries: Entries
    causes: list[str] = field(factory=list)
    reasons: NDArray[np.int64] = field(init=False)
    warnings: NDArray[np.int64] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.reasons = np.full(len(self.entries), -1, np.int64)
        self.warnings = self.reasons.copy()

    def leave_out(self, rows: NDArray[np.bool_], cause: str) -> None:
        self._mark(self.reasons, np.flatnonzero(rows), cause)

    def point_at(self, rows: NDArray[np.bool_], cause: str) -> None:
        self._mark(self.warnings, np.flatnonzero(rows), cause)

    def leave_out_overlaps(self, named: Iterable[tuple[CidrSet, str]]) -> None:
        # One look for all of them, then a closer one at the few rows that meet any.
        known = tuple(named)
        everything = CidrSet.of(Entries.joined([networks.entries for networks, _ in known]))
        rows = np.flatnonzero(overlapping(self.entries, everything))
        if len(rows):
            few = self.entries.take(rows)
            for networks, cause in known:
                self._mark(self.reasons, rows[overlapping(few, networks)], cause)

    def _mark(self, column: NDArray[np.int64], rows: NDArray[np.int64], cause: str) -> None:
        if len(rows):
            column[rows[column[rows] < 0]] = len(self.causes)
            self.causes.append(cause)

    def judged(self, policy_list: PolicyList) -> Guarded:
        out = self.reasons >= 0
        pointed_at = (self.warnings >= 0) & ~out
        return Guarded(
            policy_list=policy_list,
            kept=self.entries.take(~out) if out.any() else self.entries,
            left_out=self.entries.take(out),
            reasons=self.reasons[out],
            warned=self.entries.take(pointed_at),
            warnings=self.warnings[pointed_at],
            causes=tuple(self.causes),
        )


def _size_changes(
    name: str, previous: Entries, new: Entries, rules: GuardRules
) -> Iterable[RiskFound]:
    """
    Shrunk or grown too much, in CIDRs after merging, of the entries that can be used: one that is
    left out, as a default route, would cover all others and hide what happened to them.

    A publisher who aggregates sends fewer CIDRs for the same addresses; so entries of the old
    list that the new one still covers are not lost.
    """
    old_set, new_set = CidrSet.of(previous), CidrSet.of(new)
    before, after = len(old_set), len(new_set)
    least = (1 - rules.shrink_share) * before
    if after < least:
        lost = int(np.count_nonzero(overlapping(old_set.entries, old_set.difference(new_set))))
        if before - lost < least:
            yield RiskFound(
                risk=Risk.SHRINK,
                sentence=(
                    f"{name} shrank from {before:,} to {many(after, 'entry', 'entries')}, "
                    f"more than {rules.shrink_share:.0%}"
                ),
            )
    if rules.growth_share is not None and before and after > (1 + rules.growth_share) * before:
        yield RiskFound(
            risk=Risk.GROWTH,
            sentence=(
                f"{name} grew from {before:,} to {many(after, 'entry', 'entries')}, "
                f"more than {rules.growth_share:.0%}"
            ),
        )
