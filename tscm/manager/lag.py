"""
How long the oldest byte has waited for each reader of each log.

The ends of the logs are looked at every few seconds, so that a figure is short by at most that;
asking the index instead would read a file for each reader at every scrape.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from tscm.consumers.lag import LagTrace

LOOK_SECONDS = 5.0

Positions = Callable[[str], tuple[int, Mapping[str, int]]]
"""Where a device's log ends, and where each of its readers is."""


@define(eq=False)
class ReaderLags:
    """
    One trace for each reader; what is not there any more is forgotten at the next look.
    """

    _clock: Any
    _devices: Callable[[], Iterable[str]]
    _positions: Positions
    _traces: dict[str, dict[str, LagTrace]] = field(factory=dict, init=False)

    async def sample(self) -> None:
        """Note where all logs end.  To be called every `LOOK_SECONDS`."""
        for gone in self._traces.keys() - set(self._devices()):
            del self._traces[gone]
        for device in self._devices():
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
        return lags
