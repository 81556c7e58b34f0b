"""
A classic ASA's command line as a `model.AsaDriver` (docs/develop/asa.md, section 5).
"""

import re
import time
from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from tscm.kinds.asa import platforms, portions
from tscm.kinds.asa.condense import condense
from tscm.kinds.asa.faults import UnitOnStandby
from tscm.kinds.asa.ssh.blocks import blocks
from tscm.kinds.asa.ssh.group_reader import GroupReader, TooManyMembers
from tscm.kinds.asa.ssh.link import SshLink
from tscm.kinds.asa.ssh.uptime import started_within
from tscm.kinds.asa.ssh.verdicts import as_words
from tscm.kinds.asa.ssh.window import Window
from tscm.kinds.asa.ssh.writing import Writer
from tscm.kinds.faults import Overloaded, SaveFailed
from tscm.model import Configuration, Group, Identity, Json, Step, Traffic

BATCH = 1000
"""Lines in one portion: between two of them the manager may stop, and tells how far it is."""
_GROUPS = "show running-config object-group"
_MOST_CONFIGURATION = 16 << 20
_BYTES_A_LINE = 64
"""What a line takes in memory beyond its text."""
_MEMBER = " network-object "
_DELETE_UNUSED = "look at `show running-config object-group` on it, and delete what nothing uses"
_NO_GROUPS = re.compile(r"ERROR:|% ?Invalid|authorization failed", re.IGNORECASE)


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
    _version: str | None = field(default=None, init=False)

    @property
    def traffic(self) -> Traffic:
        """What was said so far."""
        return self._link.traffic

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
        failover = self.look("show failover")
        identity = evolve(
            identity,
            role=platforms.failover_role(failover),
            replicating=platforms.replicating(failover),
        )
        if identity.role == "standby":
            raise UnitOnStandby(
                self._link.name,
                (
                    "it is not the active unit of its failover pair, and changes made there "
                    "are not replicated"
                ),
                "set the device address to that of the active unit",
            )
        return identity

    def _identity(self, version: str) -> Identity:
        self.started_at = started_within(version, self._clock(), self.started_at)
        found = platforms.read_show_version(Identity(started_at=self.started_at), version)
        if found.version is None:
            raise Overloaded(
                self._link.name,
                f"`show version` told none: {as_words(version)}",
                "it may be no ASA, or the account may not use the command",
            )
        # What the REST agent bears is no bound here, and no other is known.
        return evolve(found, agent=None, budget_bytes=None, entries=None)

    def read_groups(self, prefix: str) -> dict[str, Group]:
        """
        All groups of that prefix, from one command.

        That there are none at all is believed when it is said twice.
        """
        for _ in range(2):
            reader = GroupReader(prefix)
            with self._link.session() as console:
                try:
                    console.ask_for(_GROUPS, reader.take)
                except TooManyMembers as error:
                    raise Overloaded(self._link.name, str(error), _DELETE_UNUSED) from None
            reader.end()
            bad = next((line for line in reader.complaints if _NO_GROUPS.search(line)), None)
            if bad is not None:
                raise Overloaded(
                    self._link.name,
                    f"`{_GROUPS}` was answered with {as_words(bad)}",
                    "the account needs privilege 15; in multiple context mode its settings name the context",
                )
            if reader.groups or reader.others:
                break
        return reader.groups

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
            Writer(self._link.name, console, self.window).write(list(blocks(steps)))

    def running_config(self, prefix: str) -> Configuration:
        """`show running-config`, condensed; members of groups are passed over as they come."""
        kept: list[str] = []
        size = room = 0

        def take(line: str) -> None:
            nonlocal size, room
            size += len(line) + 1
            if line.startswith(_MEMBER):
                return
            room += len(line) + _BYTES_A_LINE
            if room > _MOST_CONFIGURATION:
                raise Overloaded(
                    self._link.name,
                    f"its configuration without members of groups takes more than {_MOST_CONFIGURATION:,} bytes",
                )
            kept.append(line)

        with self._link.session() as console:
            console.ask_for("show running-config", take)
        return Configuration(size=size, text=condense("\n".join(kept), prefix))

    def look(self, command: str) -> str:
        """One command; what is wrong with it stands in its text."""
        with self._link.session() as console:
            return "\n".join(console.ask(command))

    def save(self) -> None:
        """`write memory`, believed when it prints `[OK]`."""
        with self._link.session(write=True) as console:
            said = "\n".join(console.ask("write memory"))
        if "[OK]" not in said:
            last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
            raise SaveFailed(
                self._link.name,
                "it did not confirm that its configuration was saved"
                + (f": {as_words(last)}" if last else ""),
                (
                    "the policy is in force; enter `write memory` on the device to see why "
                    "saving fails"
                ),
            )

    def close(self) -> None:
        """Log out."""
        self._link.close()
