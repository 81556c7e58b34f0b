"""
How large our groups are in a running configuration, in bytes.

The device's agent bears a configuration of a certain size (docs/develop/life-of-a-policy.md), so a plan
says beforehand what it comes to.  The lines are those that the device itself prints.
"""

from collections.abc import Iterable
from typing import Self

from attrs import define, frozen

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

_GROUP = len("object-group network \n")
_DESCRIPTION = len(" description \n")
_CHILD = len(" group-object \n")
_HOST = len(" network-object host \n")
_NETWORK = len(" network-object  \n")
_V6_NETWORK = len(" network-object \n")


def _mask_width(length: int) -> int:
    bits = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
    return len(".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0)))


# What a line has besides the address, by what stands behind the address.
_V4_REST = {str(n): _NETWORK + _mask_width(n) for n in range(32)} | {"32": _HOST}
_V6_REST = {str(n): _V6_NETWORK + 1 + len(str(n)) for n in range(128)} | {"128": _HOST}


def member_bytes(cidr: Cidr) -> int:
    """
    One member's line: `network-object host A`, `network-object A MASK`, or with a v6 length.
    """
    address, _, length = cidr.partition("/")
    return len(address) + (_V6_REST if ":" in address else _V4_REST)[length]


def members_bytes(cidrs: Iterable[Cidr]) -> int:
    """The lines of many members."""
    return sum(map(member_bytes, cidrs))


def head_bytes(name: str, description: str, children: Iterable[str]) -> int:
    """A group without its members."""
    described = _DESCRIPTION + len(description) if description else 0
    return _GROUP + len(name) + described + sum(_CHILD + len(child) for child in children)


def group_bytes(group: Group) -> int:
    """One group; members of other kinds are not known and not counted."""
    return head_bytes(group.name, group.description, group.children) + members_bytes(group.members)


@frozen(kw_only=True)
class Estimate:
    """
    What a plan costs, before it starts.

    *peak_bytes* is the largest that our groups get on the way, since additions come before removals.
    *requests* counts the steps; a driver may join or split them.
    """

    requests: int
    sent: int
    """Members that are sent to be added."""
    removed: int
    """Members that are sent to be taken out."""
    bytes_before: int
    bytes_peak: int
    bytes_after: int

    def over(self, budget_bytes: int, others_bytes: int = 0) -> str | None:
        """
        Why this would burst *budget_bytes*, or None; *others_bytes* is the rest of the configuration.
        """
        if self.bytes_after + others_bytes > budget_bytes:
            return (
                "the running configuration would grow to about "
                f"{self.bytes_after + others_bytes:,} bytes, more than the "
                f"{budget_bytes:,} that the device's agent supports; lower Max Policy Size"
            )
        if self.bytes_peak + others_bytes > budget_bytes:
            return (
                "the running configuration would temporarily reach about "
                f"{self.bytes_peak + others_bytes:,} bytes, more than the "
                f"{budget_bytes:,} that the device's agent supports, because new entries "
                "are added before old ones are removed"
            )
        return None


@define(eq=False)
class Meter:
    """
    The size of our groups while steps are carried out.
    """

    now: int
    before: int
    peak: int
    sizes: dict[str, int]
    descriptions: dict[str, str]
    requests: int = 0
    sent: int = 0
    removed: int = 0

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Self:
        """Standing at the groups that are there."""
        known = list(groups)
        sizes = {group.name: group_bytes(group) for group in known}
        total = sum(sizes.values())
        descriptions = {group.name: group.description for group in known}
        return cls(total, total, total, sizes, descriptions)

    def change(self, step: Step) -> int:
        """By how many bytes *step* makes the configuration larger."""
        match step:
            case CreateGroup():
                head = head_bytes(step.group, step.description, step.children)
                return head + members_bytes(step.members)
            case AddMembers():
                return members_bytes(step.members)
            case RemoveMembers():
                return -members_bytes(step.members)
            case AttachChildren():
                return sum(_CHILD + len(child) for child in step.children)
            case DetachChild():
                return -_CHILD - len(step.child)
            case DeleteGroup():
                return -self.sizes[step.group]
            case Describe():
                old = self.descriptions.get(step.group, "")
                return head_bytes("", step.description, ()) - head_bytes("", old, ())

    def take(self, step: Step) -> None:
        """Count *step* as carried out."""
        change = self.change(step)
        self.sizes[step.group] = self.sizes.get(step.group, 0) + change
        self.now += change
        self.peak = max(self.peak, self.now)
        self.requests += 1
        if isinstance(step, CreateGroup | AddMembers):
            self.sent += len(step.members)
        elif isinstance(step, RemoveMembers):
            self.removed += len(step.members)

    def estimate(self) -> Estimate:
        """What it came to."""
        return Estimate(
            requests=self.requests,
            sent=self.sent,
            removed=self.removed,
            bytes_before=self.before,
            bytes_peak=self.peak,
            bytes_after=self.now,
        )


def estimate(groups: Iterable[Group], steps: Iterable[Step]) -> Estimate:
    """
    Walk through *steps* from the groups that are there.
    """
    meter = Meter.of(groups)
    for step in steps:
        meter.take(step)
    return meter.estimate()
