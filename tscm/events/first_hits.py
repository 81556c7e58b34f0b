"""
First hits of flows, so that a packet is counted once.

106100 tells a flow's first packet at once, `hit-cnt 1 first hit`, and counts it again in the first
interval line of that flow: 20 packets more give `hit-cnt 21 300-second interval` (Cisco ASA Series Syslog
Messages, 106100).  The later interval lines of a flow begin at 0.

What is remembered follows from the lines before and their times of receipt alone, however the log is
cut into blocks: counting it again gives the same.  The changes that a block made are kept in the database in
the transaction that moves the reader, and a restart plays them again in their order.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Self

from attrs import define, field, frozen

from tscm.syslog.asa_bulk import Row

KEPT_FLOWS = 8192
"""
First hits that are remembered of a device at least; the ASA itself keeps 4,096 denied flows unless told otherwise
(`access-list deny-flow-max`).  Of one that is pushed out the interval line counts one hit too many.
"""
LATE_SECONDS = 60.0
"""How much later than its interval says the first interval line of a flow may come."""
KEPT_SECONDS = 600.0 + LATE_SECONDS
"""The longest interval that the ASA takes is 600 seconds."""
_ROOM = 1024
"""So many more may be held until the oldest go, all at once."""
_JOURNALS = 256
_HITS, _INTERVAL = 7, 8
_SETTLED = -1.0


@frozen
class Journal:
    """
    What a block changed; or *whole*, all first hits as they are, in the place of the journals before.
    """

    flows: bytes
    times: bytes
    whole: bool = False


@define(eq=False)
class FirstHits:
    """
    The first hits of one device that no interval line has counted again yet.
    """

    _kept_flows: int = KEPT_FLOWS
    _room: int = _ROOM
    _most_journals: int = _JOURNALS
    _held: dict[bytes, float] = field(factory=dict, init=False)
    """When each flow's came, the oldest first."""
    _oldest: float = field(default=0.0, init=False)
    """None that is held came before, unless the clock was set."""
    _flows: list[bytes] = field(factory=list, init=False)
    """Of each change since the last journal the flow, and in *times* its time."""
    _times: list[float] = field(factory=list, init=False)
    _journals: int = field(default=0, init=False)
    _journalled: int = field(default=0, init=False)

    @classmethod
    def of(cls, journals: Iterable[tuple[bytes, bytes]], **bounds: int) -> Self:
        """As these left it: flows and times of each."""
        made = cls(**bounds)
        for flows, times in journals:
            for flow, at in zip(flows.split(b"\n"), _doubles(times), strict=True):
                made._change(flow, at)
                made._journalled += 1
            made._journals += 1
        return made

    def settle(self, rows: Sequence[Row], at: float) -> list[Row]:
        """
        *rows*, received *at* and in the order of the log, with the hits that no line before has counted.
        """
        self._forget_old(at)
        found = list(rows)
        held, flows, times = self._held, self._flows, self._times
        pop = held.pop
        for place, row in enumerate(rows):
            if not (flow := row[0]):
                continue
            since = pop(flow, None)
            if not row[_INTERVAL]:
                held[flow] = at  # a flow that begins again is the youngest
                flows.append(flow)
                times.append(at)
                if len(held) > self._kept_flows + self._room:
                    self._make_room()
            elif since is not None:
                flows.append(flow)
                times.append(_SETTLED)
                hits = int(row[_HITS])
                if hits and abs(at - since) <= int(row[_INTERVAL]) + LATE_SECONDS:
                    found[place] = (*row[:7], b"%d" % (hits - 1), row[8])
        return found

    def take_journal(self) -> Journal | None:
        """What has changed since the last call, or all where that is less to keep."""
        if not self._flows:
            return None
        self._journals += 1
        self._journalled += len(self._flows)
        whole = self._journals > self._most_journals or self._journalled > 2 * self._kept_flows
        if whole:
            self._journals, self._journalled = 1, len(self._held)
            flows, times = list(self._held), list(self._held.values())
        else:
            flows, times = self._flows, self._times
        self._flows, self._times = [], []
        return Journal(b"\n".join(flows), _bytes(times), whole)

    def _change(self, flow: bytes, at: float) -> None:
        """As `settle` did it."""
        held = self._held
        if at == _SETTLED:
            held.pop(flow, None)
            return
        self._forget_old(at)
        held.pop(flow, None)
        held[flow] = at
        if len(held) > self._kept_flows + self._room:
            self._make_room()

    def _make_room(self) -> None:
        for flow in list(islice(self._held, self._room)):
            del self._held[flow]

    def _forget_old(self, at: float) -> None:
        if abs(at - self._oldest) <= KEPT_SECONDS:
            return
        old = []
        self._oldest = at
        for flow, since in self._held.items():
            if abs(at - since) <= KEPT_SECONDS:
                self._oldest = since
                break
            old.append(flow)
        for flow in old:
            del self._held[flow]


def _doubles(raw: bytes) -> "array[float]":
    found = array("d", raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _bytes(times: Sequence[float]) -> bytes:
    made = array("d", times)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()
