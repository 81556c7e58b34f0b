"""
Logins that failed, as the manager is told of them: it judges whether they are an alarm.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.errors import TscmError
from tscm.faces.web.asking import Asking
from tscm.operations.arguments import LoginsFailed
from tscm.operations.table.alarms import NOTE_LOGINS

TELL_SECONDS = 15.0
"""How often the manager is told, however many fail."""
MOST = 1_000_000
"""That the manager takes in one call; what is beyond is not counted."""


@define(eq=False)
class LoginFailures:
    """
    Counts failed logins and tells the manager of them; what it does not take waits for the next time.

    *is_user*: does a user have that name?  No other name is told: people type passwords in its place.
    """

    _log: ClassVar[Logger] = Logger()

    _asking: Asking
    _is_user: Callable[[str], Any]
    _count: int = field(default=0, init=False)
    _last: tuple[str, str] = field(default=("", ""), init=False)
    _silent: bool = field(default=False, init=False)

    def note(self, user: str, address: str) -> None:
        """One more has failed."""
        self._count = min(MOST, self._count + 1)
        self._last = user, address

    async def tell(self) -> None:
        """Tell the manager, where there is something to tell; never fails."""
        count, (user, address) = self._count, self._last
        if not count:
            return
        try:
            known = user if user and self._is_user(user) else ""
            args = LoginsFailed(count=count, user=known, address=address)
            await self._asking.ask(NOTE_LOGINS, args)
        except TscmError as error:
            if not self._silent:
                self._log.warn(
                    "the manager was not told of failed logins: {error}; retrying", error=str(error)
                )
            self._silent = True
            return
        self._silent = False
        self._count -= count
