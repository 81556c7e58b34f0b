"""
How large our groups are in a running configuration, in bytes.

The device's agent bears a configuration of a certain size (docs/life-of-a-policy.md), so a plan
says beforehand what it comes to.  The lines are those that the device itself prints.
"""

from collections.abc import Iterable

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
                f"the running configuration would have about "
                f"{self.bytes_after + others_bytes:,} bytes, over the {budget_bytes:,} that the "
                f"device's agent bears; lower the Max policy size"
            )
        if self.bytes_peak + others_bytes > budget_bytes:
            return (
                f"the running configuration would pass through about "
                f"{self.bytes_peak + others_bytes:,} bytes, over the {budget_bytes:,} that the "
                f"device's agent bears, because new entries are added before old ones go"
            )
        return None


def estimate(groups: Iterable[Group], steps: Iterable[Step]) -> Estimate:
    """
    Walk through *steps* from the groups that are there.
    """
    sizes = {group.name: group_bytes(group) for group in groups}
    described = {group.name: group.description for group in groups}
    before = now = peak = sum(sizes.values())
    requests = sent = removed = 0
    for step in steps:
        requests += 1
        match step:
            case CreateGroup():
                head = head_bytes(step.group, step.description, step.children)
                change = head + members_bytes(step.members)
                sent += len(step.members)
            case AddMembers():
                change = members_bytes(step.members)
                sent += len(step.members)
            case RemoveMembers():
                change = -members_bytes(step.members)
                removed += len(step.members)
            case AttachChild():
                change = _CHILD + len(step.child)
            case DetachChild():
                change = -_CHILD - len(step.child)
            case DeleteGroup():
                change = -sizes[step.group]
            case Describe():
                old = described.get(step.group, "")
                change = head_bytes("", step.description, ()) - head_bytes("", old, ())
        sizes[step.group] = sizes.get(step.group, 0) + change
        now += change
        peak = max(peak, now)
    return Estimate(
        requests=requests,
        sent=sent,
        removed=removed,
        bytes_before=before,
        bytes_peak=peak,
        bytes_after=now,
    )
