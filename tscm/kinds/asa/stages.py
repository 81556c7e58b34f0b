"""
The order of steps: what makes a list larger, then what makes it smaller, then what is left over.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field
from attrs.validators import ge

from tscm.kinds.asa.config_size import Meter
from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.groups import KINDS, Present, parent_name
from tscm.kinds.asa.placing import Child
from tscm.model import Cidr
from tscm.policy.cidr import CidrSet, Entries, overlapping


@define(eq=False)
class Portions:
    """
    How many members one step may carry.

    A load of more than there was begins with *first* and doubles up to *most*, so that an agent that is
    too small shows it early and with little in hand.
    """

    most: int = field(validator=ge(1))
    first: int | None = None

    def adding(self, members: Sequence[Cidr]) -> Iterator[tuple[Cidr, ...]]:
        """*members* in portions to be sent."""
        at = 0
        while at < len(members):
            size = self.most
            if self.first is not None:
                size = min(self.first, self.most)
                self.first *= 2
            yield tuple(members[at : at + size])
            at += size

    def removing(self, group: str, members: Sequence[Cidr]) -> Iterator[Step]:
        """Steps that take *members* out."""
        for at in range(0, len(members), self.most):
            yield RemoveMembers(group=group, members=tuple(members[at : at + self.most]))

    def attaching(self, group: str, children: Sequence[str]) -> Iterator[Step]:
        """Steps that nest *children*."""
        for at in range(0, len(children), self.most):
            yield AttachChildren(group=group, children=tuple(children[at : at + self.most]))


@define(eq=False)
class Work:
    """
    What is to become of one list's children, and the steps that follow.

    The stages are taken once, `free` before the others if at all.
    """

    present: Present
    kind: str
    children: list[Child]
    mark: str
    portions: Portions
    freed: dict[str, set[Cidr]] = field(factory=dict)
    detached: set[str] = field(factory=set)

    @property
    def name(self) -> str:
        """The parent's name."""
        return parent_name(self.present.prefix, self.kind)

    def free(self, new: CidrSet) -> Iterator[Step]:
        """
        Make room: take out what shares no address with the new list.

        Old and new list do not have it in common, so it may go before anything comes.  Children
        that go altogether leave at once where another one stays; else one member is left, for
        no child may be empty.
        """
        parent = self.present.parent(self.kind)
        if parent is None:
            return
        attached = [child for child in self.children if child.attached]
        others_stay = any(child.keep for child in attached)
        going = Entries.of(member for child in attached for member in child.remove)
        nowhere = set(going.take(~overlapping(going, new)).cidrs())
        for child in attached:
            group = self.present.groups[child.name]
            lost = [member for member in child.remove if member in nowhere]
            if not child.used and others_stay and len(lost) == len(group.members):
                if not self.present.ours(group):
                    self.detached.add(child.name)
                    yield DetachChild(group=self.name, child=child.name)
                    if self.present.users(child.name) == [self.name]:
                        yield DeleteGroup(group=child.name)
                continue
            if len(lost) == len(group.members):
                del lost[:1]
            self.freed[child.name] = set(lost)
            yield from self.portions.removing(child.name, lost)

    def grow(self) -> Iterator[Step]:
        """Everything that makes the list larger, children first."""
        coming = []
        for child in self.children:
            if not child.used:
                continue
            if not child.attached:
                coming.append(child.name)
                # Not in force: clean before it is nested, for then it would bring this along.
                yield from self.portions.removing(child.name, child.remove)
            present = child.present is not None
            for members in self.portions.adding(child.add):
                if present:
                    yield AddMembers(group=child.name, members=members)
                else:
                    yield CreateGroup(group=child.name, members=members)
                    present = True
        parent = self.present.parent(self.kind)
        if parent is None:
            # With one child, for an agent may bear less than all their names in one request.
            yield CreateGroup(group=self.name, children=(coming[0],), description=self.mark)
            yield from self.portions.attaching(self.name, coming[1:])
            return
        yield from self.portions.attaching(self.name, coming)
        if self.mark and parent.description != self.mark:
            yield Describe(group=self.name, description=self.mark)

    def shrink(self) -> Iterator[Step]:
        """Everything that makes the list smaller."""
        parent = self.present.parent(self.kind)
        if parent is None:
            return
        yield from self.portions.removing(self.name, parent.members)
        staying = set(self.detached)
        for child in self.children:
            if not child.used:
                continue
            staying.add(child.name)
            if child.attached:
                for name in self.present.ours(self.present.groups[child.name]):
                    yield DetachChild(group=child.name, child=name)
                freed = self.freed.get(child.name, set())
                left = [member for member in child.remove if member not in freed]
                yield from self.portions.removing(child.name, left)
        for name in self.present.ours(parent):
            if name not in staying:
                yield DetachChild(group=self.name, child=name)


def order(present: Present, works: Mapping[str, Work]) -> list[Step]:
    """
    All steps.

    Permit before deny: no address that is in both new lists is cut off in between.  If by
    an operator's hand one parent is nested below the other, that one is repaired first.
    """
    steps = [step for stage in _stages(present, works) for step in stage]
    return steps + _deletions(present, works, steps)


def memory_bounded_order(
    present: Present, works: Mapping[str, Work], new: Mapping[str, CidrSet], room: int
) -> list[Step]:
    """
    All steps, but what is lost for good leaves as soon as the next addition would burst *room* bytes.
    """
    meter = Meter.of(present.groups[name] for name in present.places)
    # What may go at any time; decided now, so that the later stages know of it.
    freeing = [step for kind in KINDS for step in works[kind].free(new[kind])]
    freeing.reverse()
    steps: list[Step] = []

    def take(step: Step) -> None:
        meter.take(step)
        steps.append(step)

    for stage in _stages(present, works):
        for step in stage:
            while freeing and meter.now + meter.change(step) > room:
                take(freeing.pop())
            take(step)
    while freeing:
        take(freeing.pop())
    return steps + _deletions(present, works, steps)


def _stages(present: Present, works: Mapping[str, Work]) -> list[Iterator[Step]]:
    block, allow = works["Block"], works["Allow"]
    if allow.name in present.reached(block.name):
        return [block.grow(), block.shrink(), allow.grow(), allow.shrink()]
    if block.name in present.reached(allow.name):
        return [allow.grow(), allow.shrink(), block.grow(), block.shrink()]
    return [allow.grow(), block.grow(), block.shrink(), allow.shrink()]


def _deletions(present: Present, works: Mapping[str, Work], steps: Sequence[Step]) -> list[Step]:
    """Numbered groups that nothing nests any more and that hold nothing of others."""
    staying = {child.name for work in works.values() for child in work.children if child.used}
    cut = {(step.group, step.child) for step in steps if isinstance(step, DetachChild)}
    gone = {step.group for step in steps if isinstance(step, DeleteGroup)}
    users: dict[str, set[str]] = {}
    for kind in KINDS:
        for group in present.children(kind):
            if (
                group.name not in staying
                and group.name not in gone
                and not present.strangers(group)
            ):
                nesting = {
                    user for user in present.users(group.name) if (user, group.name) not in cut
                }
                users[group.name] = nesting - gone
    found: list[Step] = []
    ready = [name for name, nesting in users.items() if not nesting]
    while ready:
        name = ready.pop(0)
        found.append(DeleteGroup(group=name))
        for inner in present.groups[name].children:
            nesting = users.get(inner, set())
            if name in nesting:
                nesting.remove(name)
                if not nesting:
                    ready.append(inner)
    return found
