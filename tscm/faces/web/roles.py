"""
What users of the page may do, in four steps.  Pure.
"""

from enum import IntEnum


class Role(IntEnum):
    """
    Each may do what those before it may.
    """

    NOBODY = 0
    """A visitor who has not signed in."""
    VIEWER = 1
    """Sees everything but the users."""
    ANALYST = 2
    """Plans, and allows or blocks one address for a short time, with a reason."""
    OPERATOR = 3
    """Pushes, holds and resumes."""
    ADMIN = 4
    """Users and their sessions."""

    @property
    def word(self) -> str:
        """As people read and type it."""
        return self.name.lower()


ROLES = (Role.VIEWER, Role.ANALYST, Role.OPERATOR, Role.ADMIN)
"""Those that a user can have."""


def role_of(word: str) -> Role:
    """The role of that word.  Raises `ValueError`."""
    for role in ROLES:
        if role.word == word:
            return role
    allowed = ", ".join(role.word for role in ROLES)
    raise ValueError(f"{word[:20]!r} is not a role; allowed: {allowed}")
