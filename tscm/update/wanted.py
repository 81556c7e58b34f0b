"""
From the policy service to what a device shall hold: fetch, guard, merge, cut.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from attrs import evolve, frozen

from tscm.errors import ListUnavailable, PolicyRefused, TscmError
from tscm.model import Progress, Report
from tscm.plural import many
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.guard import Guarded, GuardRules, Protected, compare, inspect
from tscm.policy.lists import PolicyList
from tscm.policy.rank import AllowOverMaximum, cut
from tscm.retrieve.feeds import hosts_of
from tscm.retrieve.sources import list_source
from tscm.risks import RiskFound
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import feed_named, published
from tscm.settings.node import NodeSettings
from tscm.store.policies import Generation, StoredDamaged, StoredList, pack, stored, unpacked
from tscm.update.figures import ListFigures
from tscm.update.hitting import SeenHitting
from tscm.update.in_force import risks_of
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.names import Host, age_words, hosts, protected, unknown
from tscm.update.networks import known_networks
from tscm.update.outcome import FINDINGS_KEPT
from tscm.update.ways import own_address_towards

Share = TypeVar("Share", float, float | None)


class RetrievalFailed(TscmError):
    """
    A list could not be fetched during an update.
    """

    def __init__(self, device: str, error: ListUnavailable) -> None:
        self.device = device
        self.error = error
        super().__init__(device, error)

    def __str__(self) -> str:
        tail = f"; {self.error.remedy}" if self.error.remedy else ""
        return (
            f"Failed to retrieve policy for {self.device}: list [{self.error.name}]: "
            f"{self.error.cause}{tail}"
        )


@frozen(kw_only=True, eq=False)
class Wanted:
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

    def is_kept_as(self, one: Generation | None) -> bool:
        """Does *one* hold just this?  What lies damaged holds nothing, nor does what a purge left."""
        if one is None or one.purged:
            return False
        pairs = (self.block, one.block), (self.allow, one.allow)
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


def wanted(
    job: UpdateJob,
    report: Report,
    found: Callable[[Sequence[RiskFound]], None] = lambda _: None,
    told: Callable[[tuple[KnownName, ...]], None] = lambda _: None,
) -> Wanted:
    """
    What the device shall hold now.

    Before anything ends the run *found* is told all risks, and *told* what is known of names.

    Raises `RetrievalFailed`, `PolicyRefused` (also for an allow list over the maximum).
    """
    if job.rollback is not None:
        note = f"rolled back to generation {job.rollback.number}"
        return of_generation(job.rollback, job.settings, note)
    if job.repair and job.applied is not None and not job.applied.purged:
        with suppress(StoredDamaged):  # then the lists are fetched
            return of_generation(job.applied, job.settings)
    settings = job.settings
    damaged: list[str] = []
    fetched = [
        _Source(kind, *_fetch(job, name, kind, report, damaged))
        for kind, names in (("block", settings.block_list), ("allow", settings.allow_list))
        for name in published(job.node.policy.feeds, names)
    ]
    report(Progress(phase="guard", text="looking through both lists"))
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
    merged = len(block)
    strangers = unknown(people, names)
    if strangers and job.node.policy.unknown_names == "hold":
        block = _held_back(job, block, strangers)
    waiting = max(0, merged - len(block))
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
    return Wanted(
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


def refuse(job: UpdateJob, risks: Sequence[RiskFound]) -> None:
    """Raise `PolicyRefused` for what is neither accepted nor only looked for."""
    left = [one for one in risks if not job.consent.accepts(one)]
    if left and not job.survey:
        raise PolicyRefused(
            job.settings.name, [one.sentence for one in left], [one.option for one in left]
        )


def guard_rules(
    settings: DeviceSettings, node: NodeSettings, spared: Iterable[Protected]
) -> GuardRules:
    """
    The guard's rules for a device's block list, with the addresses that are to be *spared*.

    Without the warning lists, which are files to be read (`tscm.update.networks`).
    """
    policy = node.policy
    growth = policy.max_growth_percent
    return GuardRules(
        protected=tuple(spared),
        widest_v4=policy.widest_ipv4,
        widest_v6=policy.widest_ipv6,
        allow_special=policy.allow_special or settings.allow_special,
        shrink_share=policy.max_shrink_percent / 100,
        readable_share=policy.min_readable_percent / 100,
        growth_share=None if growth is None else growth / 100,
        max_entries=policy.max_list_entries,
    )


def rules_of(node: NodeSettings, name: str, rules: GuardRules) -> GuardRules:
    """*rules* with what a feed says of its own size instead."""
    feed = feed_named(node.policy.feeds, name)
    if feed is None:
        return rules
    return evolve(
        rules,
        empty_is_right=feed.may_be_empty,
        may_be_empty=rules.may_be_empty or feed.may_be_empty,
        shrink_share=_share(feed.shrink_percent, rules.shrink_share),
        growth_share=_share(feed.max_growth_percent, rules.growth_share),
        readable_share=_share(feed.min_readable_percent, rules.readable_share),
        min_entries=feed.min_entries,
        max_entries=rules.max_entries if feed.max_entries is None else feed.max_entries,
    )


def _share(percent: int | None, otherwise: Share) -> Share:
    return otherwise if percent is None else percent / 100


def spared(
    settings: DeviceSettings,
    node: NodeSettings,
    people: Iterable[Host],
    known: Mapping[str, KnownName],
) -> Iterator[Protected]:
    """The manager's own address, and all that are known of *people*; each once, as what comes first."""
    device = known.get(settings.device)
    towards = next(iter(device.addresses), None) if device else settings.device
    own = node.address or (None if towards is None else own_address_towards(towards))
    ours = () if own is None else (Protected(own.partition("%")[0], "the manager"),)
    seen: set[str] = set()
    for one in (*ours, *protected(people, known)):
        if one.cidr not in seen:
            seen.add(one.cidr)
            yield one


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
        said = f"{one.host}, {one.what}, cannot be looked up"
        if name.resolved_at is not None and name.addresses:
            age = age_words(now - name.resolved_at)
            yield f"{said}; what it had {age} ago is protected"
        elif job.node.policy.unknown_names == "hold":
            new = many(waiting, "new block entry waits", "new block entries wait")
            yield f"{said}, and no address of it is known: {new} until it is"
        else:
            yield f"{said}, and no address of it is known: entries that cover it are not left out"


def _held_back(job: UpdateJob, block: CidrSet, people: Sequence[Host]) -> CidrSet:
    """
    Of *block* what is in force already, for nobody knows whom the rest would hit.

    Raises `PolicyRefused` where nothing is in force.
    """
    try:
        if job.applied is not None and not job.applied.purged:
            held = CidrSet.of(job.applied.entries(job.settings.name, "block"))
            return block.intersection(held)
    except StoredDamaged:
        pass  # then nobody knows what is in force
    raise PolicyRefused(
        job.settings.name,
        [
            f"{one.host}, {one.what} ({one.where}), cannot be looked up and no address of it is "
            f"known, so that it could be blocked: correct the name, or set [policy] "
            f'unknown_names = "warn"'
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
        damaged.append(f"{error.what} lay damaged in the database; it was fetched anew")
    try:
        found = job.fetch(list_source(job.settings, job.node, name), known, job.now())
    except ListUnavailable as error:
        raise RetrievalFailed(job.settings.name, error) from None
    if found is None:
        if known is None:
            raise RetrievalFailed(
                job.settings.name, ListUnavailable(name, "the source says unchanged since never")
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
            word = "left out" if finding.left_out else "kept"
            yield f"{one.policy_list.name}: {finding.entry} {word}: {finding.cause}"


def of_generation(one: Generation, settings: DeviceSettings, note: str = "") -> Wanted:
    """What a kept generation holds.  Raises `StoredDamaged`."""
    block, allow = (CidrSet.of(one.entries(settings.name, kind)) for kind in ("block", "allow"))
    return Wanted(
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
