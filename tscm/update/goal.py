"""
What a device is to hold, and whether it may be pushed.
"""

from collections.abc import Sequence

from attrs import frozen

from tscm.errors import PolicyRefused
from tscm.policy.cidr import CidrSet
from tscm.risks import RiskFound
from tscm.settings.device import DeviceSettings
from tscm.store.generations import (
    Generation,
    StoredList,
    decompress,
    pack,
)
from tscm.update.figures import ListFigures
from tscm.update.job import UpdateJob


@frozen(kw_only=True, eq=False)
class Goal:
    """
    What a device is to hold, and how that came about.
    """

    block: CidrSet
    allow: CidrSet
    block_figures: ListFigures
    allow_figures: ListFigures
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    good_lists: tuple[StoredList, ...] = ()
    changed_lists: tuple[str, ...] = ()
    """Names of the lists that hold other entries than at the last update; their order says nothing."""
    note: str = ""
    lists_block: CidrSet | None = None
    """What of *block* comes from the lists, where entries by hand are in it too."""
    lists_allow: CidrSet | None = None
    by_hand: tuple[int, ...] = ()
    """Numbers of the entries by hand in it."""
    by_hand_left: tuple[int, ...] = ()
    """Numbers of those that the guard left out."""

    @property
    def of_lists(self) -> tuple[CidrSet, CidrSet]:
        """Block and allow list without entries by hand."""
        block, allow = self.lists_block, self.lists_allow
        return (self.block if block is None else block, self.allow if allow is None else allow)

    def matches_stored(self, one: Generation | None) -> bool:
        """
        Does *one* hold just this, from the lists and by hand?

        What is damaged holds nothing, nor does what a purge left.
        """
        if one is None or one.purged:
            return False
        block, allow = self.of_lists
        lists = one.of_lists
        pairs = (
            (self.block, one.block),
            (self.allow, one.allow),
            (block, lists.block),
            (allow, lists.allow),
        )
        try:
            return all(wanted.entries.to_bytes() == decompress(kept) for wanted, kept in pairs)
        except ValueError:
            return False

    def generation(self, applied_at: float) -> Generation:
        """As it is kept once the device holds it."""
        return Generation(
            applied_at=applied_at,
            note=self.note,
            block_entries=len(self.block),
            allow_entries=len(self.allow),
            block_serial=self.block_figures.serial,
            allow_serial=self.allow_figures.serial,
            block=pack(self.block.entries),
            allow=pack(self.allow.entries),
            lists_block=None if self.lists_block is None else pack(self.lists_block.entries),
            lists_allow=None if self.lists_allow is None else pack(self.lists_allow.entries),
            lists_block_entries=None if self.lists_block is None else len(self.lists_block),
            lists_allow_entries=None if self.lists_allow is None else len(self.lists_allow),
        )


def refuse(job: UpdateJob, risks: Sequence[RiskFound]) -> None:
    """Raise `PolicyRefused` for what is neither accepted nor only looked for."""
    left = [one for one in risks if not job.consent.accepts(one)]
    if left and not job.survey:
        given = [f"--{word.replace('=', ' ')}" for word in job.consent.words]
        raise PolicyRefused(
            job.settings.name,
            [one.sentence for one in left],
            [*given, *(one.option for one in left)],
        )


def of_generation(one: Generation, settings: DeviceSettings, note: str = "") -> Goal:
    """What a kept generation holds.  Raises `StoredDamaged`."""
    block, allow = (CidrSet.of(one.entries(settings.name, kind)) for kind in ("block", "allow"))
    return Goal(
        block=block,
        allow=allow,
        block_figures=ListFigures(
            name=settings.block_list, serial=one.block_serial, merged=len(block), desired=len(block)
        ),
        allow_figures=ListFigures(
            name=settings.allow_list, serial=one.allow_serial, merged=len(allow), desired=len(allow)
        ),
        note=note,
    )
