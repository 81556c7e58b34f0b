"""
Users, sessions and logins.
"""

from typing import ClassVar

from attrs import frozen

from tscm.faces.web.accounts import Event, Session, User


@frozen(kw_only=True)
class Users:
    """The users, and what happened at the login."""

    TEMPLATE: ClassVar[str] = "users.html"

    users: tuple[User, ...]
    sessions: tuple[Session, ...]
    events: tuple[Event, ...]
    own: int
    """Number of the session that looks."""
    me: str
    roles: tuple[str, ...]
    fault: str = ""
    name: str = ""
    role: str = "viewer"


@frozen(kw_only=True)
class Account:
    """One's own sessions and password."""

    TEMPLATE: ClassVar[str] = "account.html"

    name: str
    role: str
    sessions: tuple[Session, ...]
    own: int
    fault: str = ""
