"""
How updates of a device went and stand, as values: for the history, `tsadmin show` and the metrics.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import field, frozen

from tscm.model import Traffic
from tscm.risks import RiskFound
from tscm.update.hold import Hold
from tscm.update.known_name import KnownName
from tscm.wire.keys import PLAIN


class Result(StrEnum):
    """
    How an update ended; the last three are no updates, but what became of the schedule.
    """

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


ACTS = (Result.HELD, Result.PAUSED, Result.RESUMED)
"""What became of the schedule.  They stand in the history beside the updates."""
GOOD = frozenset({Result.CHANGED, Result.UNCHANGED, Result.PLANNED, *ACTS})
ENDS = (Result.CHANGED, Result.UNCHANGED, Result.REFUSED, Result.FAILED, Result.STOPPED)
"""How updates are counted."""


@frozen(kw_only=True)
class ListFigures:
    """
    One list on its way: as published, after the guard, merged, and what was cut.
    """

    name: str = ""
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
    by_hand: int = 0
    """Entries by hand, which come on top of what the lists bring and are never cut."""
    desired: int = 0
    waiting: int = 0
    """New entries that wait until a name that must not be blocked is known."""
    causes: Mapping[str, int] = field(factory=dict)
    """How many entries were left out for each cause."""
    warned: int = 0
    """Entries that were kept and should be looked at."""
    warnings: Mapping[str, int] = field(factory=dict)
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
class Edits:
    """Entries that come and go."""

    added: tuple[str, ...] = field(default=(), metadata=PLAIN)
    removed: tuple[str, ...] = field(default=(), metadata=PLAIN)


@frozen(kw_only=True)
class PlanDiff:
    """Every entry that would come and go, by list."""

    block: Edits = Edits()
    allow: Edits = Edits()


@frozen(kw_only=True)
class UpdateRecord:
    """
    One update from fetch to save, as it is kept and shown.
    """

    device: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    result: Result = Result.FAILED
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
    only_entries: bool = False
    """Entries by hand came or went, and no list was fetched."""
    kept: bool = False
    """The lists could not be used, so what was in force was checked on the device and put back."""
    by_hand: tuple[int, ...] = ()
    """Numbers of the entries by hand that the device holds, where the run was good."""
    paused: bool = False
    """Policy updates are disabled; this one ran because it was requested."""
    block: ListFigures | None = None
    allow: ListFigures | None = None
    findings: tuple[str, ...] = ()
    """Single entries with their causes, at most `FINDINGS_KEPT`."""
    warnings: tuple[str, ...] = ()
    plan: PlanFigures | None = None
    notes: tuple[str, ...] = ()
    """What was found on the device: a reload, edits by hand, another version."""
    untrusted: bool = False
    """It failed because the device's certificate or host key is not the trusted one."""
    failures: tuple[str, ...] = ()
    """Causes of the device's faults on the way, those that were overcome included."""
    traffic: Traffic = Traffic()
    verified: bool = False
    saved: bool = False
    version: str | None = None
    generation_number: int | None = None
    """Of the generation that was kept for it; None where the latest one holds the same."""
    diff: PlanDiff | None = None
    plan_id: str | None = None
    """What `tsadmin update --plan` takes to push just this plan."""
    good: bool = field(init=False)
    """Does the device hold what policy asks, as far as the run was meant to go?"""

    @property
    def keeps_lists(self) -> bool:
        """Was no list fetched, so that it says nothing of lists?"""
        return bool(self.cause) or self.only_entries or self.kept

    @good.default
    def _is_good(self) -> bool:
        return self.result in GOOD


@frozen(kw_only=True)
class UpdateTold(UpdateRecord):
    """An update as it is answered: the record, and what it came to in one line."""

    sentence: str = ""


@frozen(kw_only=True)
class InForce:
    """
    What a device holds since its newest generation was applied; *purged*: what a purge left.
    """

    since: float = 0.0
    block: int = 0
    allow: int = 0
    purged: bool = False


@frozen(kw_only=True)
class UpdateCounts:
    """
    Updates since the manager started, by result, and what they and plans cost the device.
    """

    ended: Mapping[str, int] = field(factory=dict)
    requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


@frozen(kw_only=True)
class UpdateFigures:
    """
    How the policy updates of a device stand; *fault* is why nothing that is kept can be read.
    """

    fault: str | None = None
    last_update: UpdateRecord | None = None
    last_good: UpdateRecord | None = None
    held: bool = False
    """After a rollback or a purge."""
    hold: Hold | None = None
    """An operator's, while it lasts."""
    locked_out: bool = False
    stopped_at_failure: bool = False
    failed_runs: int = 0
    unsaved: bool = False
    test_entry: str | None = None
    """The entry of a test that was interrupted, still blocked on the device."""
    upheavals: str = ""
    """What the firewall said of itself and no good update has answered since."""
    upheavals_since: float | None = None
    certificate: str | None = None
    generations: int = 0
    in_force: InForce | None = None
    unknown_names: tuple[KnownName, ...] = ()
    unused_groups: tuple[str, ...] = ()
    """Parents of ours that no access-list was seen to use."""
    never_used: bool = False
    """They are new, and the operator has not entered the access-lists yet."""
    entries_by_hand: int = 0
    """How many of them the device held after the last good run."""
    next_run_at: float | None = None
    running_since: float | None = None
    waiting_until: float | None = None
    progress: str | None = None
    paused: bool = False
    since_start: UpdateCounts = UpdateCounts()
