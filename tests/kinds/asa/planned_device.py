"""
A device in memory that is as strict as one can be, to hold plans against.
"""

import ipaddress
from collections.abc import Iterable, Mapping

from attrs import define, evolve

from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    Describe,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.model import Cidr

PREFIX = "P"


@define(eq=False)
class StrictDevice:
    """Refuses every step that some device might refuse."""

    groups: dict[str, Group]

    def users(self, name: str) -> list[str]:
        return [group.name for group in self.groups.values() if name in group.children]

    def empty(self, name: str) -> bool:
        group = self.groups[name]
        return not (group.members or group.children or group.foreign)

    def below(self, name: str) -> set[str]:
        found = {name}
        for child in self.groups[name].children if name in self.groups else ():
            found |= self.below(child)
        return found

    def apply(self, step: Step) -> None:
        groups = self.groups
        match step:
            case CreateGroup():
                assert step.group not in groups, "exists"
                assert step.members or step.children, "empty"
                assert len(set(step.members)) == len(step.members)
                groups[step.group] = Group(
                    name=step.group, members=step.members, description=step.description
                )
                for child in step.children:
                    self._attach(step.group, child)
            case AddMembers():
                group = groups[step.group]
                assert step.members
                assert not set(step.members) & set(group.members), "object already exists"
                assert len(set(step.members)) == len(step.members)
                groups[step.group] = evolve(group, members=group.members + step.members)
            case RemoveMembers():
                group = groups[step.group]
                assert step.members
                assert set(step.members) <= set(group.members), "obj does not exist"
                left = tuple(m for m in group.members if m not in set(step.members))
                groups[step.group] = evolve(group, members=left)
                assert not self.empty(step.group), "would become empty"
            case AttachChildren():
                assert step.children
                for child in step.children:
                    self._attach(step.group, child)
            case DetachChild():
                group = groups[step.group]
                assert step.child in group.children
                kept = tuple(c for c in group.children if c != step.child)
                groups[step.group] = evolve(group, children=kept)
                assert not self.empty(step.group), "would become empty"
            case DeleteGroup():
                assert step.group in groups
                assert not self.users(step.group), "it is being used"
                assert not groups[step.group].foreign, "contains members not managed by tscm"
                del groups[step.group]
            case Describe():
                groups[step.group] = evolve(groups[step.group], description=step.description)

    def _attach(self, parent: str, child: str) -> None:
        group = self.groups[parent]
        assert child in self.groups, "absent"
        assert not self.empty(child), "empty group-object"
        assert child not in group.children
        assert parent not in self.below(child), "loop"
        self.groups[parent] = evolve(group, children=(*group.children, child))


def is_ours(name: str) -> bool:
    head, _, number = name.removeprefix(f"{PREFIX}-").partition("-")
    return head in {"Block", "Allow"} and (
        name.count("-") == 1 or (number.isdigit() and not number.startswith("0"))
    )


def in_force(groups: Mapping[str, Group], kind: str) -> set[Cidr]:
    """Entries that work through a parent; others' groups are not looked into."""
    found: set[Cidr] = set()
    waiting, seen = [f"{PREFIX}-{kind}"], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in groups or not is_ours(name):
            continue
        seen.add(name)
        found.update(groups[name].members)
        waiting.extend(groups[name].children)
    return found


def strangers_in_force(groups: Mapping[str, Group], kind: str) -> set[tuple[str, str]]:
    """What is not ours and works through a parent, with the group that holds it."""
    found: set[tuple[str, str]] = set()
    waiting, seen = [f"{PREFIX}-{kind}"], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in groups:
            continue
        seen.add(name)
        if groups[name].foreign:
            found.add((name, "foreign"))
        for child in groups[name].children:
            if is_ours(child):  # perhaps the name of one that is gone
                waiting.append(child)
            else:
                found.add((name, child))
    return found


def addresses(cidrs: Iterable[str]) -> set[tuple[int, int]]:
    """Every single address; only for small networks."""
    found: set[tuple[int, int]] = set()
    for cidr in cidrs:
        net = ipaddress.ip_network(cidr)
        assert net.num_addresses <= 4096
        first = int(net.network_address)
        found.update((net.version, first + n) for n in range(net.num_addresses))
    return found
