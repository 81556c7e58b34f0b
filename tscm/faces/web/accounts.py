"""
Who may sign in, and who is: users, sessions and one-time codes in a small SQLite file of the page's own.

For the reactor thread, in statements of some microseconds; `tsadmin web` opens the same file.  Of sessions and codes
only digests are kept: a reader of the file cannot use them.
"""

import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tscm.errors import TscmError
from tscm.faces.web.database import WebDatabase
from tscm.faces.web.roles import Role, role_of

CODE_SECONDS = 1800.0
TOUCH_SECONDS = 60.0
"""A session's last request is written down at most so often."""
MOST_USERS = 1000
NO_PASSWORD = "none"  # noqa: S105 - it is none
"""In the place of a hash: no password fits."""
MOST_SESSIONS = 32
"""Of one user; the oldest makes room."""
MOST_EVENTS = 20_000
_KNOWN_SECONDS = 90 * 86400.0
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")


@define(eq=False)
class AccountRefused(TscmError):
    """
    A user cannot be made or changed like that.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


@frozen(kw_only=True)
class User:
    """A user who may sign in.  Times are POSIX seconds."""

    name: str
    role: Role
    created_at: float
    signed_in_at: float | None
    sessions: int = 0


@frozen(kw_only=True)
class Session:
    """A browser that is signed in."""

    number: int
    user: str
    role: Role
    created_at: float
    seen_at: float
    address: str
    agent: str

    @property
    def is_proxied(self) -> bool:
        """Has a proxy signed the user in, so that nothing of it is kept?"""
        return self.number < 0


@frozen(kw_only=True)
class Event:
    """A login, or a change of the users: who, from where, and whether it was good."""

    at: float
    user: str
    address: str
    what: str
    good: bool


def name_fault(name: str) -> str | None:
    """Why this cannot be a user's name, or None: the name goes into the audit and into a header."""
    if _NAME.fullmatch(name):
        return None
    return "a user name has 1 to 63 letters, digits and . _ @ -, and begins with a letter or digit"


def digest(secret: str) -> bytes:
    """What is kept of a random secret: it needs no slow hash."""
    return sha256(secret.encode()).digest()


def unheard(user: str, address: str) -> None:
    """Failed logins are told to no one."""
    del user, address


@define(eq=False)
class Accounts:
    """
    The file *path*; `open` first.  Raises `AccountsUnusable` from everything.
    """

    path: Path
    idle_seconds: float = 1800.0
    longest_seconds: float = 12 * 3600.0
    database: WebDatabase = field(init=False)
    failed: Callable[[str, str], None] = field(default=unheard, init=False)
    """Hears of each failed login, with the name as it was typed and the address."""

    def __attrs_post_init__(self) -> None:
        self.database = WebDatabase(self.path)

    def open(self) -> None:
        """Open the file, and make it where it is absent."""
        self.database.open()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    # -- users ----------------------------------------------------------------

    def users(self) -> list[User]:
        """All, by name."""
        return [
            _user(row)
            for row in self.database.rows(
                "SELECT name, role, created_at, signed_in_at, (SELECT count(*) FROM sessions "
                "WHERE user = name) FROM users ORDER BY name LIMIT ?",
                MOST_USERS,
            )
        ]

    def user(self, name: str) -> User | None:
        """One, however the name is written."""
        rows = self.database.rows(
            "SELECT name, role, created_at, signed_in_at, 0 FROM users WHERE name = ?", name
        )
        return _user(rows[0]) if rows else None

    def hash_of(self, name: str) -> str | None:
        """What is kept of the user's password."""
        rows = self.database.rows("SELECT hash FROM users WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def any_user(self) -> bool:
        """Is there a user who may sign in?"""
        return bool(self.database.rows("SELECT 1 FROM users LIMIT 1"))

    def add_user(self, name: str, role: Role, kept: str, now: float) -> None:
        """A new user; *kept* is the hash of the password.  Raises `AccountRefused`."""
        fault = name_fault(name)
        if fault is not None:
            raise AccountRefused(fault)
        if self.user(name) is not None:
            raise AccountRefused(f"there is a user {name} already")
        if len(self.users()) >= MOST_USERS:
            raise AccountRefused(f"there are {MOST_USERS:,} users already; remove some first")
        self.database.do(
            "INSERT INTO users (name, role, hash, created_at) VALUES (?, ?, ?, ?)",
            *(name, role.word, kept, now),
        )

    def set_password(self, name: str, kept: str) -> None:
        """Another password: it ends all of the user's sessions.  Raises `AccountRefused` for a provider's user."""
        if self.is_of_provider(name):
            raise AccountRefused(
                f"{name} signs in with the OpenID Connect provider and has no password here"
            )
        self.database.do("UPDATE users SET hash = ? WHERE name = ?", kept, name)
        self.end_sessions(name)

    def set_role(self, name: str, role: Role) -> None:
        """Another role, from the next request on.  Raises `AccountRefused` for the last admin."""
        if role is not Role.ADMIN:
            self._refuse_last_admin(name)
        self.database.do("UPDATE users SET role = ? WHERE name = ?", role.word, name)

    def remove_user(self, name: str) -> None:
        """The user and his sessions.  Raises `AccountRefused` for the last admin."""
        self._refuse_last_admin(name)
        self.database.do("DELETE FROM users WHERE name = ?", name)

    def _refuse_last_admin(self, name: str) -> None:
        # An admin of the provider is no way in while the provider is away.
        admins = [
            one.name.lower()
            for one in self.users()
            if one.role is Role.ADMIN and not self.is_of_provider(one.name)
        ]
        if admins == [name.lower()]:
            raise AccountRefused(
                f"{name} is the only admin with a password here; give another user that role first"
            )

    # -- users of an OpenID Connect provider ---------------------------------------

    def is_of_provider(self, name: str) -> bool:
        """Does the provider sign this user in?"""
        return bool(self.database.rows("SELECT 1 FROM subjects WHERE user = ?", name))

    def user_of_subject(self, issuer: str, subject: str) -> str | None:
        """The user whom the provider calls so, or None."""
        rows = self.database.rows(
            "SELECT users.name FROM subjects JOIN users ON users.name = subjects.user "
            "WHERE issuer = ? AND subject = ?",
            *(issuer, subject),
        )
        return str(rows[0][0]) if rows else None

    def provided(self, issuer: str, subject: str, name: str, role: Role, now: float) -> str:
        """
        The user whom the provider calls *subject*, with *role* from now on; made by *name* at the first login.

        Raises `AccountRefused` where another user has that name: a name at the provider takes no account over.
        """
        found = self.user_of_subject(issuer, subject)
        if found is None:
            with self.database.together():  # a user without a subject could never sign in
                self.add_user(name, role, NO_PASSWORD, now)
                self.database.do(
                    "INSERT INTO subjects (user, issuer, subject) VALUES (?, ?, ?)",
                    *(name, issuer, subject),
                )
            return name
        self.database.do("UPDATE users SET role = ? WHERE name = ?", role.word, found)
        return found

    # -- sessions -------------------------------------------------------------

    def begin_session(self, name: str, address: str, agent: str, place: str, now: float) -> str:
        """A new session of *name*; gives the key that the browser keeps.  *place* is remembered as the user's."""
        key = secrets.token_urlsafe(32)
        own = self.sessions(name, now)
        for old in own[MOST_SESSIONS - 1 :]:
            self.end_session(old.number)
        self.database.do(
            "INSERT INTO sessions (digest, user, created_at, seen_at, address, agent) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(digest(key), name, now, now, address[:64], agent[:200]),
        )
        self.database.do("UPDATE users SET signed_in_at = ? WHERE name = ?", now, name)
        self.database.do(
            "INSERT OR REPLACE INTO places (user, place, at) VALUES (?, ?, ?)", name, place, now
        )
        self.database.do("DELETE FROM places WHERE at < ?", now - _KNOWN_SECONDS)
        return key

    def is_known(self, name: str, place: str) -> bool:
        """Has the user signed in from there before?"""
        return bool(
            self.database.rows("SELECT 1 FROM places WHERE user = ? AND place = ?", name, place)
        )

    def session(self, key: str, now: float, *, touch: bool = True) -> Session | None:
        """The session of that key while it lasts; with *touch* it lasts on by being asked for."""
        rows = self.database.rows(f"{_SESSIONS} WHERE digest = ?", digest(key))
        if not rows:
            return None
        found = _session(rows[0])
        if not self._lasts(found, now):
            self.end_session(found.number)
            return None
        if touch and not 0 <= now - found.seen_at < TOUCH_SECONDS:
            self.database.do("UPDATE sessions SET seen_at = ? WHERE number = ?", now, found.number)
        return found

    def proxied(self, name: str, address: str, now: float) -> Session | None:
        """What stands for a session where a proxy has signed the user in: its number is negative, and it is not kept."""
        rows = self.database.rows("SELECT -rowid, name, role FROM users WHERE name = ?", name)
        if not rows:
            return None
        number, user, role = rows[0]
        return Session(
            number=number,
            user=user,
            role=role_of(role),
            created_at=now,
            seen_at=now,
            address=address,
            agent="by a proxy",
        )

    def sessions(self, name: str | None, now: float) -> list[Session]:
        """Those of a user, or of all, the latest first."""
        where, args = ("", ()) if name is None else (" WHERE user = ?", (name,))
        rows = self.database.rows(f"{_SESSIONS}{where} ORDER BY seen_at DESC LIMIT 1000", *args)
        return [one for one in map(_session, rows) if self._lasts(one, now)]

    def end_session(self, number: int) -> None:
        """End one."""
        self.database.do("DELETE FROM sessions WHERE number = ?", number)

    def end_sessions(self, name: str) -> None:
        """End all of a user's."""
        self.database.do("DELETE FROM sessions WHERE user = ?", name)

    def _lasts(self, one: Session, now: float) -> bool:
        idle, age = now - one.seen_at, now - one.created_at
        # A clock that was set back must not make a session eternal.
        return -86400 < idle < self.idle_seconds and -86400 < age < self.longest_seconds

    # -- codes ----------------------------------------------------------------

    def new_code(self, user: str | None, now: float) -> str:
        """A one-time code: for the first admin (None), or for a new password of *user*; older ones end."""
        code = "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(4))
        self.database.do("DELETE FROM codes")
        self.database.do(
            "INSERT INTO codes (digest, user, until) VALUES (?, ?, ?)",
            *(digest(code), user, now + CODE_SECONDS),
        )
        return code

    def code_is_out(self, now: float) -> bool:
        """Is there a code that may still be used?"""
        return bool(self.database.rows("SELECT 1 FROM codes WHERE until > ?", now))

    def code_user(self, code: str, now: float) -> tuple[bool, str | None]:
        """Whether *code* is good, and for whom; it stays good until `use_code`."""
        spelt = "".join(code.upper().split())
        rows = self.database.rows("SELECT user, until FROM codes WHERE digest = ?", digest(spelt))
        if not rows or not now < rows[0][1] <= now + CODE_SECONDS:
            return False, None
        return True, rows[0][0]

    def use_code(self) -> None:
        """No code is good any more."""
        self.database.do("DELETE FROM codes")

    # -- events ---------------------------------------------------------------

    def note(self, now: float, user: str, address: str, what: str, *, good: bool) -> None:
        """Write down a login or a change of the users; the oldest are forgotten."""
        if not good:
            self.failed(user, address)  # first: a full disk hides no attack
        self.database.do(
            "INSERT INTO events (at, user, address, what, good) VALUES (?, ?, ?, ?, ?)",
            *(now, user[:64], address[:64], what[:200], int(good)),
        )
        self.database.do(
            "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", MOST_EVENTS
        )

    def events(self, most: int) -> list[Event]:
        """The latest, the last of them first."""
        return [
            Event(at=at, user=user, address=address, what=what, good=bool(good))
            for at, user, address, what, good in self.database.rows(
                "SELECT at, user, address, what, good FROM events ORDER BY id DESC LIMIT ?", most
            )
        ]


_SESSIONS = (
    "SELECT number, users.name, role, sessions.created_at, seen_at, address, agent "
    "FROM sessions JOIN users ON users.name = sessions.user"
)


def _user(row: tuple[Any, ...]) -> User:
    name, role, created_at, signed_in_at, sessions = row
    return User(
        name=name,
        role=role_of(role),
        created_at=created_at,
        signed_in_at=signed_in_at,
        sessions=sessions,
    )


def _session(row: tuple[Any, ...]) -> Session:
    number, user, role, created_at, seen_at, address, agent = row
    return Session(
        number=number,
        user=user,
        role=role_of(role),
        created_at=created_at,
        seen_at=seen_at,
        address=address,
        agent=agent,
    )
