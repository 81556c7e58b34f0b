"""
What operations on user lists answer.
"""

from attrs import frozen

from tscm.policy.user_lists import LineFault
from tscm.store.user_list_values import ListVersion, UserEntry, UserList


@frozen(kw_only=True)
class Lists:
    """All user lists."""

    lists: tuple[UserList, ...] = ()


@frozen(kw_only=True)
class ListPage:
    """A list, and entries of it out of *found*."""

    version: int
    found: int = 0
    entries: tuple[UserEntry, ...] = ()


@frozen(kw_only=True)
class ListsHolding:
    """Entries in force that hold an address or a network."""

    entries: tuple[UserEntry, ...] = ()


@frozen(kw_only=True)
class ListVersions:
    """The kept versions of a list, the newest first."""

    versions: tuple[ListVersion, ...] = ()


@frozen(kw_only=True)
class TextRead:
    """
    What a text would do to a list, and the lines that are not entries; *faults* are the first of *fault_count*.
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    absent: int = 0
    repeated: int = 0
    fault_count: int = 0
    faults: tuple[LineFault, ...] = ()


@frozen(kw_only=True)
class ListDone:
    """What was done to a list."""

    list_name: str = ""
    version: ListVersion | None = None
    changed: int = 0
    same: int = 0
    absent: int = 0
    skipped: int = 0
    sentence: str = ""
