"""
How an update went: a value for the operator, the history and `--json`.
"""

from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from tscm.errors import TscmError
from tscm.model import Json, Progress, Traffic
from tscm.risks import RiskFound
from tscm.store.policies import Generation, StoredList

if TYPE_CHECKING:  # it brings numpy along
    from tscm.update.names import KnownName

CHANGED = "changed"
UNCHANGED = "unchanged"
PLANNED = "planned"
REFUSED = "refused"
FAILED = "failed"
STOPPED = "stopped"
PURGED = "purged"
HELD = "held"
PAUSED = "paused"
RESUMED = "resumed"

ACTS = (HELD, PAUSED, RESUMED)
"""Not updates: what became of the schedule.  They stand in the history beside them."""
GOOD = frozenset({CHANGED, UNCHANGED, PLANNED, *ACTS})
FINDINGS_KEPT = 200


@frozen(kw_only=True)
class ListFigures:
    """
    One list on its way: as published, after the guard, merged, and what was cut.
    """

    name: str
    serial: int | None = None
    unchanged: bool = False
    source: str = ""
    asked_at: float | None = None
    """When the publisher of a feed last confirmed it: others may have asked for it before."""
    published: int = 0
    left_out: int = 0
    normalised: int = 0
    other_records: int = 0
    excepted: int = 0
    """Networks that the list itself takes out of its entries."""
    merged: int = 0
    cut: int = 0
    desired: int = 0
    waiting: int = 0
    """New entries that wait until a name that must not be blocked is known."""
    causes: dict[str, int] = attrs.field(factory=dict)
    """How many entries were left out for each cause."""
    warned: int = 0
    """Entries that were kept and should be looked at."""
    warnings: dict[str, int] = attrs.field(factory=dict)
    """How many of those for each cause."""
    parts: "tuple[ListFigures, ...]" = ()
    """Where it is made of several lists: each of them, merged by itself."""

    @property
    def lists(self) -> "tuple[ListFigures, ...]":
        """The published lists that it is made of."""
        return self.parts or (self,)


@frozen(kw_only=True)
class PlanFigures:
    """
    What was, or would be, changed on the device.
    """

    steps: int = 0
    requests: int = 0
    added: int = 0
    removed: int = 0
    groups_made: tuple[str, ...] = ()
    groups_deleted: tuple[str, ...] = ()
    summary: str = ""
    bytes_before: int = 0
    bytes_after: int = 0
    budget: int | None = None


@frozen(kw_only=True)
class UpdateOutcome:
    """
    One update from fetch to save.

    *good_lists*, *generation*, *names*, *rebased*, *unreached* and *memory* are for the store and not part
    of the JSON.
    """

    device: str
    started_at: float
    finished_at: float = 0.0
    result: str = FAILED
    error: str | None = None
    exit_status: int = 0
    forced: bool = False
    """Was anything accepted for it that is refused else?"""
    accepted: tuple[str, ...] = ()
    """The words that were given and needed."""
    risks: tuple[RiskFound, ...] = ()
    """All that was found, accepted or not."""
    cause: str = ""
    """What the firewall said of itself, where that made its groups be read and repaired out of turn."""
    act: str = ""
    """What it was, where it was no ordinary update: `rollback to generation 3`."""
    paused: bool = False
    """Policy updates are disabled; this one ran because someone asked for it."""
    block: ListFigures | None = None
    allow: ListFigures | None = None
    findings: tuple[str, ...] = ()
    """Single entries with their causes, at most `FINDINGS_KEPT`."""
    warnings: tuple[str, ...] = ()
    plan: PlanFigures | None = None
    notes: tuple[str, ...] = ()
    """What was found on the device: a reload, edits by hand, another version."""
    failures: tuple[str, ...] = ()
    """Causes of the device's faults on the way, those that were overcome included."""
    traffic: Traffic = Traffic()
    verified: bool = False
    saved: bool = False
    version: str | None = None
    generation_number: int | None = None
    """Of the generation that was kept for it; None where the latest one holds the same."""
    diff: Json | None = None
    plan_id: str | None = None
    """What `tsadmin update --plan` takes to push just this plan."""
    good_lists: tuple[StoredList, ...] = attrs.field(default=(), repr=False)
    generation: Generation | None = attrs.field(default=None, repr=False)
    names: "tuple[KnownName, ...] | None" = attrs.field(default=None, repr=False)
    """What is known of names that must not be blocked; None where nobody asked."""
    rebased: bool = attrs.field(default=False, repr=False)
    """What is in force now is accepted as it is: what was so before is no measure any more."""
    memory: Json | None = attrs.field(default=None, repr=False)
    unreached: bool = attrs.field(default=False, repr=False)
    """Nobody answered: no agent, or not even a connection."""

    @property
    def good(self) -> bool:
        """Does the device hold what policy asks, as far as the run was meant to go?"""
        return self.result in GOOD

    def to_json(self) -> Json:
        """For `--json`, `show` and the history."""
        kept = attrs.asdict(self, filter=_in_json)
        kept["good"] = self.good
        kept["risks"] = [one.as_json() for one in self.risks]
        return kept

    def raise_if_failed(self) -> None:
        """Raise `UpdateFailed` unless the run was good."""
        if not self.good:
            raise UpdateFailed(self)

    def sentence(self) -> str:
        """One line for the end of `tsadmin update`."""
        if not self.good:
            return self.error or f"the update of {self.device} failed"
        figures = self.plan or PlanFigures()
        block = self.block.desired if self.block else 0
        allow = self.allow.desired if self.allow else 0
        held = f"{block:,} block and {allow:,} allow entries"
        if self.result == UNCHANGED or (self.result == PLANNED and not figures.steps):
            return f"{self.device} holds the policy already: {held}, nothing to change"
        return _sentence(self.device, self.result == PLANNED, figures, held)


def _sentence(device: str, planned: bool, figures: PlanFigures, held: str) -> str:
    if planned:
        return (
            f"{device} would get {_entries(figures.added)} and lose {figures.removed:,} in "
            f"{figures.requests:,} {'request' if figures.requests == 1 else 'requests'}; it would hold {held}"
        )
    return f"{device} got {_entries(figures.added)} and lost {figures.removed:,}; it holds {held}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _in_json(attribute: "attrs.Attribute[Any]", _: Any) -> bool:
    return attribute.name not in _FOR_THE_STORE


_FOR_THE_STORE = frozenset(
    {"good_lists", "generation", "names", "rebased", "memory", "risks", "unreached"}
)


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
class Pause:
    """
    The device needs time: go on after *seconds*.
    """

    seconds: float
    reason: str

    @property
    def progress(self) -> Progress:
        """As the operator is told."""
        return Progress(phase="push", text=f"waiting {self.seconds:g} s: {self.reason}")
