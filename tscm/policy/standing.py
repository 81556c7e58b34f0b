"""
How an address or network stands with a device's lists, and what it did, as values.

Without numpy: every `tsadmin` that asks imports it.
"""

from attrs import field, frozen

from tscm.model import Cidr
from tscm.policy.by_hand import LIST_NAME
from tscm.wire.keys import OMIT_NONE


@frozen(kw_only=True)
class Finding:
    """
    One entry that the guard left out, or with *left_out* false only points at.
    """

    entry: str
    cause: str
    left_out: bool = True


@frozen(kw_only=True)
class Since:
    """The *generation* since which something is so; *oldest_kept*: it may have been so before."""

    generation: int
    applied_at: float
    oldest_kept: bool = False

    def __str__(self) -> str:
        older = " or earlier (the oldest generation that can be read)" if self.oldest_kept else ""
        return f"since generation {self.generation}{older}"


@frozen(kw_only=True)
class Some:
    """A few of many: the first ones, and how many there are."""

    cidrs: tuple[Cidr, ...]
    count: int

    def __str__(self) -> str:
        more = f" and {self.count - len(self.cidrs):,} more" if self.count > len(self.cidrs) else ""
        return ", ".join(self.cidrs) + more


@frozen(kw_only=True)
class Standing:
    """
    How an address or network stands with one list.

    *covered* is `all`, `part` or `none` of what was asked.  *waiting* are published
    entries that passed the guard and are not in force: cut, or newer than the last update.
    """

    kind: str
    list_name: str
    asked: Cidr
    covered: str
    in_force: Some
    published: Some
    waiting: Some
    left_out: tuple[Finding, ...]
    off: str = ""
    unchecked: bool = False
    since: Since | None = None
    """The oldest generation of the unbroken run in which as much was in force as now."""
    by_others: bool = False
    """Another list of this kind publishes it, and this one does not: what is in force comes from there."""

    def __str__(self) -> str:
        if self.by_others:
            return f"{self.kind} list {self.list_name}: {self.asked} is not in the list"
        said = {
            "all": "in force",
            "part": "partly in force",
            "none": self.off or "not in force",
        }[self.covered]
        perhaps = "perhaps " if self.unchecked and self.covered != "none" else ""
        line = f"{self.kind} list {self.list_name}: {self.asked} is {perhaps}{said}"
        if self.in_force.count:
            line += f" as {self.in_force}"
        if self.published.count:
            word = "entered" if self.list_name == LIST_NAME else "published"
            line += f"; {word} as {self.published}"
        elif not self.in_force.count:
            line += "; it is not in the list"
        if self.waiting.count and not self.off:
            by_hand = self.list_name == LIST_NAME  # those are never cut
            cause = "not yet pushed" if by_hand else "cut to fit Max Policy Size or not yet applied"
            line += f"; {cause}: {self.waiting}"
        for finding in self.left_out:
            line += f"; {finding.entry} excluded: {finding.cause}"
        return line if self.since is None else f"{line}; {self.since}"


@frozen(kw_only=True)
class Met:
    """
    What an entry, or an address (*outside*), did by one action and list; hours are POSIX seconds.
    """

    entry: str | None = field(default=None, metadata=OMIT_NONE)
    outside: str | None = field(default=None, metadata=OMIT_NONE)
    action: str
    list: str
    first_hour: int
    last_hour: int
    lines: int
    hits: int


@frozen(kw_only=True)
class Seen:
    """
    Hits of what was asked about: of the *entries* that meet it, of which there are *count*, and of the address itself.
    """

    entries: tuple[Met, ...] = ()
    count: int = 0
    address: tuple[Met, ...] = ()
