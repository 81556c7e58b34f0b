"""
From what a device holds and what it should hold to ordered steps.

Adding comes before removing, children before parents, and what leaves a parent is deleted
last.  So at every point between two steps the groups of each list hold at least what old and new
list have in common and at most both together, and no parent is ever empty: a run may break off
anywhere, and the next one plans anew from what is there.

A plan is data and nothing else: it can be shown, kept and compared.  Sending it is the work of
a driver.

An empty list stands as one child with `PLACEHOLDER`.  In these rules the placeholder is an entry
like any other: it is added before the last real entry goes, and goes after the first one came.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from tscm.model import (
    AddMembers,
    AttachChild,
    Cidr,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.policy.cidr import CidrSet
from tscm.policy.config_size import Estimate, estimate
from tscm.policy.groups import KINDS, PLACEHOLDER, Present, parent_name
from tscm.policy.placing import Child, place, shared

BATCH = 1000


@frozen(kw_only=True)
class Desired:
    """
    What a device should hold: both lists after merging and cutting.

    *size* is the Object-Group Size; *mark* the description that our parents bear.
    """

    prefix: str
    block: CidrSet
    allow: CidrSet
    size: int
    mark: str = ""


@frozen(kw_only=True)
class ListChange:
    """
    One list before and after, as entries in force; the placeholder is no entry.
    """

    kind: str
    before: int
    after: int
    added: tuple[Cidr, ...]
    removed: tuple[Cidr, ...]

    def __str__(self) -> str:
        change = f"+{len(self.added):,} −{len(self.removed):,}"  # noqa: RUF001 - a minus for people
        return f"{self.kind.lower()} {self.after:,} entries ({change})"


@frozen(kw_only=True)
class Plan:
    """
    What will be done, in this order, and what it comes to.

    *notes* are sentences for the operator: what was found on the device that is not ours to touch.
    *other_mark* is a description on our parents that is not this manager's, else empty.
    """

    steps: tuple[Step, ...]
    block: ListChange
    allow: ListChange
    estimate: Estimate
    notes: tuple[str, ...] = ()
    other_mark: str = ""

    @property
    def summary(self) -> str:
        """The plan in one line."""
        if not self.steps:
            return f"nothing to change: {self.block}, {self.allow}"
        cost = self.estimate
        return (
            f"{self.block}, {self.allow}; {cost.requests:,} requests; groups "
            f"{cost.bytes_before:,} bytes before, {cost.bytes_after:,} after"
        )


def make_plan(present: Mapping[str, Group], desired: Desired, *, batch: int = BATCH) -> Plan:
    """
    The steps from *present* to *desired*, at most *batch* members in each.

    *present* holds all groups of the prefix by name, in whatever state an earlier run or a hand left
    them.  The same call on the result gives no steps.
    """
    found = Present.of(desired.prefix, present)
    lists = {"Block": desired.block.cidrs(), "Allow": desired.allow.cidrs()}
    works = {
        kind: _Work.of(found, kind, lists[kind] or [PLACEHOLDER], desired, batch) for kind in KINDS
    }
    steps = [step for phase in _order(found, works) for step in phase]
    steps += _deletions(found, works, steps)
    changes = {kind: _change(found, kind, lists[kind]) for kind in KINDS}
    return Plan(
        steps=tuple(steps),
        block=changes["Block"],
        allow=changes["Allow"],
        estimate=estimate([found.groups[name] for name in found.places], steps),
        notes=tuple(_notes(found, steps)),
        other_mark=_other_mark(found, desired.mark),
    )


@frozen(eq=False)
class _Work:
    """One list's children, and the steps that follow from them."""

    present: Present
    kind: str
    children: list[Child]
    mark: str
    batch: int

    @classmethod
    def of(
        cls, present: Present, kind: str, wanted: Sequence[Cidr], desired: Desired, batch: int
    ) -> "_Work":
        avoid = shared(present, kind)
        children = place(present, kind, wanted, desired.size, avoid)
        return cls(present, kind, children, desired.mark, batch)

    @property
    def name(self) -> str:
        """The parent's name."""
        return parent_name(self.present.prefix, self.kind)

    def grow(self) -> Iterator[Step]:
        """Everything that makes the list larger, children first."""
        coming = []
        for child in self.children:
            if not child.used:
                continue
            if not child.attached:
                coming.append(child.name)
            if child.present is None:
                first, rest = child.add[: self.batch], child.add[self.batch :]
                yield CreateGroup(group=child.name, members=tuple(first))
                yield from self._members(AddMembers, child.name, rest)
            else:
                if not child.attached:
                    # Not in force: clean before it is nested, for then it would bring this along.
                    yield from self._members(RemoveMembers, child.name, child.remove)
                yield from self._members(AddMembers, child.name, child.add)
        parent = self.present.parent(self.kind)
        if parent is None:
            yield CreateGroup(group=self.name, children=tuple(coming), description=self.mark)
            return
        for name in coming:
            yield AttachChild(group=self.name, child=name)
        if self.mark and parent.description != self.mark:
            yield Describe(group=self.name, description=self.mark)

    def shrink(self) -> Iterator[Step]:
        """Everything that makes the list smaller."""
        parent = self.present.parent(self.kind)
        if parent is None:
            return
        yield from self._members(RemoveMembers, self.name, parent.members)
        staying = set()
        for child in self.children:
            if not child.used:
                continue
            staying.add(child.name)
            if child.attached and child.present is not None:
                for name in self.present.ours(child.present):
                    yield DetachChild(group=child.name, child=name)
                yield from self._members(RemoveMembers, child.name, child.remove)
        for name in self.present.ours(parent):
            if name not in staying:
                yield DetachChild(group=self.name, child=name)

    def _members(
        self, step: type[AddMembers | RemoveMembers], group: str, members: Sequence[Cidr]
    ) -> Iterator[Step]:
        for at in range(0, len(members), self.batch):
            yield step(group=group, members=tuple(members[at : at + self.batch]))


def _order(present: Present, works: Mapping[str, _Work]) -> list[Iterator[Step]]:
    """
    Permit before deny: no address that is in both new lists is cut off in between.

    If by someone's hand one parent is nested below the other, that one is put right first.
    """
    block, allow = works["Block"], works["Allow"]
    if allow.name in present.reached(block.name):
        return [block.grow(), block.shrink(), allow.grow(), allow.shrink()]
    if block.name in present.reached(allow.name):
        return [allow.grow(), allow.shrink(), block.grow(), block.shrink()]
    return [allow.grow(), block.grow(), block.shrink(), allow.shrink()]


def _deletions(
    present: Present, works: Mapping[str, _Work], steps: Sequence[Step]
) -> list[DeleteGroup]:
    """Numbered groups that nothing nests any more and that hold nothing of others."""
    staying = {child.name for work in works.values() for child in work.children if child.used}
    cut = {(step.group, step.child) for step in steps if isinstance(step, DetachChild)}
    going = [
        group.name
        for kind in KINDS
        for group in present.children(kind)
        if group.name not in staying and not present.strangers(group)
    ]
    users = {
        name: {user for user in present.users(name) if (user, name) not in cut} for name in going
    }
    found: list[DeleteGroup] = []
    while ready := [name for name in going if not users[name]]:
        for name in ready:
            found.append(DeleteGroup(group=name))
            for others in users.values():
                others.discard(name)
        going = [name for name in going if name not in ready]
    return found


def _change(present: Present, kind: str, wanted: Sequence[Cidr]) -> ListChange:
    before = dict.fromkeys(present.in_force(kind))
    if list(before) == [PLACEHOLDER]:
        before = {}
    after = dict.fromkeys(wanted)
    return ListChange(
        kind=kind,
        before=len(before),
        after=len(after),
        added=tuple(cidr for cidr in after if cidr not in before),
        removed=tuple(cidr for cidr in before if cidr not in after),
    )


def _notes(present: Present, steps: Sequence[Step]) -> Iterator[str]:
    deleted = {step.group for step in steps if isinstance(step, DeleteGroup)}
    for name in sorted(present.places):
        group = present.groups[name]
        strangers = present.strangers(group)
        if strangers:
            yield f"{name} holds {strangers} that are not ours (objects, ranges or groups); left as they are"
        users = [user for user in present.users(name) if user not in present.places]
        if users and name not in deleted:
            yield f"{name} is also nested in {', '.join(users)}"


def _other_mark(present: Present, mark: str) -> str:
    for kind in KINDS:
        parent = present.parent(kind)
        if parent is not None and parent.description not in {"", mark}:
            return parent.description
    return ""
