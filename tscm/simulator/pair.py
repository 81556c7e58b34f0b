"""
A failover pair: two units of which one is active, and how they keep in step.

docs/develop/asa.md, section 6.  The active unit's configuration is copied to its mate; what is typed on the
mate is taken there, with a warning, and from then on they are out of step until `write standby`
or a reload of the mate.  Tokens are in the memory of one unit, so a swap ends them.
"""

from attrs import define, field

from tscm.simulator.configuration import Configuration
from tscm.simulator.contexts import divide
from tscm.simulator.device import ADMIN, SYSTEM, Device
from tscm.simulator.syslog_form import Message


@define(eq=False)
class Pair:
    """
    Both units; *active* answers at the management address.
    """

    active: Device
    standby: Device
    parts: "tuple[Pair, ...]" = ()
    """Of the contexts beside the admin one, which change their roles together."""
    _copied: int = field(default=-1, init=False)

    @classmethod
    def of(cls, primary: Device, now: float) -> "Pair":
        """Give *primary* a mate."""
        mate = Device(
            profile=primary.profile,
            serial=primary.serial[:-1] + ("Y" if primary.serial[-1] == "X" else "X"),
            started_at=primary.started_at,
            switches=primary.switches,
            unit="Secondary",
            asa_version=primary.asa_version,
        )
        primary.role, mate.role = "active", "standby"
        for unit in (primary, mate):
            unit.configuration.plain.pop("no failover", None)
            unit.configuration.plain["failover"] = []
        if primary.spaces:
            divide(mate, [one for one in primary.spaces if one not in (ADMIN, SYSTEM)])
        pair = cls(
            primary,
            mate,
            tuple(
                cls(one, mate.spaces[name]) for name, one in primary.spaces.items() if name != ADMIN
            ),
        )
        for part in pair.parts:
            part.active.role, part.standby.role = "active", "standby"
        pair.keep_in_step(now)
        return pair

    def keep_in_step(self, now: float) -> None:
        """
        Copy what changed on the active unit, unless they are out of step.

        While a bulk synchronisation runs nothing is copied, and what changes meanwhile reaches the
        mate only with the next change after it.
        """
        for part in self.parts:
            part.keep_in_step(now)
        if self.active.resync:
            self.active.resync = self.standby.diverged = False
            self._copied = -1
        if self.standby.diverged or now < self.active.sync_until:
            return
        if self.active.sync_until:
            self.active.sync_until = 0.0
            self._copied = self.active.configuration.generation
        self.standby.startup = self.active.startup
        if self.active.configuration.generation == self._copied:
            return
        self._copied = self.active.configuration.generation
        self.standby.configuration.adopt(self.active.configuration.copy())
        self.standby.accounts.users = dict(self.active.accounts.users)
        self.standby.modified = self.active.modified
        self.standby.apply_switches()

    def begin_sync(self, now: float, seconds: float) -> None:
        """The mate came back and takes the whole configuration, which lasts *seconds*."""
        for part in self.parts:
            part.begin_sync(now, seconds)
        self.active.resync = True
        self.keep_in_step(now)
        self.active.sync_until = now + seconds

    def in_step(self, now: float) -> bool:
        """Do both hold the same groups and access-lists?"""
        self.keep_in_step(now)
        mine, other = self.active.configuration, self.standby.configuration
        return list(_essence(mine)) == list(_essence(other))

    def swap(self, now: float) -> None:
        """The standby unit takes over; what it holds is in force from now on."""
        for part in (*self.parts, self):
            part.turn(now)
        for unit in (self.active, self.standby):
            unit.tokens.lose_all()
        if not self.active.switches.standby_has_agent:
            self.active.health.stop()
        text = f"({self.active.unit}) Switching to ACTIVE - Other unit wants me Active."
        self.active.outbox.append(Message("104001", 1, text))

    def turn(self, now: float) -> None:
        """Change the roles of this context alone, a part of `swap`."""
        self.keep_in_step(now)
        self.active.sync_until = 0.0
        self.active, self.standby = self.standby, self.active
        self.active.role, self.standby.role = "active", "standby"
        self.standby.diverged = self.standby.diverged or self.active.diverged
        self.active.diverged = False
        self._copied = self.active.configuration.generation


def _essence(configuration: Configuration) -> list[str]:
    return [*configuration.object_lines(), *configuration.access_list_lines()]
