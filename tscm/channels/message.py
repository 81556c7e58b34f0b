"""
What the manager tells: a message of some items, as values that every channel renders in its own way.
"""

from enum import StrEnum

from attrs import frozen

from tscm.printable import quoted

SENTENCE_MOST = 500
ITEMS_MOST = 200
"""Items of one message; the rest is counted."""
_NAME_MOST = 300
_SUBJECT_MOST = 120


class What(StrEnum):
    """What an item says of its alarm."""

    NEW = "new"
    KNOWN = "already open"
    """The cause was there when the rule was first evaluated."""
    WORSE = "worse"
    STILL = "still open"
    GOOD = "good again"
    TEST = "test"


@frozen(kw_only=True)
class Item:
    """
    One alarm in a message.  *since* is when its cause began, as POSIX seconds.
    """

    what: What
    name: str
    severity: str
    sentence: str
    since: float = 0.0


@frozen(kw_only=True)
class Message:
    """
    One message of the manager called *source*; *more* items had no room.
    """

    id: str
    source: str
    at: float
    items: tuple[Item, ...] = ()
    more: int = 0

    @property
    def subject(self) -> str:
        """One line: the item itself where there is one alone, else how many of each sort."""
        if len(self.items) == 1 and not self.more:
            (one,) = self.items
            told = f"{one.what}: {one.name}: {one.sentence}"
        else:
            counts = [
                f"{count} {what}"
                for what in What
                if (count := sum(one.what is what for one in self.items))
            ]
            told = f"{', '.join(counts)}{f', {self.more} more' if self.more else ''}"
        return quoted(f"[tscm {self.source}] {told}", _SUBJECT_MOST)


def item(what: What, name: str, severity: str, sentence: str, since: float) -> Item:
    """An item; *name* and *sentence* may quote strangers, and become visible lines of bounded length."""
    return Item(
        what=what,
        name=quoted(name, _NAME_MOST),
        severity=severity,
        sentence=quoted(sentence, SENTENCE_MOST),
        since=since,
    )
