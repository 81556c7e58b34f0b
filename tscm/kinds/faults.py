"""
What can go wrong between the manager and a device, each with its remedy in words.

All are `DeviceFault`.  The classes are named by what the update engine does about them: what may be tried again,
what must not, and what asks for smaller portions.
"""

from tscm.errors import DeviceFault
from tscm.risks import RiskFound


class Unreachable(DeviceFault):
    """
    Nothing was sent: no name, no route, no listener.
    """


class Untrusted(DeviceFault):
    """
    What the device shows of itself is not what the settings trust; no password was sent.

    *shown* is the SHA-256 of its certificate, where the operator may say that it is the device's.
    """

    def __init__(
        self, device: str, cause: str, remedy: str = "", *, shown: str | None = None
    ) -> None:
        super().__init__(device, cause, remedy)
        self.shown = shown


class IdentityChanged(Untrusted):
    """
    The device shows another identity than the one that is pinned or was seen last.

    *risk* is there where it may be accepted, which a pinned one allows for no other.
    """

    def __init__(
        self,
        device: str,
        cause: str,
        remedy: str = "",
        risk: RiskFound | None = None,
        *,
        shown: str | None = None,
    ) -> None:
        self.risk = risk
        super().__init__(device, cause, remedy, shown=shown)


class Unauthorised(DeviceFault):
    """
    A fresh login is refused: wrong user name or password.  Trying again can lock the account.
    """


class SessionLost(DeviceFault):
    """
    The login ended in the middle of a change, which was not made; a new one is good.
    """


class Forbidden(DeviceFault):
    """
    The account is known and may not do this.
    """


class InterfaceAbsent(DeviceFault):
    """
    The device answers, but not the interface by which it is changed: it may be starting.
    """


class SessionsUsedUp(DeviceFault):
    """
    The device has given out all the sessions or tokens that it can.
    """


class Overloaded(DeviceFault):
    """
    An internal error, a reset, a time-out or nonsense: what was asked may or may not have taken effect.

    The device is left alone for a while, and then read again.  *told* says that it gave a reason, as one does
    that is well and only says no.
    """

    def __init__(self, device: str, cause: str, remedy: str = "", *, told: bool = False) -> None:
        self.told = told
        super().__init__(device, cause, remedy, retry=True)


class Refused(DeviceFault):
    """
    The device understood and said no: its state is not what the step was planned for.

    *code* and *status* are the device's own words for it, where it has such.  *may_be_size*: can it be that too
    much was asked for at once?
    """

    def __init__(
        self,
        device: str,
        cause: str,
        *,
        status: int = 0,
        code: str = "",
        may_be_size: bool = True,
    ) -> None:
        self.status = status
        self.code = code
        self.may_be_size = may_be_size
        super().__init__(device, cause, retry=True)


class SaveFailed(DeviceFault):
    """
    The device did not say that it wrote its configuration.
    """
