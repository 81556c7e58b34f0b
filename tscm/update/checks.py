"""
What a check out of turn does: what was in force put back, as soon as anything may be pushed.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tscm.base.clock import wall_seconds
from tscm.errors import TscmError
from tscm.kinds.kind import kind_of
from tscm.update.alert import said
from tscm.update.figures import Result
from tscm.update.lookout import Lookout, Seen
from tscm.update.memory import DeviceMemory, no_push
from tscm.update.outcome import UpdateOutcome
from tscm.update.records import UpdateRecords
from tscm.update.turns import CHECK, Turns, Updated


@define(eq=False)
class Checks:
    """
    Hears what firewalls say of themselves, and has their groups read and repaired.

    *repair* is one update that fetches no list; *told* takes each outcome that changed something or failed.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _records: UpdateRecords
    _turns: Turns
    _devices: Mapping[str, Updated]
    _repair: Callable[[Updated, str, DeviceMemory], Coroutine[Any, Any, UpdateOutcome]]
    _told: Callable[[UpdateOutcome], None]
    lookout: Lookout = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.lookout = Lookout(self._clock, self._begin, self._held)

    def hear(self, name: str, messages: Mapping[str, float]) -> None:
        """A firewall said that it reloaded, failed over or lost its agent; kept until it was checked."""
        pending = self.lookout.hear(name, messages) if self._concerns(name) else {}
        if not pending:
            return
        told = f"{name}: the firewall logged that {said(pending)}"
        self._log.info("{told}; its groups are checked", told=told)
        with suppress(TscmError):
            self._records.change_memory(name, upheavals=pending)

    def hear_again(self, name: str) -> None:
        """What was heard before a stop, and not answered."""
        with suppress(TscmError):
            known = self._records.memory(name).upheavals
            if known and self._concerns(name):
                self.lookout.hear_again(name, known)

    def _concerns(self, name: str) -> bool:
        """Can a reload cost the device what was pushed to it?"""
        return kind_of(self._devices[name].settings).reloads

    def look_whether_held(self, name: str) -> None:
        """A hold ended, or the settings changed: what waits for that is due, where it may be."""
        if not self._held(name):
            self.lookout.free(name)

    def _held(self, name: str) -> bool:
        """May nothing be pushed unasked?  Nor may it where the store cannot say."""
        try:
            memory = self._records.memory(name)
        except TscmError:
            return True
        return bool(no_push(self._devices[name].settings, memory, wall_seconds(self._clock)))

    def _begin(self, name: str, cause: str) -> Deferred[Seen]:
        one = self._devices[name]
        return self._turns.take(one, lambda: self._check(one, cause), CHECK)

    async def _check(self, one: Updated, cause: str) -> Seen:
        name = one.settings.name
        if self._turns.over(one) or not self.lookout.pending(name):
            return Seen.LEFT
        memory = self._records.memory(name)
        reason = no_push(one.settings, memory, wall_seconds(self._clock))
        if reason:
            self._log.warn(
                "{device}: the firewall logged that {cause}, so some of its groups "
                "may be missing; {reason}, so they are checked when that has ended; "
                "`tsadmin plan {device}` shows what is missing",
                device=name,
                cause=cause,
                reason=reason,
            )
            return Seen.HELD
        outcome = await self._repair(one, cause, memory)
        if outcome.unreached:
            return Seen.UNREACHED
        self._log.info(
            "{device} was checked, because the firewall logged that {cause}: {sentence}",
            device=name,
            cause=cause,
            sentence=outcome.sentence(),
        )
        if outcome.result is not Result.UNCHANGED:
            self._told(outcome)
        return Seen.REACHED
