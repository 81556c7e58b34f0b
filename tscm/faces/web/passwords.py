"""
Passwords of the page's users: kept as argon2id, judged before they are taken.

Hashing takes some 20 ms of CPU and 19 MB: for a thread, one at a time.
"""

import secrets
from functools import cache
from typing import Any

LEAST = 12
MOST = 256
_TIME_COST, _MEMORY_KB = 2, 19 * 1024
"""OWASP's second choice for argon2id; more only helps an attacker who floods the login."""


def password_fault(name: str, password: str) -> str | None:
    """Why *password* will not do for the user *name*, or None."""
    if len(password) < LEAST:
        return f"the password has fewer than {LEAST} characters"
    if len(password) > MOST:
        return f"the password has more than {MOST} characters"
    if len(set(password)) < 4:
        return "the password repeats the same few characters"
    if name.lower() in password.lower() and len(password) < len(name) + LEAST:
        return "the password contains the user name"
    return None


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_TIME_COST, memory_cost=_MEMORY_KB, parallelism=1)


@cache
def _of_nobody() -> str:
    return str(_hasher().hash(secrets.token_urlsafe(16)))


def hashed(password: str) -> str:
    """What is kept of a password.  Blocking."""
    return str(_hasher().hash(password))


def fits(kept: str | None, password: str) -> bool:
    """
    Whether *password* is the one of which *kept* was made; None is an unknown user's.  Blocking.

    Takes as long for an unknown user as for a known one.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        good: bool = _hasher().verify(_of_nobody() if kept is None else kept, password[:MOST])
    except (VerificationError, InvalidHashError):
        return False
    return good and kept is not None
