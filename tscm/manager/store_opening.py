"""
How the manager comes to settings and database: it takes their lock, opens the database, and retries while it cannot.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.base.schedule import PeriodicService
from tscm.errors import ManagerRunning, PoliciesHeld, TscmError
from tscm.settings.layout import Layout
from tscm.settings.lock import RootLock
from tscm.store.database import Store

REOPEN_SECONDS = 5.0


@define(eq=False)
class StoreOpening:
    """
    Holds the lock of settings, database and pushes, and opens *store*; *begin* starts what needs the database.

    A `tsadmin` that changes something without a manager holds that lock for minutes: lines come in meanwhile.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _layout: Layout
    _store: Store
    _begin: Callable[[], None]
    _lock: RootLock = field(init=False)
    _retries: PeriodicService = field(init=False)
    """Runs only where the database could not be used at the start."""

    def __attrs_post_init__(self) -> None:
        self._lock = RootLock(self._layout.policy_lock, "the manager")
        self._retries = PeriodicService(
            self._reactor, REOPEN_SECONDS, self._retry, "database check", REOPEN_SECONDS
        )

    def hold(self) -> None:
        """
        Settings, database and pushes are the manager's from now on.  Raises `PoliciesHeld`.
        """
        if self._lock.held:
            return
        try:
            self._lock.acquire()
        except ManagerRunning as error:
            raise PoliciesHeld(error.holder) from None
        except PermissionError:  # made by root, who gives it away in a moment
            raise PoliciesHeld("a process of root's") from None

    def startService(self) -> None:
        """Open the database now, or as soon as it can be used; collecting goes on without it."""
        if not self._open():
            self._retries.startService()

    def stopService(self) -> Any:
        """Retry no more; the lock stays held until `release`."""
        return self._retries.stopService()

    def release(self) -> None:
        """Close the database and give the lock back."""
        self._store.close()
        self._lock.release()

    def _open(self) -> bool:
        before = self._store.fault
        try:
            self.hold()
            self._store.open()
        except TscmError as error:
            self._store.fault = error
            if str(error) != str(before):
                self._log.error(
                    "{error}; until then lines are collected, forwarded and uploaded, and no policy "
                    "is updated",
                    error=str(error),
                )
            return False
        self._begin()
        return True

    async def _retry(self) -> None:
        if self._store.fault is not None and self._open():
            self._log.info("the database is usable again; policy updates resume")
