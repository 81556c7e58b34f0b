"""
From the policy service to what a device shall hold: fetch, guard, merge, cut.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import evolve, frozen

from tscm.errors import ListUnavailable, PolicyRefused, TscmError
from tscm.model import Progress, Report
from tscm.policy.cidr import CidrSet
from tscm.policy.guard import Guarded, GuardRules, Protected, compare, inspect
from tscm.policy.lists import PolicyList
from tscm.policy.rank import AllowOverMaximum, cut
from tscm.retrieve.sources import list_source
from tscm.risks import RiskFound
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.store.policies import Generation, StoredDamaged, StoredList, pack, stored, unpacked
from tscm.update.hitting import SeenHitting
from tscm.update.in_force import risks_of
from tscm.update.job import Resolve, UpdateJob
from tscm.update.networks import known_networks
from tscm.update.outcome import FINDINGS_KEPT, ListFigures
from tscm.update.ways import own_address_towards


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
    good_lists: tuple[StoredList, ...] = ()
    changed_lists: tuple[str, ...] = ()
    """Names of the lists that hold other entries than at the last update; their order says nothing."""
    note: str = ""

    def is_kept_as(self, one: Generation | None) -> bool:
        """Does *one* hold just this?  What lies damaged holds nothing."""
        if one is None:
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


def wanted(
    job: UpdateJob, report: Report, found: Callable[[Sequence[RiskFound]], None] = lambda _: None
) -> Wanted:
    """
    What the device shall hold now; *found* is told all risks before one of them ends the run.

    Raises `RetrievalFailed`, `PolicyRefused` (also for an allow list over the maximum).
    """
    if job.rollback is not None:
        return _of_generation(job.rollback, job.settings)
    settings = job.settings
    damaged: list[str] = []
    fetched = [
        _fetch(job, settings.block_list, "block", report, damaged),
        _fetch(job, settings.allow_list, "allow", report, damaged),
    ]
    report(Progress(phase="guard", text="looking through both lists"))
    known = known_networks(job.node.policy.networks)
    rules = evolve(guard_rules(settings, job.node, job.resolve), warning_lists=known.warning_lists)
    risks: list[RiskFound] = []
    judged: list[Guarded] = []
    for (one, previous), its_rules in zip(fetched, (rules, rules.for_allow_list()), strict=True):
        risks += compare(previous, one, its_rules)
        judged.append(inspect(one, its_rules))
    block, allow = (CidrSet.of(one.kept) for one in judged)
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
        block_figures=_figures(judged[0], fetched[0][1], len(block), len(fitting.block)),
        allow_figures=_figures(judged[1], fetched[1][1], len(allow), len(fitting.allow)),
        findings=tuple(_sentences(judged)),
        notes=(
            *damaged,
            *known.notes,
            *(seen.notes if seen else ()),
        ),
        good_lists=tuple(stored(one) for one, previous in fetched if one is not previous),
        changed_lists=tuple(
            one.name
            for one, previous in fetched
            if previous is None
            or (one is not previous and not one.entries.same_networks(previous.entries))
        ),
    )


def refuse(job: UpdateJob, risks: Sequence[RiskFound]) -> None:
    """Raise `PolicyRefused` for what is neither accepted nor only looked for."""
    left = [one for one in risks if not job.consent.accepts(one)]
    if left and not job.survey:
        raise PolicyRefused(
            job.settings.name, [one.sentence for one in left], [one.option for one in left]
        )


def guard_rules(settings: DeviceSettings, node: NodeSettings, resolve: Resolve) -> GuardRules:
    """
    The guard's rules for a device's block list, its protected addresses looked up.

    Without the warning lists, which are files to be read (`tscm.update.networks`).
    """
    policy = node.policy
    growth = policy.max_growth_percent
    return GuardRules(
        protected=tuple(_protected(settings, node, resolve)),
        widest_v4=policy.widest_ipv4,
        widest_v6=policy.widest_ipv6,
        allow_special=policy.allow_special or settings.allow_special,
        shrink_share=policy.max_shrink_percent / 100,
        growth_share=None if growth is None else growth / 100,
        max_entries=policy.max_list_entries,
    )


def _protected(
    settings: DeviceSettings, node: NodeSettings, resolve: Resolve
) -> Iterable[Protected]:
    named: list[tuple[str | None, str]] = [
        (node.address or own_address_towards(settings.device), "the manager"),
        *((one, "an address of the device") for one in (settings.device, *settings.ha_members)),
        *((one.host, "a policy server") for one in node.policy.servers),
        *((_host(one.url), "a source of lists") for one in node.policy.feeds),
        (_host(node.upload.url), "the log service"),
        *((one, "the SIEM") for one in _siems(settings)),
        (_host(settings.log_proxy), "the log upload proxy"),
        (_host(settings.rest_url), "an address of the device"),
        *((one, "protected by the settings") for one in node.policy.protect),
    ]
    seen: dict[str, None] = {}
    for name, what in named:
        if name is None or name in seen:
            continue
        seen[name] = None
        for address in (name,) if _is_address(name) else resolve(name):
            yield Protected(address.partition("%")[0], what)


def _siems(settings: DeviceSettings) -> Iterable[str | None]:
    if settings.syslog_forward:
        yield settings.forward_address
        yield from map(_host, settings.forward_also)


def _host(url: str | None) -> str | None:
    return urlsplit(url).hostname if url else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


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


def _figures(
    guarded: Guarded, previous: PolicyList | None, merged: int, desired: int
) -> ListFigures:
    one = guarded.policy_list
    return ListFigures(
        name=one.name,
        serial=one.serial,
        unchanged=one is previous,
        source=one.source,
        published=len(one.entries) + one.refused_count,
        left_out=guarded.left_out_count,
        normalised=one.normalised,
        other_records=one.other_records,
        excepted=one.excepted,
        merged=merged,
        cut=max(0, merged - desired),
        desired=desired,
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


def _of_generation(one: Generation, settings: DeviceSettings) -> Wanted:
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
        note=f"rolled back to generation {one.number}",
    )
