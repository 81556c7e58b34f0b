"""
A classic ASA's command line as a `model.AsaDriver` (docs/develop/asa.md, section 5).
"""

import time
from collections.abc import Callable, Collection, Sequence

from attrs import define, field

from tscm.kinds.asa import portions
from tscm.kinds.asa.cli import device
from tscm.kinds.asa.cli.blocks import blocks
from tscm.kinds.asa.driver import Configuration, Group, Step
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.window import Window
from tscm.kinds.asa.ssh.writing import Writer
from tscm.model import Identity, Json, Traffic

BATCH = 1000
"""Lines in one portion: between two of them the manager may stop, and tells how far it is."""


@define(eq=False)
class SshDriver:
    """
    Object-groups by the command line.

    *started_at* is what the last driver made of the device's uptime, which it tells to the hour.
    """

    _link: SshLink
    window: Window = field(factory=Window)
    started_at: float | None = None
    _clock: Callable[[], float] = time.time
    _told: dict[str, None] = field(factory=dict, init=False)
    _version: str | None = field(default=None, init=False)

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""
        return self._link.traffic

    @property
    def told(self) -> Collection[str]:
        """What the device warned of when it was changed."""
        return tuple(self._told)

    @property
    def without_pages(self) -> bool:
        """Were pages turned off?"""
        return self._link.without_pages

    @property
    def learnt(self) -> Json:
        """The size of the window and what it must stay below, and when the device had started."""
        return {
            "window": self.window.size,
            "ceiling": self.window.ceiling,
            "started_at": self.started_at,
        }

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

    def _ask_for(self, command: str, take: Callable[[str], None]) -> None:
        with self._link.session() as console:
            console.ask_for(command, take)

    def apply(self, step: Step) -> None:
        """One step, in as many portions as its size takes."""
        for portion in self.portions([step]):
            self.apply_all(portion)

    def portions(self, steps: Sequence[Step]) -> list[tuple[Step, ...]]:
        """Large steps split, neighbouring small ones joined."""
        return portions.portions(steps, BATCH, join=True)

    def apply_all(self, steps: Sequence[Step]) -> None:
        """One portion, which begins and ends in privileged mode."""
        with self._link.session(write=True) as console:
            writer = Writer(self._link.name, console, self.window)
            try:
                writer.write(list(blocks(steps)))
            finally:
                self._told.update(writer.told)

    def running_config(self, prefix: str) -> Configuration:
        """`show running-config`, condensed."""
        return device.read_configuration(self._link.name, prefix, self._ask_for)

    def look(self, command: str) -> str:
        """One command; what is wrong with it stands in its text."""
        with self._link.session() as console:
            return "\n".join(console.ask(command))

    def save(self) -> None:
        """`write memory`, believed when it prints `[OK]`."""
        with self._link.session(write=True) as console:
            said = "\n".join(console.ask("write memory"))
        device.confirm_saved(self._link.name, said)

    def close(self) -> None:
        """Log out."""
        self._link.close()
