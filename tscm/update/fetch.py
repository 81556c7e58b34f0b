"""
From the policy service to what a device is to hold: fetch, guard, merge, cut.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from attrs import define, evolve

from tscm.errors import ListUnavailable, TscmError
from tscm.model import Progress, Report
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.guard import Guarded, GuardRules, compare, inspect
from tscm.policy.lists import PolicyList
from tscm.policy.rank import AllowOverMaximum, cut
from tscm.retrieve.feeds import hosts_of
from tscm.retrieve.sources import list_source
from tscm.risks import RiskFound
from tscm.settings.feed import published
from tscm.store.generations import BY_HAND, StoredDamaged, stored
from tscm.update.by_hand import judge, left_out_words, merged, no_effect_words, waiting
from tscm.update.goal import Goal, of_generation, refuse
from tscm.update.hitting import RecentHits
from tscm.update.in_force import risks_of
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.list_figures import Source, list_figures, sentences
from tscm.update.memory import DeviceMemory
from tscm.update.names import Host, hosts, unknown
from tscm.update.networks import known_networks
from tscm.update.rules import guard_rules, known_rules, rules_of, spared
from tscm.update.unknown_names import held_back, looked_up, name_warnings


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


def fetch_goal(
    job: UpdateJob,
    report: Report,
    found: Callable[[Sequence[RiskFound]], None] = lambda _: None,
    told: Callable[[tuple[KnownName, ...]], None] = lambda _: None,
) -> Goal:
    """
    What the device is to hold now.

    Before anything ends the run *found* is told all risks, and *told* what is known of names.

    Raises `RetrievalFailed`, `PolicyRefused` (also for an allow list over the maximum).
    """
    if job.rollback is not None:
        note = f"rolled back to generation {job.rollback.number}"
        return _of_today(job, of_generation(job.rollback.of_lists, job.settings, note))
    if job.keeps_lists and job.applied is not None and not job.applied.purged:
        with suppress(StoredDamaged):  # then the lists are fetched
            note = BY_HAND if job.only_entries else ""
            return _with_known_rules(job, of_generation(job.applied.of_lists, job.settings, note))
    settings = job.settings
    damaged: list[str] = []
    fetched = [
        Source(kind, *_fetch(job, name, kind, report, damaged))
        for kind, names in (("block", settings.block_list), ("allow", settings.allow_list))
        for name in published(job.node.policy.feeds, names)
    ]
    report(Progress(phase="guard", text="checking both lists"))
    known, now = known_networks(job.node.policy.networks), job.now()
    people = hosts(settings, job.node, _sources(one.found.source for one in fetched))
    names = looked_up(job, people, now)
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
        block = held_back(job, block, strangers)
    waiting = max(0, whole - len(block))
    seen = None if job.hits is None else RecentHits(job.hits)
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
            list_figures(job, both[0], len(block), len(fitting.block)),
            waiting=waiting,
        ),
        allow_figures=list_figures(job, both[1], len(allow), len(fitting.allow)),
        findings=tuple(sentences(judged)),
        warnings=tuple(name_warnings(job, people, names, waiting, now)),
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


def _of_today(job: UpdateJob, goal: Goal) -> Goal:
    """
    *goal*, a generation of some day, without what must not be blocked today: the SIEM may have moved since.

    Its entries are merged ones, so no whole entry is left out, and what is protected is cut out of it.
    """
    rules, strangers = known_rules(
        job.settings, job.node, job.names, _sources(one.source for one in job.known.values())
    )
    block, warnings = goal.block, []
    for one in rules.protected:
        network = CidrSet.of_texts((one.cidr,))
        if block.overlaps(network):
            warnings.append(f"{one.cidr}, {one.what}, is left out of what is rolled back to")
            block = block.difference(network)
    if strangers and job.node.policy.unknown_names == "hold":
        before, block = len(block), held_back(job, block, strangers)
        known = {
            one.host: job.names.get(one.host, KnownName(name=one.host)).after((), job.now())
            for one in strangers
        }
        late = max(0, before - len(block))
        warnings += name_warnings(job, strangers, known, late, job.now())
    goal = evolve(
        goal,
        block=block,
        block_figures=evolve(goal.block_figures, desired=len(block)),
        warnings=(*goal.warnings, *warnings),
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
