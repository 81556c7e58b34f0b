"""
From parts to published lists: what is fetched, held, kept and told.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from tscm.backup.rules import rule_of
from tscm.base.backup_rule import Treatment
from tscm.errors import ListUnavailable
from tscm.policy.cidr import CidrSet, Entries
from tscm.policy.lists import PolicyList
from tscm.policy.user_lists import Mode, read_text
from tscm.portal import published_files
from tscm.portal.compiling import compiled
from tscm.portal.items import Kind, PortalPolicy, Ref, Target, as_table
from tscm.portal.leaving import ENDS_MOST, Leaving, Passing
from tscm.portal.published_files import published_file
from tscm.portal.publishing import Published, publish
from tscm.portal.resolving import used_targets, users_of
from tscm.portal.site import stored_site
from tscm.portal.sources import Sources, bounds_fault
from tscm.retrieve.feed_source import FeedSource
from tscm.settings.feed import Feed
from tscm.store.database import Store
from tscm.store.portal_items import ITEMS_MOST, ItemChanged, PortalItems, TooManyItems
from tscm.store.user_list_values import Who, Wish
from tscm.store.user_lists import UserLists

ME = Who(name="ann", at=10.0)
SHRINK = Wish(shrink=True)
BLOCK, ALLOW = "block.default.tscm.internal", "allow.default.tscm.internal"
FEED = Feed(name="feed-1", url="https://feeds.example/bad.txt", max_shrink_percent=50)


@define
class Site:
    """A root whose feeds answer with what a test says."""

    folder: Path
    now: float = 1000.0
    content: list[str] | None = None
    contents: dict[str, list[str]] = field(factory=dict)
    """By URL, where a test tells feeds apart."""
    asked: list[str] = field(factory=list)
    sources: Sources = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.sources = Sources(self.portal / "targets", self.lists, self._fetch, self._place)

    @property
    def database(self) -> Path:
        return self.folder / "tscm.db"

    @property
    def portal(self) -> Path:
        return self.folder / "portal"

    @property
    def lists(self) -> UserLists:
        return UserLists(self.database)

    @property
    def items(self) -> PortalItems:
        return PortalItems(self.database)

    def _fetch(self, source: FeedSource, known: PolicyList | None, now: float) -> PolicyList | None:
        self.asked.append(source.url)
        if self.content is None:
            raise ListUnavailable(source.name, "no answer", "try again")
        found = Entries.of(self.contents.get(source.url, self.content))
        if known is not None and known.entries == found:
            return None
        return PolicyList(name=source.name, entries=found, fetched_at=now)

    def _place(self, name: str, target: Target, feed: Feed) -> FeedSource:
        return FeedSource(name=f"{name}/{feed.name}", url=feed.url)

    def publish(self, mark: str = "", later: float = 1.0) -> Published:
        self.now += later
        found = stored_site(self.database).site
        wanted = {name: found.targets[name] for name in used_targets(found)}
        for name in self.sources.due(wanted, self.now):
            self.sources.fetched(name, wanted[name], self.now)
        return publish(self.database, self.portal, self.sources, self.now, {"default": mark})

    def add(self, name: str, *texts: str, until: float | None = None) -> None:
        entries = read_text("\n".join(texts), 1.0, until=until).entries
        self.lists.edit(name, entries, Mode.ADD, ME, Wish())

    def target(self, *, on: bool = True, **more: Any) -> None:
        target = Target(title="Bad", severity=4, threat="c2", feeds=(FEED,), **more)
        self.items.keep("target", "bad", as_table(target), ME, version=None)
        self.items.keep("switch", "bad", {"on": on}, ME, version=None)

    def served(self, name: str = BLOCK) -> list[str] | None:
        file = published_file(self.portal, name)
        return file.read_text().splitlines()[1:] if file.exists() else None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    store = Store(tmp_path / "tscm.db")
    store.open()
    yield Site(tmp_path)
    store.close()


def test_a_new_site_publishes_and_fetches_nothing(site: Site) -> None:
    found = site.publish()
    assert (found.changed, site.asked, site.served()) == ((), [], None)
    assert "has no entries yet" in found.policies["default"].held


def test_the_lists_of_the_default_policy_are_published(site: Site) -> None:
    site.add("own-block", "192.0.2.0/25", "192.0.2.128/25", "198.51.100.5-198.51.100.6")
    site.add("own-allow", "203.0.113.9")
    found = site.publish()
    assert set(found.changed) == {BLOCK, ALLOW}
    assert site.served() == [
        "192.0.2.0/25",
        "192.0.2.128/25",
        "198.51.100.5/32",
        "198.51.100.6/32",
    ]
    assert site.served(ALLOW) == ["203.0.113.9/32"]
    assert site.publish().changed == (), "nothing is written that did not change"
    assert site.publish().policies["default"].block_entries == 4


def test_a_wide_entry_takes_no_other_along(site: Site) -> None:
    """The guard of a device leaves a whole entry out, and what merged with it would go too."""
    site.add("own-block", "20.0.0.0/25", "20.0.0.128/25", "20.0.1.0/24")
    site.publish()
    wide = read_text("16.0.0.0/4", 1.0, wide=True).entries
    site.lists.edit("own-block", wide, Mode.ADD, ME, Wish())
    site.publish()
    assert site.served() == ["16.0.0.0/4", "20.0.0.0/25", "20.0.0.128/25", "20.0.1.0/24"]


def test_only_a_target_that_is_on_and_used_is_fetched(site: Site) -> None:
    site.content = ["20.0.0.0/24"]
    site.target(on=False)
    site.publish()
    assert site.asked == []
    site.target(on=True)
    assert site.publish().changed == (BLOCK, ALLOW)
    assert site.asked == [FEED.url]
    assert site.served() == ["20.0.0.0/24"]
    site.publish(later=60)
    assert len(site.asked) == 1, "not before its interval is over"
    site.publish(later=3600)
    assert len(site.asked) == 2


@pytest.mark.parametrize("bad", [None, [], ["20.0.0.0/24"]])
def test_a_feed_that_fails_or_shrinks_too_much_keeps_what_it_had(
    site: Site, bad: list[str] | None
) -> None:
    site.content = [f"20.0.{n}.0/24" for n in range(0, 20, 2)]
    site.target()
    site.publish()
    before = site.served()
    for restarted in (False, True):
        if restarted:
            site.restart()
        site.content = bad
        found = site.publish(later=4000)
        assert site.served() == before
        assert found.targets["bad"].fault
        assert len(found.targets["bad"].entries) == 10


def test_each_of_several_feeds_keeps_to_its_bounds_over_a_restart(site: Site) -> None:
    other = evolve(FEED, name="feed-2", url="https://feeds.example/other.txt")
    target = Target(title="Both", feeds=(FEED, other))
    site.items.keep("target", "bad", as_table(target), ME, version=None)
    site.items.keep("switch", "bad", {"on": True}, ME, version=None)
    site.content = [f"20.0.{n}.0/24" for n in range(0, 40, 2)]
    site.contents[other.url] = [f"30.0.{n}.0/24" for n in range(0, 10, 2)]
    site.publish()
    before = site.served()
    site.restart()
    site.contents[other.url] = ["30.0.0.0/24"]
    found = site.publish(later=4000)
    assert "feed-2 of target 'bad' is not used: it shrank from 5 to 1" in found.targets["bad"].fault
    assert site.served() == before


def test_what_empties_or_halves_a_list_is_held_until_it_is_confirmed(site: Site) -> None:
    site.add("own-block", *(f"20.0.{n}.1" for n in range(5)))
    site.publish()
    site.lists.remove_found("own-block", "20.0.0.0/22", ME, SHRINK)
    held = site.publish().policies["default"]
    assert "shrink from 5 to 1 entries" in held.held
    assert f"policies confirm default --mark {held.held_mark}" in held.held
    assert len(site.served() or ()) == 5
    site.lists.remove_found("own-block", "20.0.3.1", ME, SHRINK)  # by another operator
    site.add("own-block", "20.0.9.9")
    later = site.publish(held.held_mark).policies["default"]
    assert "shrink from 5 to 2 entries" in later.held
    assert later.held_mark != held.held_mark
    assert len(site.served() or ()) == 5, "nothing is published that was not read"
    assert site.publish().policies["default"].held_mark == later.held_mark
    assert site.publish(later.held_mark).policies["default"].held == ""
    assert site.served() == ["20.0.4.1/32", "20.0.9.9/32"]
    site.lists.remove_found("own-block", "20.0.0.0/16", ME, SHRINK)
    assert "lose all of its 2 entries" in site.publish().policies["default"].held
    site.restart()
    assert site.publish().policies["default"].held, "also after a restart"


def test_a_held_policy_of_another_name_stays_as_it_was_published(site: Site) -> None:
    site.add("own-block", *(f"20.0.{n}.1" for n in range(5)))
    site.publish()
    policy = PortalPolicy(block=("list:own-block",), block_name="b.new.example", allow_name=ALLOW)
    site.items.keep("policy", "default", as_table(policy), ME, version=1)
    site.lists.remove_found("own-block", "20.0.0.0/22", ME, SHRINK)
    assert site.publish().policies["default"].held
    assert len(site.served() or ()) == 5, "under its earlier name"
    site.restart()
    site.publish()
    assert len(site.served() or ()) == 5
    site.publish(site.publish().policies["default"].held_mark)
    assert site.served() is None
    assert site.served("b.new.example") == ["20.0.4.1/32"]


def test_an_entry_that_expires_goes_by_itself(site: Site) -> None:
    site.add("own-block", "20.0.0.1")
    site.add("own-allow", "30.0.0.1", "30.0.0.5", until=site.now + 100)
    site.add("own-allow", "40.0.0.1")
    assert site.publish().next_end == 1100
    assert site.served(ALLOW) == ["30.0.0.1/32", "30.0.0.5/32", "40.0.0.1/32"]
    found = site.publish(later=200)
    assert found.changed == (ALLOW,)
    assert site.served(ALLOW) == ["40.0.0.1/32"]


def test_an_allow_list_whose_last_entry_expires_is_emptied(site: Site) -> None:
    site.add("own-block", "20.0.0.1")
    site.add("own-allow", "30.0.0.1", until=site.now + 100)
    site.publish()
    site.restart()
    site.publish(later=200)
    assert site.served(ALLOW) == []


def test_an_entry_expires_while_a_change_waits(site: Site) -> None:
    site.add("own-block", *(f"20.0.{n}.1" for n in range(9)))
    site.add("own-block", "20.0.0.0/30", "20.0.100.1", until=site.now + 100)
    site.add("own-allow", "30.0.0.1", "30.0.0.5", until=site.now + 100)
    site.add("own-allow", "30.0.0.4/31", until=site.now + 500)
    site.add("own-allow", "40.0.0.1")
    site.publish()
    site.lists.edit("own-block", read_text("20.0.1.1", 1.0).entries, Mode.REPLACE, ME, SHRINK)
    found = site.publish()
    assert found.policies["default"].held
    assert found.next_end == 1100, "it is looked at then"
    before = site.served()
    assert site.publish(later=50).changed == ()
    found = site.publish(later=200)
    assert found.changed == (BLOCK, ALLOW)
    assert found.policies["default"].held, "the change waits as before"
    assert before is not None
    assert site.served() == [f"20.0.{n}.1/32" for n in range(9)]
    assert site.served(ALLOW) == ["30.0.0.4/31", "40.0.0.1/32"]
    assert found.policies["default"].block_entries == 9
    assert site.publish().changed == ()
    site.restart()
    assert site.publish(later=500).changed == (ALLOW,)
    assert site.served(ALLOW) == ["40.0.0.1/32"]
    mark = site.publish().policies["default"].held_mark
    assert site.publish(mark).policies["default"].held == ""
    assert site.served() == ["20.0.1.1/32"]


def test_an_entry_expires_while_a_policy_cannot_be_composed(site: Site) -> None:
    policy = PortalPolicy(
        block=("list:own-block",),
        allow=("list:own-allow",),
        refuse=("public-resolvers",),
        block_name=BLOCK,
        allow_name=ALLOW,
    )
    site.items.keep("policy", "default", as_table(policy), ME, version=None)
    site.add("own-block", "20.0.0.1")
    site.add("own-allow", "30.0.0.1", until=site.now + 100)
    site.publish()
    gone = evolve(policy, refuse=("misp-is-not-there",))
    site.items.keep("policy", "default", as_table(gone), ME, version=None)
    found = site.publish()
    assert found.policies["default"].fault
    assert (found.policies["default"].block_entries, site.served(ALLOW)) == (1, ["30.0.0.1/32"])
    assert site.publish(later=200).policies["default"].fault
    assert site.served(ALLOW) == []


def test_the_last_entry_of_a_block_list_stays_while_a_change_waits(site: Site) -> None:
    site.add("own-block", "20.0.0.1", until=site.now + 100)
    site.add("own-allow", "30.0.0.1")
    site.publish()
    site.lists.edit("own-block", (), Mode.REPLACE, ME, SHRINK)
    site.publish()
    found = site.publish(later=200)
    assert (site.served(), found.changed, found.next_end) == (["20.0.0.1/32"], (), None)


@given(
    st.lists(st.tuples(st.integers(0, 63), st.integers(26, 32), st.integers(0, 5)), max_size=12),
    st.integers(0, 6),
)
def test_what_is_left_is_what_has_not_ended(rows: list[tuple[int, int, int]], now: int) -> None:
    """An end of 0 is none."""
    made = [
        (f"20.0.0.{host >> (32 - length) << (32 - length)}/{length}", end)
        for host, length, end in rows
    ]
    steady = Entries.of(text for text, end in made if not end)
    ends = [(float(end), text) for text, end in made if end]
    leaving = Leaving.of_json(Leaving.of([Passing(steady=steady, ends=ends)]).as_json())
    whole = Entries.of(text for text, _ in made).distinct()
    left = Entries.of(text for text, end in made if not end or end > now).distinct()
    once = leaving.taken_off(whole, now)
    assert once == left, "row by row: a guard may leave the wider one out"
    assert leaving.later(now).taken_off(once, now) == once


def test_of_many_ends_the_soonest_are_noted() -> None:
    ends = [(float(n), f"20.{n >> 8}.{n & 255}.0/24") for n in range(1, ENDS_MOST + 100)]
    late = (float(ENDS_MOST + 200), "20.0.1.7/32")  # keeps its address of one that ends early
    leaving = Leaving.of([Passing(steady=Entries(), ends=[*ends, late])])
    assert len(leaving.ends) == ENDS_MOST
    whole = Entries.of(text for _, text in (*ends, late))
    left = CidrSet.of(leaving.taken_off(whole, 1.0))
    assert left.covers("20.0.1.7")
    assert not left.covers("20.0.1.8")


def test_what_a_warning_list_holds_is_cut_out_and_told(site: Site) -> None:
    policy = PortalPolicy(
        block=("list:own-block",), refuse=("public-resolvers",), block_name=BLOCK, allow_name=ALLOW
    )
    site.items.keep("policy", "default", as_table(policy), ME, version=1)
    site.add("own-block", "8.8.8.0/24", "20.0.0.1")
    (held,) = site.publish().policies["default"].held_back
    assert (held.cause, held.entries, held.addresses) == ("public-resolvers", 1, 1)
    assert held.examples == ("8.8.8.0/24",)
    served = CidrSet.of_texts(site.served() or ())
    assert not served.covers("8.8.8.8")
    assert served.covers("8.8.8.9")


def test_without_a_warning_list_nothing_goes_out(site: Site) -> None:
    site.add("own-block", "20.0.0.1")
    site.publish()
    content = {**site.items.all()["policy"]["default"].content, "refuse": ["misp-gone"]}
    site.items.keep("policy", "default", content, ME, version=1)
    site.add("own-block", "20.0.0.2")
    assert "misp-gone" in site.publish().policies["default"].fault
    assert site.served() == ["20.0.0.1/32"]


def test_other_feeds_of_a_target_begin_without_what_the_last_ones_gave(site: Site) -> None:
    site.content = ["20.0.0.0/24"]
    site.target()
    site.add("own-block", "40.0.0.1")
    site.publish()
    other = evolve(FEED, url="https://feeds.example/other.txt")
    table = as_table(Target(feeds=(other,)))
    site.items.keep("target", "bad", table, ME, version=None)
    site.content = None
    assert len(site.publish().targets["bad"].entries) == 0
    assert site.asked[-1] == other.url


def test_a_full_disk_leaves_what_was_published(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("own-block", "20.0.0.1", "20.0.0.2")
    site.publish()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(published_files, "write_private", full)
        site.add("own-block", "20.0.0.9")
        state = site.publish().policies["default"]
    assert "No space left on device" in state.fault
    assert "20.0.0.9/32" not in (site.served() or ())
    assert site.publish().policies["default"].fault == ""
    assert "20.0.0.9/32" in (site.served() or ())


def test_every_part_that_holds_an_address_is_named(site: Site) -> None:
    site.content = ["20.0.0.0/24"]
    site.target()
    site.add("own-block", "20.0.0.7 # ticket", "30.0.0.1")
    found = site.publish().holders(CidrSet.of_texts(["20.0.0.7"]))
    assert [(one.policy, one.part, one.entries) for one in found] == [
        ("default", "target:bad", ("20.0.0.0/24",)),
        ("default", "list:own-block", ("20.0.0.7/32",)),
    ]
    assert (found[0].title, found[0].severity, found[0].threat) == ("Bad", 4, "c2")


def test_a_target_may_be_made_of_a_list(site: Site) -> None:
    site.lists.create("mine", "block", "", ME)
    site.add("mine", "20.0.0.1")
    site.items.keep("target", "hand", as_table(Target(lists=("mine",))), ME, version=0)
    site.items.keep("switch", "hand", {"on": True}, ME, version=0)
    site.publish()
    assert site.served() == ["20.0.0.1/32"]
    assert site.asked == []
    assert users_of(stored_site(site.database).site, Ref(Kind.LIST, "mine")) == ["target hand"]


def test_two_who_change_one_policy_are_told_apart(site: Site) -> None:
    item = site.items.all()["policy"]["default"]
    site.items.keep("policy", "default", item.content, ME, version=1)
    with pytest.raises(ItemChanged, match="version 2 by ann"):
        site.items.keep("policy", "default", item.content, ME, version=1)


def test_a_damaged_document_stops_no_other(site: Site) -> None:
    site.items.keep("policy", "odd", {"block": 7}, ME, version=0)
    site.add("own-block", "20.0.0.1")
    found = site.publish()
    assert "policy 'odd'" in found.faults[0]
    assert site.served() == ["20.0.0.1/32"]


@pytest.mark.parametrize("change", [None, {"on": False}, {"block_name": "other.example"}])
def test_what_no_policy_publishes_is_not_served(site: Site, change: dict[str, Any] | None) -> None:
    site.add("own-block", "20.0.0.1")
    site.publish()
    content = site.items.all()["policy"]["default"].content
    if change is None:
        site.items.delete("policy", "default")
    else:
        site.items.keep("policy", "default", {**content, **change}, ME, version=1)
    site.publish()
    assert site.served() is None
    assert (site.served("other.example") is not None) == bool(change and "block_name" in change)
    site.items.keep("policy", "default", content, ME, version=None)
    site.publish()
    assert site.served() == ["20.0.0.1/32"]


def listed(count: int, refused: int = 0) -> PolicyList:
    texts = [f"20.{n >> 8}.{n & 255}.1" for n in range(count)]
    return PolicyList(name="x", entries=Entries.of(texts), refused_count=refused)


@pytest.mark.parametrize(
    ("change", "count", "refused", "before", "fault"),
    [
        ({}, 10, 0, None, ""),
        ({}, 90, 10, None, "only 90 of 100 lines"),
        ({"min_readable_percent": 50}, 90, 10, None, ""),
        ({}, 0, 0, None, "it is empty"),
        ({"may_be_empty": True, "min_entries": 5}, 0, 0, 100, ""),
        ({"min_entries": 11}, 10, 0, None, "fewer than 11"),
        ({"max_entries": 9}, 10, 0, None, "more than 9"),
        ({"max_shrink_percent": 10}, 89, 0, 100, "it shrank from 100 to 89"),
        ({"max_shrink_percent": 10}, 90, 0, 100, ""),
        ({"max_growth_percent": 10}, 111, 0, 100, "it grew from 100 to 111"),
    ],
)
def test_a_feed_is_held_to_its_bounds(
    change: dict[str, Any], count: int, refused: int, before: int | None, fault: str
) -> None:
    feed = evolve(Feed(name="f", url="https://a.example/"), **change)
    found = bounds_fault(feed, listed(count, refused), before)
    assert fault in found
    assert bool(fault) == bool(found)


NETWORKS = st.lists(
    st.tuples(st.integers(0, 255), st.integers(20, 32)).map(
        lambda one: (
            f"20.0.0.{one[0] >> (32 - max(one[1], 24)) << (32 - max(one[1], 24))}/{max(one[1], 24)}"
        )
    ),
    max_size=8,
)


@given(NETWORKS, NETWORKS, NETWORKS)
def test_the_block_list_is_its_parts_less_what_is_refused(
    one: list[str], other: list[str], refused: list[str]
) -> None:
    parts = {Ref(Kind.TARGET, "a"): Entries.of(one), Ref(Kind.LIST, "b"): Entries.of(other)}
    good = CidrSet.of_texts(refused)
    found = compiled(parts, {}, [("good", good)])
    block = CidrSet.of(found.block)
    assert block == CidrSet.of_texts([*one, *other]).difference(good)
    for entry in {*one, *other}:
        if not CidrSet.of_texts((entry,)).overlaps(good):
            assert entry in found.block.cidrs(), "as its part has it"
    assert len(set(found.block.cidrs())) == len(found.block)
    assert not found.allow
    cut = sum(held.addresses for held in found.held_back)
    assert CidrSet.of_texts([*one, *other]).addresses == block.addresses + cut


def test_a_list_that_was_made_again_is_read_again(site: Site) -> None:
    content = {**site.items.all()["policy"]["default"].content}
    both = {**content, "block": ["list:own-block", "list:mine"]}
    site.add("own-block", "20.0.0.1", "20.0.0.2")
    for network in ("30.0.0.1", "30.0.0.9"):
        site.lists.create("mine", "block", "", ME)
        site.add("mine", network)
        site.items.keep("policy", "default", both, ME, version=None)
        site.publish()
        assert f"{network}/32" in (site.served() or ())
        site.items.keep("policy", "default", content, ME, version=None)
        site.publish()
        site.lists.delete("mine")


def test_what_had_expired_is_in_force_again_when_the_clock_is_set_back(site: Site) -> None:
    site.add("own-block", "20.0.0.1", "20.0.0.2")
    site.add("own-block", "20.0.0.9", until=2000.0)
    site.publish()
    site.publish(later=5000.0)
    assert "20.0.0.9/32" not in (site.served() or ())
    site.publish(later=-5000.0)
    assert "20.0.0.9/32" in (site.served() or ())


def test_a_file_that_a_restore_brought_is_written_anew(site: Site) -> None:
    site.add("own-block", "20.0.0.1", "20.0.0.2")
    site.publish()
    published_file(site.portal, BLOCK).write_text("# of another day\n20.0.0.7/32\n")
    site.restart()
    assert BLOCK in site.publish().changed
    assert site.served() == ["20.0.0.1/32", "20.0.0.2/32"]
    assert site.publish().changed == ()


def test_a_file_with_the_right_content_is_not_written_again(site: Site) -> None:
    site.add("own-block", "20.0.0.1", "20.0.0.2")
    site.publish()
    file = published_file(site.portal, BLOCK)
    os.utime(file, ns=(1, 1))
    assert site.publish().changed == ()
    assert file.stat().st_mtime_ns == 1


def test_a_list_that_is_gone_stops_only_its_policy(site: Site) -> None:
    site.add("own-block", "20.0.0.1")
    content = {**site.items.all()["policy"]["default"].content, "block": ["list:gone"]}
    names = {"block_name": "b.example", "allow_name": "a.example"}
    site.items.keep("policy", "odd", {**content, **names}, ME, version=0)
    found = site.publish()
    assert "there is no list:gone" in found.policies["odd"].fault
    assert site.served() == ["20.0.0.1/32"]


def test_what_targets_held_is_in_a_backup() -> None:
    for suffix in ("entries", "json"):
        rule = rule_of(f"var/lib/tscm/portal/targets/bad.{suffix}")
        assert rule is not None
        assert rule.treatment is Treatment.COPY


def test_a_document_that_cannot_be_kept_is_told_why(site: Site) -> None:
    with pytest.raises(ItemChanged, match="there is no target 'new'"):
        site.items.keep("target", "new", {}, ME, version=3)
    with closing(sqlite3.connect(site.database)) as database, database:
        database.executemany(
            "INSERT INTO portal_items (kind, name, content, version, at, who) "
            "VALUES ('target', ?, '{}', 1, 0, '')",
            [(f"t{number}",) for number in range(ITEMS_MOST)],
        )
    with pytest.raises(TooManyItems, match="500 documents of the kind target"):
        site.items.keep("target", "new", {}, ME, version=0)
