"""
How many children a list takes, where a device bears only so many members in a group.

Pure.  The same limit binds children, whose members are addresses, and their parent, whose members are
children: a small Object-Group Size makes more of them than the parent can hold.
"""

from attrs import define

from tscm.errors import TscmError


@define(eq=False)
class GroupsFull(TscmError):
    """
    A list does not fit into the groups that the device bears.
    """

    parent: str
    children: int
    limit: int

    def __str__(self) -> str:
        return (
            f"{self.parent} would hold {self.children:,} members, and the device takes no more than "
            f"{self.limit:,} in a group, however large its children are"
        )


def children_needed(v4: int, v6: int, size: int) -> int:
    """Children of at most *size* entries for so many IPv4 and IPv6 entries: each holds one family."""
    return -(-v4 // size) - (-v6 // size)


def smallest_size(v4: int, v6: int, limit: int) -> int | None:
    """
    The smallest Object-Group Size for which at most *limit* children of at most *limit* entries suffice.

    None where there is none.
    """
    if limit < 1 or children_needed(v4, v6, limit) > limit:
        return None
    low, high = 1, limit
    while low < high:
        middle = (low + high) // 2
        if children_needed(v4, v6, middle) > limit:
            low = middle + 1
        else:
            high = middle
    return low


def size_for(maximum: int, limit: int) -> int | None:
    """The smallest size for any list of at most *maximum* entries, whatever families they are of."""
    return smallest_size(max(0, maximum - 1), min(1, maximum), limit)


def most_entries(limit: int) -> int:
    """How many entries a list of both families may always have under *limit*."""
    return max(1, (limit - 1) * limit)
