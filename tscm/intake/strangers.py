"""
Senders that no device claims: counted, each with a sample, in a table that cannot grow.
"""

from heapq import nlargest

from attrs import define, field

from tscm.intake.sender_figures import StrangerFigures
from tscm.printable import visible_bytes

_SAMPLE_BYTES = 240
_FORGET_SECONDS = 86400.0


@define
class Allowance:
    """
    Bytes that a sender owes, paid off at a rate.  Up to a second's worth passes at once.
    """

    _owed: float = field(default=0.0, init=False)
    _at: float = field(default=0.0, init=False)

    def charge(self, size: int, now: float, rate: float) -> float:
        """Seconds until, with *size* more, no more than a second's worth is owed."""
        self._owed = max(0.0, self._owed - max(0.0, now - self._at) * rate) + size
        self._at = now
        return max(0.0, self._owed / rate - 1.0)


@define
class Stranger:
    """One unknown sender."""

    first_seen_at: float
    last_seen_at: float
    lines: int = 0
    sample: bytes = b""
    reading: Allowance = field(factory=Allowance)
    keeping: Allowance = field(factory=Allowance)


@define(eq=False)
class Strangers:
    """
    Unknown senders by address.  Those that find no room in the table share one allowance.

    When the table is full, those not heard for a day make room; a stranger that finds none is
    counted in *uncounted_lines* alone, so that a flood of forged sources costs no memory and
    pushes no other out.
    """

    max_senders: int = 1024
    bytes_per_second: float = 1 << 20
    lines: int = field(default=0, init=False)
    uncounted_lines: int = field(default=0, init=False)
    _table: dict[str, Stranger] = field(factory=dict, init=False)
    _others: Stranger = field(factory=lambda: Stranger(0.0, 0.0), init=False)
    _swept_at: float = field(default=0.0, init=False)

    def __len__(self) -> int:
        return len(self._table)

    def note(self, address: str, lines: int, sample: bytes, now: float) -> None:
        """*lines* came from *address*; *sample* is the newest of them (or a chunk that starts with one)."""
        self.lines += lines
        stranger = self._table.get(address)
        if stranger is None:
            if len(self._table) >= self.max_senders:
                self._sweep(now)
            if len(self._table) >= self.max_senders:
                self.uncounted_lines += lines
                return
            stranger = self._table[address] = Stranger(now, now)
        stranger.lines += lines
        stranger.last_seen_at = now
        if sample:
            stranger.sample = sample[:_SAMPLE_BYTES].partition(b"\n")[0]

    def wait_for(self, address: str, size: int, now: float) -> float:
        """
        Charge *size* bytes read to a stranger; seconds until it has no more than its allowance.
        """
        return self._table.get(address, self._others).reading.charge(
            size, now, self.bytes_per_second
        )

    def may_keep(self, address: str, size: int, now: float) -> bool:
        """
        Whether *size* bytes of a stranger may be kept, within the same allowance.
        """
        keeping = self._table.get(address, self._others).keeping
        if keeping.charge(0, now, self.bytes_per_second) > 0:
            return False
        keeping.charge(size, now, self.bytes_per_second)
        return True

    def forget(self, address: str) -> None:
        """*address* is no stranger any more."""
        self._table.pop(address, None)

    def counts(self) -> dict[str, int]:
        """Lines by address, of those that are in the table."""
        return {address: stranger.lines for address, stranger in self._table.items()}

    def shown(self) -> list[StrangerFigures]:
        """The table, the latest sender first; samples are made harmless for a terminal."""
        latest = sorted(self._table.items(), key=lambda item: -item[1].last_seen_at)
        return [_figures(*one) for one in latest]

    def busiest(self, most: int) -> list[StrangerFigures]:
        """Those that sent the most lines, at most *most*: cheap, however many there are."""
        found = nlargest(most, self._table.items(), key=lambda item: item[1].lines)
        return [_figures(*one) for one in found]

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < 60:
            return
        self._swept_at = now
        for address, stranger in list(self._table.items()):
            if now - stranger.last_seen_at > _FORGET_SECONDS:
                del self._table[address]


def _figures(address: str, stranger: Stranger) -> StrangerFigures:
    return StrangerFigures(
        address=address,
        lines=stranger.lines,
        first_seen_at=stranger.first_seen_at,
        last_seen_at=stranger.last_seen_at,
        sample=visible_bytes(stranger.sample),
    )
