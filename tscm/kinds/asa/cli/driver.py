"""
What the drivers share that give an ASA the commands of its command line, whichever way they get there.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from attrs import define, field

from tscm.kinds.asa import portions
from tscm.kinds.asa.cli import device
from tscm.kinds.asa.driver import Configuration, Group, Step
from tscm.model import Identity, Traffic


class Link(Protocol):
    """A session with the device *name*."""

    name: str

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""

    def close(self) -> None:
        """Log out."""


L = TypeVar("L", bound=Link)


@define(eq=False)
class CliDriver(Generic[L]):
    """
    Object-groups by commands; how one is asked, and how lines are written, is up to the way.

    *started_at* is what the last driver made of the device's uptime, which it tells to the hour.
    """

    MOST_LINES: ClassVar[int]
    """In one portion: between two of them the manager may stop, and tells how far it is."""

    _link: L
    started_at: float | None = field(default=None, kw_only=True)
    _clock: Callable[[], float] = field(default=time.time, kw_only=True)
    _version: str | None = field(default=None, init=False)

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""
        return self._link.traffic

    def probe(self) -> Identity:
        """`show version`."""
        self._version = self.look("show version")
        return self._identity(self._version)

    def identify(self) -> Identity:
        """The same, and the role in a failover pair."""
        identity = self.probe() if self._version is None else self._identity(self._version)
        return device.active_unit(self._link.name, identity, self.look("show failover"))

    def _identity(self, version: str) -> Identity:
        found = device.identity_in(self._link.name, version, self._clock(), self.started_at)
        self.started_at = found.started_at
        return found

    def read_groups(self, prefix: str) -> dict[str, Group]:
        """All groups of that prefix, from one command."""
        return device.read_groups(self._link.name, prefix, self._ask_for)

    def running_config(self, prefix: str) -> Configuration:
        """`show running-config`, condensed."""
        return device.read_configuration(self._link.name, prefix, self._ask_for)

    def apply(self, step: Step) -> None:
        """One step, in as many portions as its size takes."""
        for portion in self.portions([step]):
            self.apply_all(portion)

    def portions(self, steps: Sequence[Step]) -> list[tuple[Step, ...]]:
        """Large steps split, neighbouring small ones joined."""
        return portions.portions(steps, self.MOST_LINES, join=True)

    def close(self) -> None:
        """Log out."""
        self._link.close()

    @abstractmethod
    def apply_all(self, steps: Sequence[Step]) -> None:
        """One portion."""

    @abstractmethod
    def look(self, command: str) -> str:
        """One command; what is wrong with it stands in its text."""

    @abstractmethod
    def _ask_for(self, command: str, take: Callable[[str], None]) -> None:
        """Hand over each line that *command* prints, to its last."""


def learnt_start(learnt: Mapping[str, Any]) -> float | None:
    """What the last driver made of the device's uptime."""
    started = learnt.get("started_at")
    return float(started) if isinstance(started, int | float) else None
