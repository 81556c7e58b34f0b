"""
When live segments are sealed: at their size, at their age, and on request.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from tscm.base.schedule import in_slices
from tscm.spool.log import DeviceLog
from tscm.spool.room import RoomKeeper
from tscm.spool.seals import SealQueue
from tscm.spool.sync import Syncer


@define(eq=False)
class Rotation:
    """
    Seals the logs of *open_logs*; *on_more* is told of a log whose readers have more to read by that.
    """

    _clock: IReactorTime
    _rotate_seconds: float
    _open_logs: Mapping[str, DeviceLog]
    _full_logs: SealQueue
    _syncer: Syncer
    _room: RoomKeeper
    _on_more: Callable[[DeviceLog], None]
    rotate_bytes: dict[str, int] = field(factory=dict, init=False)
    """The size at which each device's live segment is sealed."""
    _due: deque[tuple[float, DeviceLog, int]] = field(factory=deque, init=False)
    """When which segment reaches its age, by the reactor's clock."""
    _due_base: dict[str, int] = field(factory=dict, init=False)

    def note_age(self, log: DeviceLog) -> None:
        """Have the live segment sealed in time, once for each."""
        live = log.live
        if live.end > live.base and self._due_base.get(log.name) != live.base:
            self._due_base[log.name] = live.base
            self._due.append((self._clock.seconds() + self._rotate_seconds, log, live.base))

    def closed(self, name: str) -> None:
        """The log is open no more; its age counts from the next opening on."""
        self._due_base.pop(name, None)

    def full(self, log: DeviceLog) -> None:
        """The size is reached: sealed at once, or by upkeep, where it or many others were sealed just now."""
        if self._full_logs.at_once(log, self._clock.seconds()):
            self.seal(log)

    def seal(self, log: DeviceLog, *, look: bool = True) -> bool:
        """
        Seal the live segment now; False where the disk refuses.  *look*: and see to the room at once.
        """
        live = log.live
        rotate = self.rotate_bytes[log.name]
        if live.end - live.base > log.repaired_at_once:
            log.repair()
        if log.copying is not None:  # not before its file is where it should be
            self._full_logs.add(log)
            return False
        try:
            fd = live.seal()
        except OSError as error:
            log.trouble(error, "cannot be rotated")
            live.full_bytes = live.end - live.base + rotate  # not again with every batch
            return False
        live.full_bytes = rotate
        log.sealed_at = self._clock.seconds()
        self._syncer.add_sealed(fd, live.folder)
        if live.waiting:
            self._on_more(log)
        if look:
            self._room.look([log])
        return True

    async def run(self, looked: Sequence[DeviceLog]) -> None:
        """Seal what is due by size and by age; see to the room of these and of *looked*."""
        await self._seal_full()
        self._room.look(list(looked))
        now = self._clock.seconds()
        while self._due and self._due[0][0] <= now:
            _, log, base = self._due.popleft()
            if log.live.base == base and self._open_logs.get(log.name) is log:
                if self.seal(log):
                    continue
                self._due_base.pop(log.name, None)
                self.note_age(log)

    async def _seal_full(self) -> None:
        """Seal what reached its size since the last look, as far as it is due; the rest waits once more."""
        async for log in in_slices(self._clock, self._full_logs.take()):
            if self._open_logs.get(log.name) is not log:
                continue
            live, rotate = log.live, self.rotate_bytes[log.name]
            over = live.end - live.base - rotate
            if over < 0:  # sealed for another reason meanwhile
                live.full_bytes = rotate
            elif self._full_logs.is_due(log, self._clock.seconds(), over):
                self.seal(log, look=False)
