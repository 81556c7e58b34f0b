"""
What is answered about what was counted, as values.  Light: the table of operations names them.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tscm.wire.keys import PLAIN


@frozen(kw_only=True)
class Sums:
    """
    Rows by falling hits, and what all of them came to, those below the top included.

    *since* and *until* are POSIX seconds.  A row has what it is about under the name *by*, and `hits` and `lines`.
    """

    since: float = 0.0
    until: float = 0.0
    by: str = "entry"
    rows: tuple[Mapping[str, Any], ...] = field(default=(), metadata=PLAIN)
    lines: int = 0
    hits: int = 0
    groups: int = 0
    counts_are_low: int = 0
    """Messages that said that the firewall stopped counting (106101): then all counts are low."""
    unread_lines: int = 0
    """Policy lines whose ends cannot be read, since the device is read: they are in no report."""


@frozen(kw_only=True)
class EventReport(Sums):
    """What the lists did on a device."""

    device: str = ""


@frozen(kw_only=True)
class DeviceHits:
    """What all rows of one device came to."""

    device: str = ""
    hits: int = 0
    lines: int = 0


@frozen(kw_only=True)
class SeveralReport(Sums):
    """What the lists did on several devices together, and on each of them."""

    devices: tuple[DeviceHits, ...] = ()


@frozen(kw_only=True)
class Recount:
    """How many *lines* of a log were read again, and how many *hours* of roll-ups replaced."""

    name: str = ""
    lines: int = 0
    hours: int = 0


@frozen(kw_only=True)
class LineHit:
    """What a line says that an entry of the lists did."""

    action: str = ""
    direction: str = ""
    list: str = ""
    entry: str = ""
    inside: str = ""
    outside: str = ""
    protocol: str = ""
    port: int = -1
    hits: int = 0


@frozen(kw_only=True)
class LogLine:
    """
    A line of a device's log; *received_at* (POSIX seconds) and *sender* are None where no index tells of it.

    *cut* says how many characters of a long line are left out.
    """

    device: str = ""
    received_at: float | None = None
    sender: str | None = None
    line: str = ""
    cut: int = 0
    hit: LineHit | None = None


@frozen(kw_only=True)
class FoundLines:
    """
    Lines that fit, the oldest first, and what is not among them.

    *fitting* lines were met, *left_out* of them are not shown.  *unread_bytes* of the logs were not looked at, for the
    cause in *ended*; *positions* are the offsets in the logs behind what was looked at.  *missing* are segments that
    cannot be read.
    """

    lines: tuple[LogLine, ...] = ()
    fitting: int = 0
    left_out: int = 0
    read_lines: int = 0
    read_bytes: int = 0
    unread_bytes: int = 0
    ended: str | None = None
    missing: tuple[str, ...] = ()
    positions: Mapping[str, int] = field(factory=dict)
