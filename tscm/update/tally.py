"""
How many updates ended in which way, and what they cost the device, since the manager started.
"""

from collections import Counter

from attrs import define, field

from tscm.model import Traffic
from tscm.update.figures import ENDS, Result, UpdateCounts


@define(eq=False)
class UpdateTotals:
    """
    Counts of one device, which only grow: for rates over time, where the last outcome tells nothing.
    """

    _ended: Counter[Result] = field(factory=Counter, init=False)
    _traffic: Traffic = field(factory=Traffic, init=False)

    def add_update(self, result: Result) -> None:
        """One update more."""
        self._ended[result] += 1

    def add_traffic(self, traffic: Traffic) -> None:
        """What an update or a plan sent, and what came back."""
        self._traffic = self._traffic.plus(
            requests=traffic.requests, sent=traffic.sent, received=traffic.received
        )

    def figures(self) -> UpdateCounts:
        """Every way to end is there from the begin: a rate needs its zero."""
        return UpdateCounts(
            ended={str(one): self._ended[one] for one in ENDS},
            requests=self._traffic.requests,
            sent_bytes=self._traffic.sent,
            received_bytes=self._traffic.received,
        )
