"""
Holding a device's scheduled updates for an operator, and ending that when its time has come.

In the reactor thread, on the store.
"""

from collections.abc import Callable, Mapping

from attrs import frozen

from tscm.errors import NoSuchDevice
from tscm.update.hold import Hold
from tscm.update.memory import DeviceMemory
from tscm.update.records import UpdateRecords
from tscm.update.turns import Updated


@frozen
class Holds:
    """
    The holds of all devices, as the database has them.
    """

    _now: Callable[[], float]
    _records: UpdateRecords
    _devices: Mapping[str, Updated]

    def hold(self, name: str, by: str, until: float | None, reason: str) -> Hold:
        """
        No scheduled updates from now on; another hold of the device is replaced.

        Durable on return.  Raises `NoSuchDevice`, and why the store cannot be used.
        """
        if name not in self._devices:
            raise NoSuchDevice(name)
        self._records.refuse_fault()
        hold = Hold(since=self._now(), until=until, reason=reason, by=by)
        self._records.keep_hold(name, hold)
        return hold

    def keep(self, name: str, memory: DeviceMemory) -> bool:
        """Is no scheduled update to be?  A hold whose time is over is ended."""
        hold = memory.operators_hold
        if hold is not None and hold.over(self._now()):
            self._records.end_hold(name, self._now(), "at the scheduled time")
            hold = None
        return memory.held or hold is not None
