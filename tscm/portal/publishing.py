"""
One look at everything: what each policy comes to, and its two lists written where they are served.  Blocking.

A list is replaced as a file, whole or not at all; where the disk is full, what was published stays.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from tscm.errors import TscmError
from tscm.policy.cidr import CidrSet, Entries, overlapping
from tscm.policy.user_lists import Shrink
from tscm.portal import warning_lists
from tscm.portal.compiling import Compiled, HeldBack, compiled, why_held
from tscm.portal.expiring import PUBLISHER, leaving_of, without_expired
from tscm.portal.items import ItemFaulty, Kind, PortalPolicy, Ref
from tscm.portal.leaving import Leaving, Passing
from tscm.portal.published_files import digest, file_mark, published_file, write_list
from tscm.portal.resolving import Site, sides, used_targets
from tscm.portal.site import Stored, stored_site
from tscm.portal.sources import Sources, TargetState
from tscm.store.portal_items import PortalItems
from tscm.store.user_list_values import Who
from tscm.store.user_lists import UserLists

_SHOWN = 20


@frozen(kw_only=True)
class PolicyState:
    """
    How a policy stands: what is published of it, what is not and why, and what was kept out.
    """

    block_entries: int = 0
    allow_entries: int = 0
    published_at: float | None = None
    held: str = ""
    held_mark: str = ""
    """Stands for the two lists that are held, and for what they are made of."""
    fault: str = ""
    off: tuple[str, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


@frozen(kw_only=True)
class Holder:
    """
    A part of a policy that holds an address, and as which entries.
    """

    policy: str
    side: str
    part: str
    entries: tuple[str, ...] = ()
    title: str = ""
    severity: int | None = None
    threat: str = ""
    feeds: tuple[str, ...] = ()
    """Of a target: those of its feeds that hold the address, as far as they were fetched since the start."""


@frozen(kw_only=True)
class Published:
    """
    What a look found and did: the state of each policy and target, and names of lists that changed.
    """

    site: Site = field(factory=lambda: Site(targets={}))
    policies: Mapping[str, PolicyState] = field(factory=dict)
    targets: Mapping[str, TargetState] = field(factory=dict)
    parts: Mapping[Ref, Entries] = field(factory=dict)
    changed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    next_end: float | None = None
    """When the next entry of a list ends."""

    def holders(self, network: CidrSet) -> tuple[Holder, ...]:
        """Which parts of which policies hold an address of *network*, whether they are published or not."""
        found = []
        for name, policy in self.site.policies.items():
            these = sides(policy, self.site)
            for side, refs in (("block", these.block), ("allow", these.allow)):
                for ref in refs:
                    cidrs = _holding(self.parts.get(ref), network)
                    if not cidrs:
                        continue
                    target = self.site.targets.get(ref.name) if ref.kind is Kind.TARGET else None
                    found.append(
                        Holder(
                            policy=name,
                            side=side,
                            part=str(ref),
                            entries=cidrs,
                            title=target.title if target else "",
                            severity=target.severity if target else None,
                            threat=target.threat if target else "",
                            feeds=self._feeds_with(ref.name, network) if target else (),
                        )
                    )
        return tuple(found)

    def _feeds_with(self, target: str, network: CidrSet) -> tuple[str, ...]:
        state = self.targets.get(target, TargetState())
        return tuple(
            name for name, one in state.by_feed.items() if overlapping(one.entries, network).any()
        )


def _holding(entries: Entries | None, network: CidrSet) -> tuple[str, ...]:
    if entries is None or not len(entries):
        return ()
    rows = overlapping(entries, network).nonzero()[0][:_SHOWN].tolist()
    if not rows:
        return ()
    cidrs = entries.cidrs()
    return tuple(str(cidrs[at]) for at in rows)


def publish(
    database: Path,
    portal: Path,
    sources: Sources,
    now: float,
    confirmed: Mapping[str, str] | None = None,
) -> Published:
    """
    Compose every policy that is on, of what was fetched, and write the lists that changed.

    What would empty or halve a list waits until it is *confirmed*: the policy by its name, and the mark of what was
    held when the operator read it.  What goes by time alone, an entry that expires, does not wait.  Raises `StoreUnusable`, `OSError`.
    """
    stored = stored_site(database)
    site = stored.site
    used = used_targets(site)
    sources.forget(used)
    targets = {name: sources.target(name, site.targets[name]) for name in sorted(used)}
    parts, passing, versions, ends = _parts(database, sources, site, targets, now)
    states: dict[str, PolicyState] = {}
    changed: list[str] = []
    kept: set[str] = set()
    for name, policy in site.policies.items():
        if not policy.on:
            states[name] = PolicyState()
            continue
        before = _noted_before(stored, name)
        lists: list[str] = []
        try:
            one = _Composed.of(name, policy, stored, parts, passing=passing, versions=versions)
        except TscmError as fault:  # a list that is gone, a warning list that cannot be read: nothing goes out without it
            states[name] = PolicyState(fault=str(fault))
        else:
            states[name], lists = one.published(
                database, portal, now, confirmed=(confirmed or {}).get(name)
            )
        changed += lists
        if not states[name].held and not states[name].fault:
            continue
        kept.update(_names_before(stored, name))  # as it was published, also under an earlier name
        if not lists:
            before, lists = without_expired(database, portal, name, before, now)
            changed += lists
            states[name] = evolve(states[name], **_counts_of(before))
            # What has ended and must stay, as the last entry of a block list, asks for no look at once.
            next_ends = [one.next_end for one in leaving_of(before).values()]
            ends += [end for end in next_ends if end is not None and end > now]
    if not stored.faults:  # a document that cannot be read may own a file
        _tidy(portal, site, kept)
    return Published(
        site=site,
        policies=states,
        targets=targets,
        parts=parts,
        changed=tuple(changed),
        faults=stored.faults,
        next_end=min(ends, default=None),
    )


def _parts(
    database: Path,
    sources: Sources,
    site: Site,
    targets: Mapping[str, TargetState],
    now: float,
) -> tuple[dict[Ref, Entries], dict[Ref, Passing], dict[Ref, Any], list[float]]:
    """Entries of each part, the same by whether they end, what tells their content, and when the next of each list ends."""
    refs = {
        ref
        for policy in site.policies.values()
        if policy.on
        for side in (sides(policy, site).block, sides(policy, site).allow)
        for ref in side
    }
    names = {ref.name for ref in refs if ref.kind is Kind.LIST}
    names |= {one for name in targets for one in site.targets[name].lists}
    sources.forget_lists(names)
    versions = {name: version for name, (_, version) in UserLists(database).known().items()}
    lists = {one: sources.list(one, versions[one], now) for one in sorted(names & set(versions))}
    parts: dict[Ref, Entries] = {}
    passing: dict[Ref, Passing] = {}
    told: dict[Ref, Any] = {}
    for ref in refs:
        if ref.kind is Kind.LIST:
            if ref.name in lists:
                parts[ref], told[ref] = lists[ref.name].entries, lists[ref.name].version
                passing[ref] = lists[ref.name].passing
        else:
            mine = [lists[one] for one in site.targets[ref.name].lists if one in lists]
            found = [targets[ref.name].entries, *(one.entries for one in mine)]
            parts[ref] = Entries.joined(found)
            passing[ref] = Passing(
                steady=Entries.joined([found[0], *(one.passing.steady for one in mine)]),
                ends=tuple(end for one in mine for end in one.passing.ends),
            )
            told[ref] = (digest(found[0]), *(one.version for one in mine))
    return parts, passing, told, [one.until for one in lists.values() if one.until is not None]


@frozen(kw_only=True)
class _Composed:
    """
    A policy with its two lists, and *key*, which is the same while only time passes.
    """

    name: str
    policy: PortalPolicy
    lists: Compiled
    passing: Mapping[str, Sequence[Passing]]
    """The parts of each list."""
    key: str
    off: tuple[str, ...]
    before: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        policy: PortalPolicy,
        stored: Stored,
        parts: Mapping[Ref, Entries],
        *,
        passing: Mapping[Ref, Passing],
        versions: Mapping[Ref, Any],
    ) -> "_Composed":
        these = sides(policy, stored.site)
        for ref in (*these.block, *these.allow):
            if ref not in parts:
                raise ItemFaulty(
                    f"policy {name!r} stays as it was published: there is no {ref}; take it out of "
                    f"the policy with `tsadmin portal policies set {name}`"
                )
        told = sorted((str(ref), versions.get(ref)) for ref in (*these.block, *these.allow))
        return cls(
            name=name,
            policy=policy,
            passing={
                "block": [passing[ref] for ref in these.block],
                "allow": [passing[ref] for ref in these.allow],
            },
            lists=compiled(
                {ref: parts[ref] for ref in these.block},
                {ref: parts[ref] for ref in these.allow},
                [(one, warning_lists.networks(one)) for one in policy.refuse],
            ),
            key=hashlib.sha256(repr((told, policy)).encode()).hexdigest(),
            off=these.off,
            before=_noted_before(stored, name),
        )

    def published(
        self, database: Path, portal: Path, now: float, *, confirmed: str | None
    ) -> tuple[PolicyState, list[str]]:
        """The policy's state, and the lists that were written."""
        before, block, allow = self.before, self.lists.block, self.lists.allow
        state = PolicyState(**_counts_of(before), off=self.off, held_back=self.lists.held_back)
        digests = {"block_digest": digest(block), "allow_digest": digest(allow)}
        mark = _mark(self.key, *digests.values())
        held = why_held(
            self.name,
            Shrink(before=state.block_entries, after=len(block)),
            Shrink(before=state.allow_entries, after=len(allow)),
            mark,
        )
        only_time = self.key == before.get("key") and bool(len(block))
        if held and not (only_time or (confirmed == mark and before)):
            return evolve(state, held=held, held_mark=mark if before else ""), []
        content: dict[str, Any] = {
            "block": len(block),
            "allow": len(allow),
            "key": self.key,
            "files": self._files(portal),
            "names": [self.policy.block_name, self.policy.allow_name],
            **digests,
        }
        kept = before.get("files") or [None, None]
        told = {name: value for name, value in before.items() if name not in {"at", "leaving"}}
        if content == told and None not in content["files"]:
            return state, []
        changed: list[str] = []
        for at, (kind, name, networks) in enumerate(
            (
                ("block", self.policy.block_name, block),
                ("allow", self.policy.allow_name, allow),
            )
        ):
            same = digests[f"{kind}_digest"] == before.get(f"{kind}_digest")
            if same and content["files"][at] is not None and content["files"][at] == kept[at]:
                continue
            try:
                if write_list(portal, name, networks, f"{kind} list of policy {self.name}"):
                    changed.append(name)
            except OSError as error:
                cause = error.strerror or str(error)
                fault = f"list {name} stays as it was published: {cause}; check the disk"
                return evolve(state, fault=fault), changed
        content["files"] = self._files(portal)
        content["leaving"] = {
            kind: Leaving.of(parts).as_json() for kind, parts in self.passing.items()
        }
        if changed:
            content["at"] = now
        elif "at" in before:
            content["at"] = before["at"]
        who = Who(name=PUBLISHER, at=now)
        PortalItems(database).keep("published", self.name, content, who, version=None)
        return (
            evolve(
                state,
                block_entries=len(block),
                allow_entries=len(allow),
                published_at=content.get("at"),
            ),
            changed,
        )

    def _files(self, portal: Path) -> list[list[int] | None]:
        """What tells that both files are those that were written: a restore may bring other ones."""
        names = (self.policy.block_name, self.policy.allow_name)
        return [file_mark(published_file(portal, name)) for name in names]


def _mark(*told: str) -> str:
    """A short word for what is held; another one for anything else."""
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def _noted_before(stored: Stored, name: str) -> Mapping[str, Any]:
    """What was noted of a policy when it was published last."""
    item = stored.items.get("published", {}).get(name)
    return {} if item is None else item.content


def _counts_of(before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "block_entries": int(before.get("block", 0)),
        "allow_entries": int(before.get("allow", 0)),
        "published_at": before.get("at"),
    }


def _names_before(stored: Stored, name: str) -> Collection[str]:
    """Under which names the lists of a policy were published last."""
    return [str(one) for one in _noted_before(stored, name).get("names", ())]


def _tidy(portal: Path, site: Site, kept: Collection[str]) -> None:
    """
    Serve no longer what no policy publishes: its name was changed, it was deleted or turned off.

    Files of the names in *kept* stay.
    """
    names = set(kept) | {
        name
        for policy in site.policies.values()
        if policy.on
        for name in (policy.block_name, policy.allow_name)
    }
    for file in (portal / "published").glob("*.txt"):
        if file.name.removesuffix(".txt") not in names:
            file.unlink(missing_ok=True)
