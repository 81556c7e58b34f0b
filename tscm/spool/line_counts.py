"""
What the ledger has to know of logs beyond what they hold now: lines at their first opening, and at their closing.  Pure.
"""

from collections.abc import Mapping

from attrs import define, field


@define(eq=False)
class LineCounts:
    """
    Lines of the logs of one process, by name.
    """

    opened: dict[str, int] = field(factory=dict, init=False)
    """Lines of each log when this process first opened it, repaired and counted."""
    _closed: dict[str, tuple[int, int]] = field(factory=dict, init=False)
    """Lines that a log had when it was closed, and those of them that were lost."""

    def take_open(self, name: str, lines: int) -> None:
        """The log is open, with *lines* that this process found in it."""
        self._closed.pop(name, None)
        self.opened.setdefault(name, lines)

    def take_closed(self, name: str, lines: int, lost: int) -> None:
        """The log is closed, with so many lines since it began and so many of them lost."""
        self._closed[name] = lines, lost

    def renamed(self, name: str, to: str) -> None:
        """A closed log has another name: listeners count on under either, and may have counted there before."""
        lines, lost = self._closed.pop(name, (0, 0))
        if name in self.opened:
            self.opened[to] = self.opened.get(to, 0) + lines
            self.opened[name] -= lines
            self._closed[to] = lines, lost

    def deleted(self, name: str) -> None:
        """A closed log is gone: listeners count on, and the next log of this name begins at 0."""
        lines, _ = self._closed.pop(name, (0, 0))
        if name in self.opened:
            self.opened[name] -= lines

    def stored(self, now: Mapping[str, int]) -> dict[str, int]:
        """Lines of each log since it began: *now* of those that are open, the last of those that were."""
        return {**{name: lines for name, (lines, _) in self._closed.items()}, **now}

    def lost(self, now: Mapping[str, int]) -> dict[str, int]:
        """The same of lines that are gone by no doing of ours."""
        return {**{name: lost for name, (_, lost) in self._closed.items()}, **now}
