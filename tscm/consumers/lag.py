"""
How late and how fast a reader of a log is, told from what it has seen itself.
"""

from collections import deque

from attrs import define, field

_MOST_SAMPLES = 512
_RATE_SECONDS = 60.0


@define(eq=False)
class LagTrace:
    """
    When the log reached which end: the age of the oldest byte that still waits.

    What waited before the first sample counts from that sample.  Samples are thinned
    when they grow many: the answer is then late by at most the gap between two.
    """

    _samples: deque[tuple[int, float]] = field(factory=deque, init=False)
    _spacing: float = field(default=1.0, init=False)

    @property
    def waits(self) -> bool:
        """Whether anything waited at the last question."""
        return bool(self._samples)

    def note(self, end: int, now: float) -> None:
        """The log ends at *end* now."""
        samples = self._samples
        if samples and (end <= samples[-1][0]):
            return
        if samples and now - samples[-1][1] < self._spacing:
            samples[-1] = (end, samples[-1][1])
            return
        samples.append((end, now))
        if len(samples) > _MOST_SAMPLES:
            # every second one goes, and its bytes count as those of the older neighbour
            pairs = list(samples)
            kept = [(pairs[i + 1][0], pairs[i][1]) for i in range(0, len(pairs) - 1, 2)]
            if len(pairs) % 2:
                kept.append(pairs[-1])
            self._samples = deque(kept)
            self._spacing *= 2

    def lag(self, position: int, now: float) -> float:
        """Seconds that the oldest byte after *position* has waited; 0 when nothing waits."""
        samples = self._samples
        while samples and samples[0][0] <= position:
            samples.popleft()
        if not samples:
            self._spacing = 1.0
            return 0.0
        return max(0.0, now - samples[0][1])


@define(eq=False)
class Rate:
    """
    Lines a second over about the last minute.
    """

    _samples: deque[tuple[float, int]] = field(factory=deque, init=False)

    def note(self, total: int, now: float) -> None:
        """So many in all by now."""
        if self._samples and now - self._samples[-1][0] < 1.0:
            return
        self._samples.append((now, total))
        self._trim(now)

    def per_second(self, total: int, now: float) -> float:
        """The rate, given the present total."""
        self._trim(now)
        if not self._samples:
            return 0.0
        then, before = self._samples[0]
        return (total - before) / max(now - then, 1.0)

    def _trim(self, now: float) -> None:
        while len(self._samples) > 1 and self._samples[0][0] < now - _RATE_SECONDS:
            self._samples.popleft()
        if self._samples and self._samples[0][0] < now - 2 * _RATE_SECONDS:
            self._samples.clear()
