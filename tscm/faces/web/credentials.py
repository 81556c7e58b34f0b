"""
Passwords checked and hashed in the one thread for it, and not more of them waiting than it can do in a second.
"""

from typing import TypeVar

from tscm.errors import TscmError
from tscm.faces.web.desk import Desk
from tscm.faces.web.passwords import fits, hashed

T = TypeVar("T")

MOST_HASHING = 16
KEPT_FOR_KNOWN = 4
"""Of these, for who signs in from a place of his own, or is signed in: guesses from thousands of addresses leave them free."""


class LoginBusy(TscmError):
    """
    More logins are tried at once than can be checked.
    """

    def __str__(self) -> str:
        return "many logins are being checked; try again in some seconds"


async def checked(desk: Desk, kept: str | None, password: str, *, known: bool = True) -> bool:
    """
    Whether *password* is the one of which *kept* was made; *known* is who signed in from there before, or is signed in.

    Raises `LoginBusy`.
    """
    _begin(desk, MOST_HASHING if known else MOST_HASHING - KEPT_FOR_KNOWN)
    return await desk.hashing.run(fits, kept, password).addBoth(_ended, desk)


async def made_hash(desk: Desk, password: str) -> str:
    """What is kept of a password.  Raises `LoginBusy`."""
    _begin(desk, MOST_HASHING)
    return await desk.hashing.run(hashed, password).addBoth(_ended, desk)


def _begin(desk: Desk, most: int) -> None:
    if desk.hashing_now >= most:
        raise LoginBusy
    desk.hashing_now += 1


def _ended(result: T, desk: Desk) -> T:
    desk.hashing_now -= 1
    return result
