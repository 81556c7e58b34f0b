"""
User lists as they are told: lists, versions, entries, and who edits what.
"""

from attrs import define, frozen

from tscm.errors import TscmError


@define(eq=False)
class NoSuchList(TscmError):
    """
    No user list has this name.
    """

    exit_status = 2

    name: str

    def __str__(self) -> str:
        return f"no user list {self.name[:70]!r}; show the lists with `tsadmin lists`"


@frozen(kw_only=True)
class UserList:
    """
    A user list: *side* is `block` or `allow`; *at* and *who* tell its last edit.
    """

    name: str
    side: str
    note: str = ""
    version: int = 0
    entries: int = 0
    """Those in force."""
    at: float | None = None
    who: str = ""
    by_hand: bool = False
    """Its entries are those of `tsadmin block` or `tsadmin allow`."""


@frozen(kw_only=True)
class ListVersion:
    """
    One edit of a list: when, by whom, what it did, and how many entries came, went and are there.
    """

    version: int
    at: float
    who: str
    did: str
    reason: str = ""
    added: int = 0
    removed: int = 0
    entries: int = 0


@frozen(kw_only=True)
class UserEntry:
    """
    An entry of a user list, with its author; times are POSIX seconds.
    """

    id: int
    list_name: str
    side: str
    network: str
    comment: str = ""
    who: str = ""
    made_at: float = 0.0
    until: float | None = None
    device: str | None = None
    in_force: bool = True


@frozen(kw_only=True)
class Page:
    """
    Entries of a list as they are shown, from how many.
    """

    entries: tuple[UserEntry, ...] = ()
    found: int = 0
    version: int = 0


@frozen(kw_only=True)
class Who:
    """
    Who edits, when and why.
    """

    name: str
    at: float
    reason: str = ""


@frozen(kw_only=True)
class Wish:
    """
    What the editor expects and accepts: the *version* that was looked at, and a list that is halved.
    """

    version: int | None = None
    shrink: bool = False
