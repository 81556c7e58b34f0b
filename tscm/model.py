"""
The values that rooms share, and the shapes by which they meet.

Rooms of one rank do not import each other (docs/develop/design.md, section 3): what
one hands to another is a value of this module, or a callable that
`tscm.manager.service` passes over.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NewType, Protocol

from attrs import define, frozen

Cidr = NewType("Cidr", str)
"""
A network in its one canonical spelling, always with a length: `203.0.113.7/32`,
`2001:db8::/32`.  Host bits are zero, so that equal networks are equal strings.
Made by `tscm.policy.cidr`; compared, stored and sent by everybody.
"""


# -- the life of a line -------------------------------------------------------


@define
class Run:
    """
    Consecutive lines of one sender, out of one batch, ready to be appended.

    *data* holds *lines* whole lines, each closed by one LF and escaped by
    `tscm.syslog.escape`; *escaped* says whether any escape stands in them, so
    that a reader can pass on a block without looking into it.  It is never changed; not frozen, for
    one is made of each chunk that comes in.
    """

    sender: str
    data: bytes
    lines: int
    escaped: bool = False


class Spool(Protocol):
    """
    What intake sees of `tscm.spool`: a place where lines are safe.
    """

    def append(self, device: str, runs: Sequence[Run], received_at: float) -> bool:
        """
        Put *runs* at the end of the device's log with one write.

        False when the log cannot take them (disk gone); then they are the
        caller's to count as dropped.  Never raises, never waits.
        """


class Expired(StrEnum):
    """Why lines expired for a reader: retention's three reasons, and damage to the log."""

    AGE = "age"
    SIZE = "size"
    SPACE = "space"
    LOST = "lost"


class OwnReader(StrEnum):
    """Readers of a log that are named in one way on every device."""

    FORWARD = "forward"
    """Of the first target; those of others are named for their places."""
    UPLOAD = "upload"
    EVENTS = "events"


@frozen(kw_only=True)
class Block:
    """
    Whole lines as they stand in a device's log, from offset *start* up to *end*.

    Offsets are logical: bytes since the device's log began.  *escaped* says that an
    introducer of `tscm.syslog.escape` stands somewhere in *data*.  *lines* counts them.
    """

    device: str
    start: int
    end: int
    data: bytes
    lines: int
    escaped: bool


@frozen(kw_only=True)
class Extent:
    """
    Whole lines without escapes from offset *start* up to *end*, left where they lie.

    They begin at place *at* of the file behind *descriptor*, which is the receiver's to close.
    """

    start: int
    end: int
    lines: int
    descriptor: int
    at: int


@frozen(kw_only=True)
class Stretch:
    """
    Whole lines from offset *start* up to *end*, for another process to read.

    They stand in the segment of *folder* whose first byte is *base*: in its sealed file, plain or compressed, or in
    the live one, which is the file with number *inode* (0 for a sealed segment).
    """

    start: int
    end: int
    lines: int
    folder: str
    base: int
    inode: int = 0


@frozen(kw_only=True)
class Origin:
    """
    Who sent the lines from offset *start* up to *end*, and when they came (0: not known).
    """

    start: int
    end: int
    sender: str | None = None
    received_at: float = 0.0


@frozen(kw_only=True)
class Position:
    """
    How far a reader is, and what it did with the lines before that offset.

    sent + not selected + expired = lines of the log before *offset*; persisted
    together, so that the ledger holds after any stop.
    """

    offset: int = 0
    sent: int = 0
    not_selected: int = 0
    expired: int = 0


class LogReader(Protocol):
    """
    One reader's view of one device's log; forward, upload and events hold one each.
    """

    device: str
    name: str

    @property
    def position(self) -> Position:
        """The confirmed position: everything before it needs no more work."""

    @property
    def end(self) -> int:
        """The log's present end; `end - position.offset` bytes wait."""

    def read(self, offset: int, max_bytes: int, *, sealed_only: bool = False) -> Block | None:
        """
        Whole lines from *offset* on, at most about *max_bytes*; None when there are none.

        An offset that retention has already taken gives the first block that
        there still is: compare `start`.
        """

    def last_line(self) -> Block | None:
        """
        The newest line, to look at only: no position may be confirmed by it.  None where it is not at hand.
        """

    def confirm(self, offset: int, *, sent: int, not_selected: int = 0) -> None:
        """
        Move the position to *offset*, counting the lines passed.  Durable on return.
        """

    def extent(self, offset: int, max_bytes: int) -> Extent | None:
        """
        What `read` would give, for the kernel to send; None where only `read` can do it.
        """

    def stretch(self, offset: int, max_bytes: int) -> Stretch | None:
        """
        What `read` would give, for another process to read; None where only `read` can do it.
        """

    def waiting_lines(self) -> int:
        """Lines behind the position."""

    def origins(self, start: int, end: int) -> Sequence[Origin]:
        """
        Who sent the lines of a block from *start* to *end*, and when they came, without a gap.
        """

    def when_more(self, notice: Callable[[], None]) -> None:
        """
        Call *notice* once, in the reactor thread, after the next append or seal.
        """


# -- the life of a policy -----------------------------------------------------


@frozen(kw_only=True)
class Progress:
    """
    A step of something long, as the operator is told of it.

    *phase* is one of `fetch`, `guard`, `plan`, `push`, `read back`, `save`, `check`,
    `upload`, `erase`; *done* of *total* where the work can be counted.
    """

    phase: str
    text: str
    done: int | None = None
    total: int | None = None


Report = Callable[[Progress], None]
"""Takes progress from any thread; must not block and must not raise."""


@frozen(kw_only=True)
class Identity:
    """
    What a device says of itself; None where it does not say.
    """

    version: str | None = None
    model: str | None = None
    serial: str | None = None
    agent: str | None = None
    role: str | None = None
    """`active`, `standby`, or None where there is no failover."""
    replicating: bool = False
    """Its mate is taking the whole configuration: what is changed meanwhile may not reach it."""
    started_at: float | None = None
    clock_at: float | None = None
    """What its clock said when it was asked."""
    budget_bytes: int | None = None
    """Running-config size that the device's agent bears (docs/develop/life-of-a-policy.md)."""
    entries: int | None = None
    """The Max policy size that the platform bears by that budget."""


@frozen(kw_only=True)
class Traffic:
    """
    What was said to a device: requests (or commands), and bytes of content each way.
    """

    requests: int = 0
    sent: int = 0
    received: int = 0

    def plus(self, *, requests: int = 1, sent: int = 0, received: int = 0) -> "Traffic":
        """One request more, or what is given."""
        return Traffic(
            requests=self.requests + requests,
            sent=self.sent + sent,
            received=self.received + received,
        )


Json = dict[str, Any]
"""An object as the control interface and `--json` carry it."""
