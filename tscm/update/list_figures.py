"""
The lists of a run in figures and sentences: as published, after the guard, merged, and what was cut.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from tscm.policy.cidr import CidrSet
from tscm.policy.guard import Guarded
from tscm.policy.lists import PolicyList
from tscm.retrieve.sources import list_source
from tscm.update.figures import ListFigures
from tscm.update.job import UpdateJob
from tscm.update.outcome import FINDINGS_KEPT


@frozen(eq=False)
class Source:
    """A published list that a block or allow list is made of, and the last good one of its name."""

    kind: str
    found: PolicyList
    previous: PolicyList | None

    @property
    def is_new(self) -> bool:
        """Did its publisher give another one than before?"""
        return self.found is not self.previous


def _asked_at(job: UpdateJob, name: str) -> float | None:
    return job.asked_at(list_source(job.settings, job.node, name))


def list_figures(
    job: UpdateJob, judged: Sequence[tuple[Guarded, Source]], merged: int, desired: int
) -> ListFigures:
    """Of a block or allow list, with each list that it is made of where there are several."""
    parts = [_figures_of_one(job, *one) for one in judged]
    whole = parts[0]
    if len(parts) > 1:
        asked = [one.asked_at for one in parts if one.asked_at is not None]
        whole = ListFigures(
            name=" ".join(one.name for one in parts),
            unchanged=all(one.unchanged for one in parts),
            asked_at=min(asked, default=None),
            causes=_sums(one.causes for one in parts),
            warnings=_sums(one.warnings for one in parts),
            parts=tuple(parts),
            **{name: sum(getattr(one, name) for one in parts) for name in _SUMMED},
        )
    return evolve(whole, merged=merged, cut=max(0, merged - desired), desired=desired)


_SUMMED = ("published", "left_out", "normalised", "other_records", "excepted", "warned")


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _figures_of_one(job: UpdateJob, guarded: Guarded, source: Source) -> ListFigures:
    one = guarded.policy_list
    return ListFigures(
        name=one.name,
        serial=one.serial,
        unchanged=not source.is_new,
        source=one.source,
        asked_at=_asked_at(job, one.name),
        published=len(one.entries) + one.refused_count,
        left_out=guarded.left_out_count,
        normalised=one.normalised,
        other_records=one.other_records,
        excepted=one.excepted,
        merged=len(CidrSet.of(guarded.kept)),
        causes=dict(guarded.counts),
        warned=len(guarded.warned),
        warnings=dict(guarded.warning_counts),
    )


def sentences(judged: Iterable[Guarded]) -> Iterable[str]:
    """What the guard found, entry by entry, at most `FINDINGS_KEPT`."""
    left = FINDINGS_KEPT
    for one in judged:
        for finding in one.findings():
            if left == 0:
                return
            left -= 1
            word = "excluded" if finding.left_out else "kept"
            yield f"{one.policy_list.name}: {finding.entry} {word}: {finding.cause}"
