"""
From the policy service to what a device shall hold: fetch, guard, merge, cut.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import define, evolve, frozen

from tscm.errors import ListUnavailable, PolicyRefused, TscmError
from tscm.model import Progress, Report
from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.guard import Guarded, GuardRules, compare, inspect
from tscm.policy.lists import PolicyList
from tscm.policy.rank import AllowOverMaximum, cut
from tscm.retrieve.feeds import hosts_of
from tscm.retrieve.sources import list_source
from tscm.risks import RiskFound
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import published
from tscm.store.generations import (
    BY_HAND,
    Generation,
    StoredDamaged,
    StoredList,
    pack,
    stored,
    unpacked,
)
from tscm.update.by_hand import judge, left_out_words, merged, no_effect_words, waiting
from tscm.update.figures import ListFigures
from tscm.update.hitting import SeenHitting
from tscm.update.in_force import risks_of
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.memory import DeviceMemory
from tscm.update.names import Host, age_words, hosts, unknown
from tscm.update.networks import known_networks
from tscm.update.outcome import FINDINGS_KEPT
from tscm.update.rules import guard_rules, known_rules, rules_of, spared


@define(eq=False)
class RetrievalFailed(TscmError):
    """
    A list could not be fetched during an update.
    """

    device: str
    error: ListUnavailable

    def __str__(self) -> str:
        tail = f"; {self.error.remedy}" if self.error.remedy else ""
        return (
            f"Failed to retrieve policy for {self.device}: list [{self.error.name}]: "
            f"{self.error.cause}{tail}"
        )


@frozen(kw_only=True, eq=False)
class Goal:
    """
    What a device shall hold, and how that came about.
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

    def is_kept_as(self, one: Generation | None) -> bool:
        """
        Does *one* hold just this, from the lists and by hand?

        What lies damaged holds nothing, nor does what a purge left.
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
            return all(wanted.entries.to_bytes() == unpacked(kept) for wanted, kept in pairs)
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


@frozen(eq=False)
class _Source:
    """A published list that a block or allow list is made of, and the last good one of its name."""

    kind: str
    found: PolicyList
    previous: PolicyList | None

    @property
    def is_new(self) -> bool:
        return self.found is not self.previous


def fetch_goal(
    job: UpdateJob,
    report: Report,
    found: Callable[[Sequence[RiskFound]], None] = lambda _: None,
    told: Callable[[tuple[KnownName, ...]], None] = lambda _: None,
) -> Goal:
    """
    What the device shall hold now.

    Before anything ends the run *found* is told all risks, and *told* what is known of names.

    Raises `RetrievalFailed`, `PolicyRefused` (also for an allow list over the maximum).
    """
    if job.rollback is not None:
        note = f"rolled back to generation {job.rollback.number}"
        return _with_known_rules(job, of_generation(job.rollback.of_lists, job.settings, note))
    if job.keeps_lists and job.applied is not None and not job.applied.purged:
        with suppress(StoredDamaged):  # then the lists are fetched
            note = BY_HAND if job.only_entries else ""
            return _with_known_rules(job, of_generation(job.applied.of_lists, job.settings, note))
    settings = job.settings
    damaged: list[str] = []
    fetched = [
        _Source(kind, *_fetch(job, name, kind, report, damaged))
        for kind, names in (("block", settings.block_list), ("allow", settings.allow_list))
        for name in published(job.node.policy.feeds, names)
    ]
    report(Progress(phase="guard", text="checking both lists"))
    known, now = known_networks(job.node.policy.networks), job.now()
    people = hosts(settings, job.node, _sources(one.found.source for one in fetched))
    names = _looked_up(job, people, now)
    told(tuple(names.values()))
    rules = evolve(
        guard_rules(settings, job.node, spared(settings, job.node, people, names)),
        warning_lists=known.warning_lists,
    )
    risks: list[RiskFound] = []
    judged: list[Guarded] = []
    for one in fetched:
        its_rules = rules if one.kind == "block" else rules.for_allow_list()
        risks += compare(one.previous, one.found, rules_of(job.node, one.found.name, its_rules))
        judged.append(inspect(one.found, its_rules))
    both = [
        [(one, source) for one, source in zip(judged, fetched, strict=True) if source.kind == kind]
        for kind in ("block", "allow")
    ]
    block, allow = (CidrSet.of(Entries.joined([one.kept for one, _ in parts])) for parts in both)
    whole = len(block)
    strangers = unknown(people, names)
    if strangers and job.node.policy.unknown_names == "hold":
        block = _held_back(job, block, strangers)
    waiting = max(0, whole - len(block))
    seen = None if job.hits is None else SeenHitting(job.hits)
    try:
        fitting = cut(block, allow, settings.max_policy_size, known.ranking(seen))
        risks += risks_of(job, fitting)
    except AllowOverMaximum:
        found(risks)
        refuse(job, risks)
        raise
    found(risks)
    refuse(job, risks)
    goal = Goal(
        block=fitting.block,
        allow=fitting.allow,
        block_figures=evolve(
            _figures(job, both[0], len(block), len(fitting.block)),
            waiting=waiting,
        ),
        allow_figures=_figures(job, both[1], len(allow), len(fitting.allow)),
        findings=tuple(_sentences(judged)),
        warnings=tuple(_name_warnings(job, people, names, waiting, now)),
        notes=(
            *damaged,
            *known.notes,
            *(seen.notes if seen else ()),
        ),
        good_lists=tuple(stored(one.found) for one in fetched if one.is_new),
        changed_lists=tuple(
            one.found.name
            for one in fetched
            if one.previous is None
            or (one.is_new and not one.found.entries.same_networks(one.previous.entries))
        ),
    )
    return _with_entries(job, goal, rules, strangers)


def _with_known_rules(job: UpdateJob, goal: Goal) -> Goal:
    """*goal*, for which no list was fetched, with the entries by hand: judged by names as they are known."""
    if not job.by_hand:
        return goal
    rules, strangers = known_rules(
        job.settings, job.node, job.names, _sources(one.source for one in job.known.values())
    )
    return _with_entries(job, goal, rules, strangers)


def _with_entries(job: UpdateJob, goal: Goal, rules: GuardRules, strangers: Sequence[Host]) -> Goal:
    """
    *goal* with the entries by hand, which come on top of it: no Max policy size cuts them.
    """
    if not job.by_hand:
        return goal
    judged = judge(job.by_hand, rules)
    if strangers and job.node.policy.unknown_names == "hold":
        cause = f"no address of {strangers[0].host}, {strangers[0].what}, is known"
        held = DeviceMemory.from_json(job.memory).by_hand
        judged = waiting(judged, held, cause)
    block = merged(goal.block, judged.networks("block"))
    allow = merged(goal.allow, judged.networks("allow"))
    return evolve(
        goal,
        block=block,
        allow=allow,
        lists_block=goal.block,
        lists_allow=goal.allow,
        block_figures=evolve(goal.block_figures, by_hand=judged.count("block"), desired=len(block)),
        allow_figures=evolve(goal.allow_figures, by_hand=judged.count("allow"), desired=len(allow)),
        warnings=(*goal.warnings, *left_out_words(judged), *no_effect_words(judged, allow)),
        by_hand=tuple(one.id for one in judged.kept),
        by_hand_left=tuple(one.id for one, _ in judged.left_out),
    )


def refuse(job: UpdateJob, risks: Sequence[RiskFound]) -> None:
    """Raise `PolicyRefused` for what is neither accepted nor only looked for."""
    left = [one for one in risks if not job.consent.accepts(one)]
    if left and not job.survey:
        raise PolicyRefused(
            job.settings.name, [one.sentence for one in left], [one.option for one in left]
        )


def _looked_up(job: UpdateJob, people: Iterable[Host], now: float) -> dict[str, KnownName]:
    names = [one.host for one in people if one.named]
    found = job.look_up(names)
    return {
        name: job.names.get(name, KnownName(name=name)).after(found.get(name, ()), now)
        for name in names
    }


def _name_warnings(
    job: UpdateJob, people: Iterable[Host], known: Mapping[str, KnownName], waiting: int, now: float
) -> Iterator[str]:
    for one in people:
        name = known.get(one.host)
        if name is None or name.failing_since is None:
            continue
        said = f"{one.host}, {one.what}, does not resolve"
        if name.resolved_at is not None and name.addresses:
            age = age_words(now - name.resolved_at)
            yield f"{said}; its addresses of {age} ago remain protected"
        elif job.node.policy.unknown_names == "hold":
            new = many(waiting, "new block entry waits", "new block entries wait")
            yield f"{said}, and none of its addresses is known: {new} until it resolves"
        else:
            yield f"{said}, and none of its addresses is known: entries that cover it are not excluded"


def _held_back(job: UpdateJob, block: CidrSet, people: Sequence[Host]) -> CidrSet:
    """
    Of *block* what is in force already, for nobody knows whom the rest would hit.

    Raises `PolicyRefused` where nothing is in force.
    """
    try:
        if job.applied is not None and not job.applied.purged:
            held = CidrSet.of(job.applied.of_lists.entries(job.settings.name, "block"))
            return block.intersection(held)
    except StoredDamaged:
        pass  # then nobody knows what is in force
    raise PolicyRefused(
        job.settings.name,
        [
            f"{one.host}, {one.what} ({one.where}), does not resolve and none of its "
            "addresses is known, so it could be blocked: correct the name, or set "
            '[policy] unknown_names = "warn"'
            for one in people
        ],
    )


def _sources(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from hosts_of(text)


def _fetch(
    job: UpdateJob, name: str, kind: str, report: Report, damaged: list[str]
) -> tuple[PolicyList, PolicyList | None]:
    """The list to use, and the last good one of that name (the same where nothing changed)."""
    report(Progress(phase="fetch", text=f"{kind} list {name}"))
    kept = job.known.get(name)
    try:
        known = None if kept is None else kept.readable(job.settings.name)
    except StoredDamaged as error:
        known = None  # as if it had never been fetched
        damaged.append(f"{error.what} was damaged in the database and was fetched again")
    try:
        found = job.fetch(list_source(job.settings, job.node, name), known, job.now())
    except ListUnavailable as error:
        raise RetrievalFailed(job.settings.name, error) from None
    if found is None:
        if known is None:
            raise RetrievalFailed(
                job.settings.name,
                ListUnavailable(name, "the source reports no change, but no copy is stored"),
            )
        found = known
    return found, known


def _asked_at(job: UpdateJob, name: str) -> float | None:
    return job.asked_at(list_source(job.settings, job.node, name))


def _figures(
    job: UpdateJob, judged: Sequence[tuple[Guarded, _Source]], merged: int, desired: int
) -> ListFigures:
    """Of a block or allow list, with each list that it is made of where there are several."""
    parts = [_figures_of(job, *one) for one in judged]
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


def _figures_of(job: UpdateJob, guarded: Guarded, source: _Source) -> ListFigures:
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


def _sentences(judged: Iterable[Guarded]) -> Iterable[str]:
    left = FINDINGS_KEPT
    for one in judged:
        for finding in one.findings():
            if left == 0:
                return
            left -= 1
            word = "excluded" if finding.left_out else "kept"
            yield f"{one.policy_list.name}: {finding.entry} {word}: {finding.cause}"


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
