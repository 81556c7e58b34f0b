"""
Entries by hand: which of them stand at a time, what ends next, and what a device is to hold of them.

Pure, and without numpy: the reactor and every `tsadmin` import it.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from attrs import define, evolve, field, frozen

from tscm.errors import TscmError
from tscm.model import Cidr
from tscm.policy.spelling import read_cidr
from tscm.wire.keys import as_key

BLOCK, ALLOW = "block", "allow"
LIST_NAME = "by hand"
"""In the place of a list's name, in reports and answers."""
BY_HAND_NAMES = ("block-by-hand", "allow-by-hand")
"""The user lists that hold them."""
ENTRIES_MOST = 1000
"""Entries that stand at the same time, over all devices."""
REASON_MOST = 200
LONGEST_SECONDS = 10 * 365 * 86400.0
_FOR = re.compile(r"([0-9]{1,9}) ?(s|m|h|d|w)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@define(eq=False)
class EntryFaulty(TscmError):
    """
    What was asked for is no entry by hand.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


@define(eq=False)
class TooManyEntries(TscmError):
    """
    As many entries by hand stand as may.
    """

    most: int = ENTRIES_MOST

    def __str__(self) -> str:
        return (
            f"there are already {self.most:,} entries by hand, which is the maximum; "
            "remove some with `tsadmin entries remove`, or publish a list for so many"
        )


@define(eq=False)
class NoSuchEntry(TscmError):
    """
    No entry by hand has this number or network.
    """

    absent = True

    asked: str

    def __str__(self) -> str:
        return f"no entry by hand {self.asked[:60]!r}; list them with `tsadmin entries`"


@frozen(kw_only=True)
class HandEntry:
    """
    One entry: *action* is `block` or `allow`, *device* None stands for all devices, *until* None for ever.

    Times are POSIX seconds.  An entry that ended has *ended_at* and says in *ended* how.
    """

    id: int = 0
    action: str
    cidr: Cidr
    device: str | None = None
    reason: str = ""
    who: str = field(metadata=as_key("by"))
    made_at: float
    until: float | None = None
    ended_at: float | None = None
    ended: str = ""

    @property
    def scope(self) -> tuple[str, Cidr, str | None]:
        """What it does, to what, where."""
        return self.action, self.cidr, self.device

    def stands(self, now: float) -> bool:
        """Is it to be in force at *now*?"""
        return self.ended_at is None and (self.until is None or self.until > now)

    def concerns(self, device: str) -> bool:
        """Is it for this device?"""
        return self.device is None or self.device == device

    def outlasts(self, other: "HandEntry") -> bool:
        """Does it end later than *other*, or never where that one ends?"""
        if other.until is None:
            return False
        return self.until is None or self.until > other.until

    def __str__(self) -> str:
        return f"entry {self.id}, {self.action} {self.cidr} by {self.who}"


def read_network(text: str) -> Cidr:
    """
    The network of an entry in its one spelling.  Raises `EntryFaulty`.

    In a list host bits are cleared; who types them may have mistyped the length, so here they are refused.
    """
    try:
        cidr, cleared = read_cidr(text.strip())
    except ValueError as error:
        raise EntryFaulty(
            f"{error}; use an address or a network, such as 203.0.113.7 or 2001:db8::/32"
        ) from None
    if cleared:
        address = text.strip().partition("/")[0]
        raise EntryFaulty(
            f"{text.strip()} has host bits set; use {cidr} for the network, or "
            f"{address} for the address"
        )
    return cidr


def read_span(text: str) -> float:
    """Seconds that `30m`, `4h` or `2d` stand for.  Raises `EntryFaulty`."""
    found = _FOR.fullmatch(text.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise EntryFaulty(
            f"{text[:40]!r} is not a valid duration; allowed: 30m, 4h, 2d, 6w, up to 3650d"
        )
    return float(seconds)


def standing(entries: Iterable[HandEntry], device: str, now: float) -> tuple[HandEntry, ...]:
    """Those that are to be in force on *device* at *now*."""
    return tuple(one for one in entries if one.concerns(device) and one.stands(now))


def expired(entries: Iterable[HandEntry], now: float) -> list[HandEntry]:
    """Those whose time is up and that have not been ended yet."""
    return [one for one in entries if one.ended_at is None and not one.stands(now)]


def next_end(entries: Iterable[HandEntry], now: float) -> float | None:
    """When the next of those that stand ends by itself."""
    return min(
        (one.until for one in entries if one.until is not None and one.stands(now)), default=None
    )


def held_already(entries: Iterable[HandEntry], new: HandEntry, now: float) -> HandEntry | None:
    """The one that does already what *new* would, at least as long."""
    same = (one for one in entries if one.stands(now) and one.scope == new.scope)
    return next((one for one in same if not new.outlasts(one)), None)


def replaced(entries: Iterable[HandEntry], new: HandEntry, now: float) -> list[HandEntry]:
    """Those that stand and that *new* does longer."""
    return [
        one for one in entries if one.stands(now) and one.scope == new.scope and new.outlasts(one)
    ]


def named(entries: Iterable[HandEntry], asked: str, now: float) -> list[HandEntry]:
    """
    Those that stand and have the number or the network *asked*.  Raises `NoSuchEntry`, `EntryFaulty`.
    """
    word = asked.strip()
    known = [one for one in entries if one.stands(now)]
    if word.isascii() and word.isdecimal():
        found = [one for one in known if str(one.id) == word.lstrip("0")]
    else:
        cidr = read_network(word)
        found = [one for one in known if one.cidr == cidr]
    if not found:
        raise NoSuchEntry(word)
    return found


def after_jump(entries: Iterable[HandEntry], jump: float, before: float) -> list[HandEntry]:
    """
    The entries that have another end since the time of day was set by *jump* seconds.

    *before* is what the time would be now without that.  An entry has as much time left as it had.
    """
    return [
        evolve(one, until=one.until + jump)
        for one in entries
        if one.until is not None and one.stands(before)
    ]


def to_hold(
    standing_ids: Collection[int], holds: Collection[int], *, only_less: bool
) -> frozenset[int]:
    """
    The entries that a device is to hold that *holds* some: all that stand; with *only_less*, where
    nothing may be pushed unasked, those of them that it has.
    """
    wanted = frozenset(standing_ids)
    return wanted & frozenset(holds) if only_less else wanted


def is_due(
    standing_ids: Collection[int],
    holds: Collection[int],
    left_out: Collection[int],
    *,
    only_less: bool,
) -> bool:
    """
    Is anything to be pushed?  What the guard left out at the last push is not asked about again.
    """
    wanted = to_hold(standing_ids, holds, only_less=only_less)
    return wanted - frozenset(left_out) != frozenset(holds)


def unused(entries: Iterable[HandEntry], held: Collection[int]) -> Sequence[int]:
    """Numbers of those that ended and that no device holds any more."""
    return [one.id for one in entries if one.ended_at is not None and one.id not in held]
