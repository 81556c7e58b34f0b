"""
What is answered about a device's policy, as values.  Light: the table of operations names them.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.model import Json
from tscm.policy.by_hand import HandEntry
from tscm.policy.standing import Seen, Standing
from tscm.store.generations import GenerationRow
from tscm.wire.keys import PLAIN, as_key


@frozen(kw_only=True)
class HandEntryHeld(HandEntry):
    """An entry by hand, and whether the device held it after the last good update."""

    in_force: bool = False


@frozen(kw_only=True)
class Explanation:
    """
    How an address or network stands with both lists, since when, and what it hit.

    *by_hand* are the entries by hand that meet it.  *held* says that updates are, *unchecked* why part of what was in
    force may be gone; each None where it is not so.
    """

    asked: str = ""
    verdict: str = ""
    lists: tuple[Standing, ...] = ()
    sentences: tuple[str, ...] = ()
    held: str | None = None
    unchecked: str | None = None
    by_hand: tuple[HandEntryHeld, ...] = ()
    seen: Seen = Seen()


@frozen(kw_only=True)
class Unanswered:
    """Why nothing can be said of a device; *exit_status* is that of the error."""

    error: str = ""
    exit_status: int = 1


@frozen(kw_only=True)
class Explanations:
    """The same of every device, by name."""

    asked: str = ""
    devices: Mapping[str, Explanation | Unanswered] = field(factory=dict)


@frozen(kw_only=True)
class Listed:
    """The first of many *entries*, and how many there are."""

    count: int = 0
    entries: tuple[str, ...] = field(default=(), metadata=PLAIN)


@frozen(kw_only=True)
class Excluded:
    """An entry that the guard left out, and why."""

    entry: str = ""
    cause: str = ""


@frozen(kw_only=True)
class LeftOut:
    """The first of the entries that the guard left out, and how many there are."""

    count: int = 0
    entries: tuple[Excluded, ...] = ()


@frozen(kw_only=True)
class NotHeld(Listed):
    """What a list holds and the device does not, and what of it the guard left out."""

    left_out: LeftOut = LeftOut()


@frozen(kw_only=True)
class Dropped:
    """The same of both lists."""

    block: NotHeld = NotHeld()
    allow: NotHeld = NotHeld()


@frozen(kw_only=True)
class Changes:
    """What came and went in one list."""

    added: Listed = Listed()
    removed: Listed = Listed()


@frozen(kw_only=True)
class Difference:
    """What came and went from one generation to another, in CIDRs after merging."""

    older: GenerationRow = field(default=GenerationRow(), metadata=as_key("from"))
    newer: GenerationRow = field(default=GenerationRow(), metadata=as_key("to"))
    block: Changes = Changes()
    allow: Changes = Changes()


@frozen(kw_only=True)
class History:
    """Generations that are kept, and the latest updates as they were stored (`UpdateRecord`), newest first."""

    generations: tuple[GenerationRow, ...] = ()
    updates: tuple[Json, ...] = field(default=(), metadata=PLAIN)


@frozen(kw_only=True)
class Obstacle:
    """
    A group that stays, why, and the lines of the configuration that use it.
    """

    group: str
    cause: str
    lines: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """Groups of ours that stay for no other cause than that it nests them."""

    def __str__(self) -> str:
        match self.children:
            case ():
                return self.group
            case (child,):
                return f"{self.group} and its child {child}"
        return f"{self.group} and its {len(self.children):,} children"


@frozen(kw_only=True)
class Purged:
    """What was taken off a device, and what stands in the way of the rest; *not_saved*: why a reload would undo it."""

    device: str = ""
    deleted: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    saved: bool = False
    not_saved: str = ""
    complete: bool = True
    sentence: str = ""
