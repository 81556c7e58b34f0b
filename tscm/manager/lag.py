"""
How long the oldest byte has waited for each reader of each log.

The ends of the logs are looked at every few seconds, so that a figure is short by at most that;
asking the index instead would read a file for each reader at every scrape.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import define, field

from tscm.base.schedule import in_slices
from tscm.consumers.lag import LagTrace
from tscm.errors import NoSuchDevice

LOOK_SECONDS = 5.0

Positions = Callable[[str], tuple[int, Mapping[str, int]]]
"""Where a device's log ends, and where each of its readers is."""


@define(eq=False)
class ReaderLags:
    """
    One trace for each reader; what is not there any more is forgotten at the next look.
    """

    _clock: Any
    _ends: Callable[[], Mapping[str, int]]
    """Where the log of each device ends."""
    _positions: Positions
    _traces: dict[str, dict[str, LagTrace]] = field(factory=dict, init=False)
    _seen: Mapping[str, int] = field(factory=dict, init=False)
    """Where each log ended at the last look."""
    _behind: set[str] = field(factory=set, init=False)
    """Devices of which something waits for a reader."""

    async def sample(self) -> None:
        """
        Note where logs end that have grown, and see to readers that are behind.  To be called every `LOOK_SECONDS`.
        """
        before, self._seen = self._seen, self._ends()
        for gone in self._traces.keys() - self._seen.keys():
            del self._traces[gone]
        self._behind &= self._seen.keys()
        grown = [name for name, end in self._seen.items() if before.get(name) != end]
        async for device in in_slices(self._clock, {*grown, *self._behind}):
            with suppress(NoSuchDevice):  # it was removed since
                self.of(device)

    def of(self, device: str) -> dict[str, float]:
        """Seconds that the oldest byte has waited, by reader; 0 where nothing waits."""
        now = self._clock.seconds()
        end, readers = self._positions(device)
        traces = self._traces.setdefault(device, {})
        for gone in traces.keys() - readers.keys():
            del traces[gone]
        lags = {}
        for reader, position in readers.items():
            trace = traces.setdefault(reader, LagTrace())
            trace.note(end, now)
            lags[reader] = round(trace.lag(position, now), 3)
        if any(trace.waits for trace in traces.values()):
            self._behind.add(device)
        else:
            self._behind.discard(device)
        return lags
