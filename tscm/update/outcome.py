"""
How an update went: a value for the operator, the history and `--json`.
"""

from typing import Any

import attrs
from attrs import frozen

from tscm.errors import TscmError
from tscm.model import Json, Progress
from tscm.plural import many
from tscm.store.generations import Generation, StoredList
from tscm.update.figures import PlanFigures, Result, UpdateRecord, UpdateTold
from tscm.update.known_name import KnownName

FINDINGS_KEPT = 200


@frozen(kw_only=True)
class UpdateOutcome(UpdateRecord):
    """
    What a run gives: the record of it, and what is for the store and no part of the record.
    """

    good_lists: tuple[StoredList, ...] = attrs.field(default=(), repr=False)
    generation: Generation | None = attrs.field(default=None, repr=False)
    names: "tuple[KnownName, ...] | None" = attrs.field(default=None, repr=False)
    """What is known of names that must not be blocked; None where that was not asked."""
    rebased: bool = attrs.field(default=False, repr=False)
    """What is in force now is accepted as it is: what was so before is no measure any more."""
    memory: Json | None = attrs.field(default=None, repr=False)
    unreached: bool = attrs.field(default=False, repr=False)
    """No answer: no agent, or not even a connection."""
    outdated: bool = attrs.field(default=False, repr=False)
    """It was bound to another plan than there is now: a mistake of who asked, and no outcome of the device."""

    def to_json(self) -> Json:
        """The record, for the history and an error."""
        from tscm.wire.writing import as_json

        return as_json(self, UpdateRecord)

    @property
    def record(self) -> UpdateRecord:
        """The record alone."""
        return UpdateRecord(**self._recorded())

    def told(self) -> UpdateTold:
        """As it is answered."""
        return UpdateTold(sentence=self.sentence(), **self._recorded())

    def _recorded(self) -> dict[str, Any]:
        names = [one.name for one in attrs.fields(UpdateRecord) if one.init]
        return {name: getattr(self, name) for name in names}

    def raise_if_failed(self) -> None:
        """Raise `UpdateFailed` unless the run was good."""
        if not self.good:
            raise UpdateFailed(self)

    @property
    def lists_failed(self) -> bool:
        """Did it end at the lists, before the device was asked?"""
        return self.result in {Result.FAILED, Result.REFUSED} and self.block is None

    def sentence(self) -> str:
        """One line for the end of `tsadmin update`."""
        if not self.good:
            return self.error or f"the update of {self.device} failed"
        figures = self.plan or PlanFigures()
        block = self.block.desired if self.block else 0
        allow = self.allow.desired if self.allow else 0
        held = f"{block:,} block and {allow:,} allow entries"
        if self.result is Result.UNCHANGED or (self.result is Result.PLANNED and not figures.steps):
            return f"{self.device} already has the policy: {held}; nothing to change"
        return _sentence(self.device, self.result is Result.PLANNED, figures, held)


def _sentence(device: str, planned: bool, figures: PlanFigures, held: str) -> str:
    if planned:
        return (
            f"{device}: {many(figures.added, 'entry', 'entries')} would be added and {figures.removed:,} removed in "
            f"{many(figures.requests, 'request', 'requests')}; it would then have {held}"
        )
    return f"{device}: {many(figures.added, 'entry', 'entries')} added and {figures.removed:,} removed; it now has {held}"


class UpdateFailed(TscmError):
    """
    An update did not get the policy onto the device; it ends as the cause of that does.
    """

    def __init__(self, outcome: UpdateOutcome) -> None:
        self.outcome = outcome
        self.exit_status = outcome.exit_status or TscmError.exit_status
        super().__init__(outcome.device, outcome.error)

    def __str__(self) -> str:
        return self.outcome.error or f"the update of {self.outcome.device} failed"


@frozen(kw_only=True)
class RetryDelay:
    """
    The device needs time: go on after *seconds*.
    """

    seconds: float
    reason: str

    @property
    def progress(self) -> Progress:
        """As the operator is told."""
        return Progress(phase="push", text=f"waiting {self.seconds:g} s: {self.reason}")
