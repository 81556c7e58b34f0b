"""
The turn of a device held for a test of its chain, and what a test that was interrupted left there.

In the reactor thread.  What a test blocks is noted in the database before it is pushed, so that the next
update, the next test and the next start of the manager know it for what it is and take it out.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.errors import NoSuchDevice, TscmError
from tscm.kinds.faults import Unauthorised
from tscm.kinds.kind import kind_of, loaded
from tscm.model import Cidr, Progress
from tscm.update.job import UpdateJob
from tscm.update.memory import no_push
from tscm.update.records import UpdateRecords
from tscm.update.turns import Asker, Turns, Updated

T = TypeVar("T")

FIRST_LOOK_SECONDS = 5.0
NEXT_LOOK_SECONDS = 300.0
LEFTOVER = Asker(what="removing the entry of a test", who="the manager")


@define(eq=False)
class DeviceHeld(TscmError):
    """
    Nothing may be pushed to a device at present, so that its chain cannot be tested.
    """

    device: str
    why: str

    def __str__(self) -> str:
        return (
            f"{self.device} is not tested, because {self.why}; resume with `tsadmin policy "
            f"resume {self.device}`"
        )


@define(eq=False)
class HeldTurn:
    """
    The turn of one device, as long as its test takes.  *job* is what the device is asked with.
    """

    job: UpdateJob
    _one: Updated
    _turns: Turns
    _records: UpdateRecords
    number: int = 0
    """Another one for each test, so that two do not block the same address."""

    @property
    def ends(self) -> bool:
        """Does the manager stop, or was the device removed?  Then nothing is waited for any more."""
        return self._turns.over(self._one)

    def tell(self, progress: Progress) -> None:
        """What is in progress, for those who wait for the device."""
        self._one.progress = progress  # a plain assignment: safe from any thread

    async def in_thread(self, call: Callable[..., T], *args: Any) -> T:
        """*call* of the job in a thread; a password that was refused is kept."""
        try:
            return await self._turns.in_thread(self._one, call, self.job, *args)
        except Unauthorised:
            if not self._one.gone:
                with suppress(TscmError):
                    self._records.note_refused_login(self.job.settings.name)
            raise

    def note(self, entry: Cidr | None) -> None:
        """
        What is about to be blocked, or that it is gone.  Durable on return; raises where it cannot be kept.
        """
        if not self._one.gone:
            self._records.change_memory(self.job.settings.name, test_entry=entry)


@define(eq=False)
class Proofs:
    """
    Gives tests the turn of their device, and takes away what one that was interrupted left.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _turns: Turns
    _records: UpdateRecords
    _devices: Mapping[str, Updated]
    _job: Callable[[Updated], UpdateJob]
    first_look_seconds: float = FIRST_LOOK_SECONDS
    _looks: dict[str, IDelayedCall] = field(factory=dict, init=False)
    _number: int = field(default=0, init=False)

    def hold(
        self, name: str, work: Callable[[HeldTurn], Coroutine[Any, Any, T]], asker: Asker
    ) -> Deferred[T]:
        """
        Do *work* in the turn of a device.  Raises `NoSuchDevice`; `DeviceHeld` when its turn has come.
        """
        one = self._device(name)
        self._records.refuse_fault()

        async def held() -> T:
            why = no_push(one.settings, self._records.memory(name), wall_seconds(self._clock))
            if why:
                raise DeviceHeld(name, why)
            try:
                self._number = max(self._number + 1, int(wall_seconds(self._clock)))
                job = self._job(one)
                return await work(HeldTurn(job, one, self._turns, self._records, self._number))
            finally:
                self.look_for_leftover(name, NEXT_LOOK_SECONDS)

        return self._turns.take(one, held, asker)

    def _device(self, name: str) -> Updated:
        try:
            return self._devices[name]
        except KeyError:
            raise NoSuchDevice(name) from None

    # -- what a test left --------------------------------------------------------

    def look_for_leftover(self, name: str, after: float | None = None) -> None:
        """Where the database says that a test was interrupted, have its entry taken away in a while."""
        self.forget(name)
        if self._turns.stopping or name not in self._devices:
            return
        with suppress(TscmError):  # without the database nothing is pushed
            if self._records.memory(name).test_entry is not None:
                self._looks[name] = self._clock.callLater(
                    self.first_look_seconds if after is None else after, self._look, name
                )

    def forget(self, name: str) -> None:
        """Look no more."""
        look = self._looks.pop(name, None)
        if look is not None:
            look.cancel()

    def stop(self) -> None:
        """Look at no device any more."""
        for name in list(self._looks):
            self.forget(name)

    def _look(self, name: str) -> None:
        del self._looks[name]
        one = self._devices[name]
        self._turns.take(one, lambda: self._clear(one), LEFTOVER).addErrback(self._failed, name)

    async def _clear(self, one: Updated) -> None:
        name, proof = one.settings.name, kind_of(one.settings).proof
        memory = self._records.memory(name)
        if self._turns.over(one) or memory.test_entry is None or not proof:
            return  # an update came first
        why = no_push(one.settings, memory, wall_seconds(self._clock))
        if why:  # an operator may have the groups in hand: they are not brought to any goal now
            self._log.warn(
                "{entry}, which a test of {device} blocked, stays in its groups, "
                "because {why}; the next update removes it",
                entry=memory.test_entry,
                device=name,
                why=why,
            )
            return
        hold = HeldTurn(self._job(one), one, self._turns, self._records)
        try:
            await hold.in_thread(loaded(proof).take_out, hold.tell)
        except TscmError as error:
            self._log.warn(
                "{entry}, which a test of {device} blocked, is still in its groups: {error}",
                entry=memory.test_entry,
                device=name,
                error=str(error),
            )
            self.look_for_leftover(name, NEXT_LOOK_SECONDS)
            return
        hold.note(None)
        self._log.info(
            "{entry}, which an interrupted test of {device} had blocked, was removed",
            entry=memory.test_entry,
            device=name,
        )

    def _failed(self, failure: Failure, name: str) -> None:
        self._log.failure("removing what a test of {device} left", failure, device=name)
