"""
A classic ASA's command line as a `model.AsaDriver` (docs/develop/asa.md, section 5).
"""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from attrs import define, field

from tscm.kinds.asa.cli import device
from tscm.kinds.asa.cli.blocks import blocks
from tscm.kinds.asa.cli.driver import CliDriver
from tscm.kinds.asa.driver import Step
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.window import Window
from tscm.kinds.asa.ssh.writing import Writer
from tscm.model import Json


@define(eq=False)
class SshDriver(CliDriver[SshLink]):
    """
    Object-groups by the command line.
    """

    MOST_LINES: ClassVar[int] = 1000

    window: Window = field(factory=Window)
    _told: dict[str, None] = field(factory=dict, init=False)

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

    def _ask_for(self, command: str, take: Callable[[str], None]) -> None:
        with self._link.session() as console:
            console.ask_for(command, take)

    def apply_all(self, steps: Sequence[Step]) -> None:
        """One portion, which begins and ends in privileged mode."""
        with self._link.session(write=True) as console:
            writer = Writer(self._link.name, console, self.window)
            try:
                writer.write(list(blocks(steps)))
            finally:
                self._told.update(writer.told)

    def look(self, command: str) -> str:
        """One command; what is wrong with it stands in its text."""
        with self._link.session() as console:
            return "\n".join(console.ask(command))

    def save(self) -> None:
        """`write memory`, believed when it prints `[OK]`."""
        with self._link.session(write=True) as console:
            said = "\n".join(console.ask("write memory"))
        device.confirm_saved(self._link.name, said)
