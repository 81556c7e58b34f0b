"""
Questions about a device's policy, answered from what is stored: the device is not asked.

Values in, values out; what unpacks whole lists is for a thread.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice

import attrs
from attrs import define, evolve, field

from tscm.errors import TscmError
from tscm.kinds.kind import kind_of
from tscm.model import Cidr
from tscm.policy.by_hand import HandEntry
from tscm.policy.cidr import CidrSet, Entries, read_cidr
from tscm.policy.standing import Standing
from tscm.policy.why import ListView, left_out, meeting, verdict, why
from tscm.policy.why import not_in_force as missing
from tscm.retrieve.feeds import hosts_of
from tscm.settings.feed import published
from tscm.store.generations import Generation, decode_entries
from tscm.update.answers import (
    Changes,
    Difference,
    Dropped,
    Excluded,
    Explanation,
    HandEntryHeld,
    LeftOut,
    Listed,
    NotHeld,
)
from tscm.update.by_hand import as_list
from tscm.update.in_force import maybe_gone, not_in_force, unchecked
from tscm.update.job import UpdateJob
from tscm.update.known_name import KnownName
from tscm.update.memory import DeviceMemory
from tscm.update.names import hosts, unknown
from tscm.update.networks import known_networks
from tscm.update.rules import guard_rules, spared

ENTRIES_SHOWN = 100_000
ENTRIES_TOLD = 20
"""Entries by hand that an answer about an address tells of."""


@define(eq=False)
class NoPolicyStored(TscmError):
    """
    No policy of this device was ever fetched.
    """

    device: str

    def __str__(self) -> str:
        return (
            f"no policy of {self.device} is stored yet; fetch one with `tsadmin update "
            f"{self.device}`"
        )


@define(eq=False)
class NoCidr(TscmError):
    """
    What was asked for is neither an address nor a network.
    """

    cause: str

    def __str__(self) -> str:
        return f"{self.cause}; use an address or a network, such as 203.0.113.7 or 2001:db8::/32"


@define(eq=False)
class Opening:
    """
    Unpacks what is stored, each content once however many devices hold it; with *asked* only what meets that CIDR.
    """

    _asked: Cidr | None = None
    _entries: dict[bytes, Entries] = field(factory=dict, init=False)
    _merged: dict[bytes, CidrSet] = field(factory=dict, init=False)
    """By the digest of the packed content."""

    def entries(self, content: bytes) -> Entries:
        """The entries as they were published.  Raises `ValueError` for what is damaged."""
        digest = sha256(content).digest()
        if digest not in self._entries:
            self._entries[digest] = self._met(decode_entries(content))
        return self._entries[digest]

    def in_force(self, device: str, one: Generation, kind: str) -> CidrSet:
        """The `block` or `allow` list of a generation, merged.  Raises `StoredDamaged`."""
        digest = sha256(one.block if kind == "block" else one.allow).digest()
        if digest not in self._merged:
            whole = CidrSet.of(one.entries(device, kind))
            self._merged[digest] = CidrSet(self._met(whole.entries))
        return self._merged[digest]

    def _met(self, entries: Entries) -> Entries:
        return entries if self._asked is None else meeting(entries, self._asked)


def cidr_of(asked: str) -> Cidr:
    """The network of an address or network; host bits are cleared.  Raises `NoCidr`."""
    try:
        return read_cidr(asked)[0]
    except ValueError as error:
        raise NoCidr(str(error)) from None


def explain_each(
    jobs: Sequence[UpdateJob], asked: str, opening: Opening
) -> list[Explanation | TscmError]:
    """How an address or network stands with the lists of each device, or why that is unknown."""
    found: list[Explanation | TscmError] = []
    for job in jobs:
        try:
            found.append(explain(job, asked, opening))
        except TscmError as error:
            found.append(error)
    return found


def explain(job: UpdateJob, asked: str, opening: Opening | None = None) -> Explanation:
    """
    How an address or network stands with both lists.
    """
    opening = opening or Opening(cidr_of(asked))
    views = _views(job, opening)
    together = why(asked, views)
    met = _by_hand(job, asked)
    apart = [*(_of_lists(job, view, opening) for view in views), *_views_by_hand(job, views, met)]
    standings = together if apart == list(views) else why(asked, apart)
    memory = DeviceMemory.from_json(job.memory)
    held = memory.by_hand
    return Explanation(
        asked=asked,
        verdict=_verdict(job, together),
        lists=standings,
        sentences=tuple(map(str, standings)),
        held=_holding(job),
        unchecked=unchecked(job.settings.name, memory) or None,
        by_hand=tuple(
            HandEntryHeld(**attrs.asdict(one), in_force=one.id in held)
            for one in met[:ENTRIES_TOLD]
        ),
    )


def _by_hand(job: UpdateJob, asked: str) -> list[HandEntry]:
    """The entries by hand that share an address with *asked*."""
    if not job.by_hand:
        return []
    entries = Entries.of(one.cidr for one in job.by_hand)
    met = set(meeting(entries, asked).cidrs())
    return [one for one in job.by_hand if one.cidr in met]


def _of_lists(job: UpdateJob, view: ListView, opening: Opening) -> ListView:
    """*view* of what came from the lists, without entries by hand."""
    if job.applied is None or job.applied.of_lists == job.applied:
        return view
    held = opening.in_force(job.settings.name, job.applied.of_lists, view.kind)
    return evolve(view, in_force=held)


def _views_by_hand(
    job: UpdateJob, views: Sequence[ListView], met: Sequence[HandEntry]
) -> Iterator[ListView]:
    """A view of the entries by hand for each kind that has some."""
    held = DeviceMemory.from_json(job.memory).by_hand
    for kind in ("block", "allow"):
        mine = [one for one in met if one.action == kind]
        like = next((view for view in views if view.kind == kind), None)
        if mine and like is not None:
            yield evolve(
                like,
                published=as_list(Entries.of(one.cidr for one in mine)),
                in_force=CidrSet.of_texts(one.cidr for one in mine if one.id in held),
            )


def _holding(job: UpdateJob) -> str | None:
    """That what was published since is not in force, where an operator decided so."""
    hold = DeviceMemory.from_json(job.memory).operators_hold
    return None if hold is None or hold.over(job.now()) else f"updates are {hold}"


def _verdict(job: UpdateJob, standings: Sequence[Standing]) -> str:
    """
    What the firewall does; a group that no access-list uses does nothing, whatever it holds.
    """
    said = verdict(standings)
    memory = DeviceMemory.from_json(job.memory)
    bare, holders = said.removeprefix("perhaps "), kind_of(job.settings).holders(job.settings)
    for kind, word in (("Allow", "permitted"), ("Block", "blocked")):
        group = holders.get(kind)
        if group in memory.unused and bare.startswith((word, f"partly {word}")):
            when = "used it at the last update" if memory.never_used else "uses it"
            return f"not {word}: {group} contains it, and no access-list {when}"
    return said if said == bare else f"{said}; {maybe_gone(memory)}"


def dropped(job: UpdateJob, search: str | None = None) -> Dropped:
    """
    What the lists hold and the device does not; with *search* only what meets that address or network.
    """
    views = _views(job, Opening())
    block, allow = (
        _dropped([view for view in views if view.kind == kind], search)
        for kind in ("block", "allow")
    )
    return Dropped(block=block, allow=allow)


def _dropped(views: Sequence[ListView], search: str | None) -> NotHeld:
    """Of all lists that one is made of."""
    entries = CidrSet.of(Entries.joined([missing(view) for view in views])).entries
    try:
        found = entries if search is None else meeting(entries, search)
        guarded = [left_out(view, search) for view in views]
    except ValueError as error:
        raise NoCidr(str(error)) from None
    told = (one for judged in guarded for one in judged.findings() if one.left_out)
    listed = _listed(found)
    return NotHeld(
        count=listed.count,
        entries=listed.entries,
        left_out=LeftOut(
            count=sum(judged.left_out_count for judged in guarded),
            entries=tuple(
                Excluded(entry=one.entry, cause=one.cause) for one in islice(told, ENTRIES_SHOWN)
            ),
        ),
    )


def difference(device: str, older: Generation, newer: Generation) -> Difference:
    """What came and went from one generation to another, in CIDRs after merging."""

    def changes(kind: str) -> Changes:
        old, new = (CidrSet.of(one.entries(device, kind)) for one in (older, newer))
        return Changes(
            added=_listed(new.difference(old).entries),
            removed=_listed(old.difference(new).entries),
        )

    return Difference(
        older=older.row, newer=newer.row, block=changes("block"), allow=changes("allow")
    )


def _views(job: UpdateJob, opening: Opening) -> Sequence[ListView]:
    settings = job.settings
    known = [
        (kind, job.known.get(name))
        for kind, names in (("block", settings.block_list), ("allow", settings.allow_list))
        for name in published(job.node.policy.feeds, names)
    ]
    lists = [(kind, one) for kind, one in known if one is not None]
    if len(lists) < len(known):
        raise NoPolicyStored(settings.name)
    sources = [host for _, one in lists for host in hosts_of(one.source)]
    people = hosts(settings, job.node, sources)
    names = dict(job.names)
    new = unknown(people, names)
    if new:  # asked for before any update of this version
        found = job.look_up([one.host for one in new])
        names |= {one: KnownName(name=one).after(seen, job.now()) for one, seen in found.items()}
    rules = evolve(
        guard_rules(settings, job.node, spared(settings, job.node, people, names)),
        warning_lists=known_networks(job.node.policy.networks).warning_lists,
    )
    readable = [(kind, one.readable(settings.name, opening.entries)) for kind, one in lists]
    off = not_in_force(job.applied) if job.applied is not None and job.applied.purged else ""
    in_force = {kind: _in_force(job, kind, opening) for kind in ("block", "allow")}
    memory = DeviceMemory.from_json(job.memory)
    return tuple(
        ListView(
            kind=kind,
            published=one,
            rules=rules if kind == "block" else rules.for_allow_list(),
            in_force=in_force[kind],
            off=off,
            unchecked=bool(memory.upheavals),
        )
        for kind, one in readable
    )


def _in_force(job: UpdateJob, kind: str, opening: Opening) -> CidrSet:
    if job.applied is None:
        return CidrSet()
    return opening.in_force(job.settings.name, job.applied, kind)


def _listed(entries: Entries) -> Listed:
    cidrs = entries.cidrs()
    return Listed(count=len(cidrs), entries=tuple(cidrs[:ENTRIES_SHOWN]))
