"""
What targets and user lists hold now: what was fetched last, and the last good content otherwise.

Blocking.  Looking and fetching are apart, so that a publisher that is slow delays no edit of a list.  Where a feed fails, or gives what its bounds forbid, its target keeps what it
had, over restarts too; each feed's publisher is asked as seldom as it wants, however many ask.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.errors import TscmError
from tscm.policy.cidr import Entries
from tscm.policy.lists import PolicyList
from tscm.policy.user_lists import cidrs_of
from tscm.portal.items import Target
from tscm.portal.leaving import Passing
from tscm.retrieve.feed_source import FeedSource
from tscm.settings.feed import Feed
from tscm.settings.files import write_private
from tscm.store.user_lists import UserLists

_ENTRIES_BYTES = 256 << 20
_DEFAULT_READABLE = 95
"""Percent of a feed's lines that are entries: a list that is half read is none."""

BACKUP = (
    BackupRule("var/lib/tscm/portal/targets/*", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/published/*", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/feed-keys/*", Treatment.SECRET),
)
"""What a backup does with the portal's files."""

Fetch = Callable[[FeedSource, PolicyList | None, float], PolicyList | None]


@frozen(kw_only=True)
class TargetState:
    """
    What a target holds, when that was fetched, and what is wrong since.
    """

    entries: Entries = field(factory=Entries)
    good_at: float | None = None
    tried_at: float | None = None
    fault: str = ""
    feeds: str = ""
    """Tells the feeds that this came from: other feeds of a target begin without it."""
    by_feed: Mapping[str, PolicyList] = field(factory=dict)
    counts: Mapping[str, int] = field(factory=dict)
    """Entries that each feed had, also before a restart."""

    def left_out(self) -> tuple[str, ...]:
        """What its feeds hold beside networks, with its number, as far as they were fetched since the start."""
        found: dict[str, int] = {}
        for one in self.by_feed.values():
            for what, count in one.passed_over:
                found[what] = found.get(what, 0) + count
            if one.refused_count:
                found["no network"] = found.get("no network", 0) + one.refused_count
        return tuple(f"{what}: {count:,}" for what, count in sorted(found.items()))


@frozen(kw_only=True)
class ListState:
    """
    What a user list holds: at a version, from when it was read until its next entry ends.
    """

    version: int
    read_at: float
    entries: Entries
    passing: Passing
    """The same, by whether it ends."""

    @property
    def until(self) -> float | None:
        """When its next entry ends."""
        return self.passing.ends[0][0] if self.passing.ends else None

    def holds(self, version: int, now: float) -> bool:
        """Is it still that?  Where the clock was set back, what had expired is in force again."""
        return self.version == version and (
            self.read_at <= now and (self.until is None or now < self.until)
        )


def bounds_fault(feed: Feed, new: PolicyList, before: int | None) -> str:
    """Why the content of a feed is not used; empty where it is.  *before* is how many entries it had."""
    count = len(new.entries)
    lines = count + new.refused_count
    least = _DEFAULT_READABLE if feed.min_readable_percent is None else feed.min_readable_percent
    if lines and 100 * count < least * lines:
        return f"only {count:,} of {lines:,} lines are networks"
    if not count and not feed.may_be_empty:
        return "it is empty"
    if feed.min_entries is not None and count < feed.min_entries and not feed.may_be_empty:
        return f"it has {count:,} entries, fewer than {feed.min_entries:,}"
    if feed.max_entries is not None and count > feed.max_entries:
        return f"it has {count:,} entries, more than {feed.max_entries:,}"
    if not before:
        return ""
    shrink, growth = feed.shrink_percent, feed.max_growth_percent
    if shrink is not None and 100 * (before - count) > shrink * before:
        return f"it shrank from {before:,} to {count:,} entries"
    if growth is not None and 100 * (count - before) > growth * before:
        return f"it grew from {before:,} to {count:,} entries"
    return ""


@define(eq=False)
class Sources:
    """
    The content of what policies are made of.  *fetch* has a feed's list, *place* makes a feed its source.
    """

    _folder: Path
    """`portal/targets`: the last good entries of each target."""
    _lists: UserLists
    _fetch: Fetch
    _place: Callable[[str, Target, Feed], FeedSource]
    targets: dict[str, TargetState] = field(factory=dict, init=False)
    lists: dict[str, ListState] = field(factory=dict, init=False)

    def target(self, name: str, target: Target) -> TargetState:
        """What the feeds of a target hold, as far as they were fetched."""
        state, mark = self.targets.get(name), _mark(target)
        if state is None:
            state = self._kept(name)
            if not state.counts and len(target.feeds) == 1 and state.good_at is not None:
                state = evolve(state, counts={target.feeds[0].name: len(state.entries)})
        if state.feeds != mark:
            state = TargetState(feeds=mark)
        self.targets[name] = state
        return state

    def due(self, wanted: Mapping[str, Target], now: float) -> list[str]:
        """Those of the *wanted* whose feeds are to be asked now."""
        return [
            name
            for name, target in wanted.items()
            if target.feeds and _due(self.target(name, target), target, now)
        ]

    def list(self, name: str, version: int, now: float) -> ListState:
        """What a user list holds, at least as new as *version*.  Raises `NoSuchList`."""
        known = self.lists.get(name)
        if known is None or not known.holds(version, now):
            networks, version, ends = self._lists.networks(name, now)
            entries = steady = _entries(networks)
            if ends:
                passing = {network for _, network in ends}
                steady = _entries(one for one in networks if one not in passing)
            known = ListState(
                version=version,
                read_at=now,
                entries=entries,
                passing=Passing(steady=steady, ends=tuple(ends)),
            )
            self.lists[name] = known
        return known

    def forget(self, used: set[str]) -> None:
        """Keep nothing of targets that no policy uses."""
        for name in set(self.targets) - used:
            del self.targets[name]

    def forget_lists(self, used: set[str]) -> None:
        """Keep nothing of lists that no policy uses: another one of the name may come to the same version."""
        for name in set(self.lists) - used:
            del self.lists[name]

    def fetched(self, name: str, target: Target, now: float) -> bool:
        """Ask the feeds of a target; whether its entries are other ones by that.  Raises `OSError`."""
        before = self.target(name, target)
        self.targets[name] = after = self._asked(name, target, before, now)
        return after.entries != before.entries

    def _asked(self, name: str, target: Target, state: TargetState, now: float) -> TargetState:
        faults, found = [], dict(state.by_feed)
        for feed in target.feeds:
            before = found.get(feed.name)
            try:
                new = self._fetch(self._place(name, target, feed), before, now)
            except TscmError as error:
                faults.append(str(error))
                continue
            if new is None:
                continue
            count = len(before.entries) if before is not None else state.counts.get(feed.name)
            fault = bounds_fault(feed, new, count)
            if fault:
                faults.append(f"feed {feed.name} of target {name!r} is not used: {fault}")
            else:
                found[feed.name] = new
        state = evolve(state, tried_at=now, fault="; ".join(faults), by_feed=found)
        if len(found) < len(
            target.feeds
        ):  # since the start not each has answered: what is kept stays
            return state
        entries = Entries.joined([one.entries for one in found.values()])
        counts = {feed: len(one.entries) for feed, one in found.items()}
        if entries != state.entries or counts != state.counts:
            self._keep(name, entries, state.feeds, counts, now)
        good_at = state.good_at if faults else now
        return evolve(state, entries=entries, counts=counts, good_at=good_at)

    def _keep(
        self, name: str, entries: Entries, mark: str, counts: Mapping[str, int], now: float
    ) -> None:
        told = {"good_at": now, "feeds": mark, "counts": counts}
        write_private(self._folder / f"{name}.entries", entries.to_bytes())
        write_private(self._folder / f"{name}.json", json.dumps(told).encode())

    def _kept(self, name: str) -> TargetState:
        try:
            content = read_regular(self._folder / f"{name}.entries", _ENTRIES_BYTES)
            told: Any = json.loads(read_regular(self._folder / f"{name}.json"))
            counts = told.get("counts", {})  # an earlier version kept none
            return TargetState(
                entries=Entries.from_bytes(content),
                good_at=float(told["good_at"]),
                feeds=str(told["feeds"]),
                counts={str(feed): int(count) for feed, count in counts.items()},
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return TargetState()


def kept_entries(folder: Path, name: str) -> Entries:
    """The last good content of a target in *folder*; none where nothing is kept.  Blocking."""
    try:
        return Entries.from_bytes(read_regular(folder / f"{name}.entries", _ENTRIES_BYTES))
    except (OSError, ValueError):
        return Entries()


def _entries(networks: Iterable[str]) -> Entries:
    return Entries.of(cidr for network in networks for cidr in cidrs_of(network))


def _mark(target: Target) -> str:
    return hashlib.sha256(repr(target.feeds).encode()).hexdigest()


def _due(state: TargetState, target: Target, now: float) -> bool:
    tried = state.tried_at
    return tried is None or not tried <= now < tried + target.interval_seconds
