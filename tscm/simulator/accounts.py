"""
Who may log in, and the tokens of the REST agent.

Time comes in as a parameter.  Passwords are kept as the ASA writes them into its
configuration, PBKDF2 with SHA-512, so that a reload from text keeps the accounts.
"""

import base64
import hashlib
import hmac
import secrets

from attrs import define, field, frozen

_ROUNDS = 5000
NO_PASSWORD = ""
"""Of an account that no password opens."""


def _digest(password: str, salt: bytes) -> str:
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS, 16)
    return base64.b64encode(made).decode()


def hash_password(password: str) -> str:
    """`$sha512$5000$SALT$HASH`, as in `username … password … pbkdf2`."""
    salt = secrets.token_bytes(16)
    return f"$sha512${_ROUNDS}${base64.b64encode(salt).decode()}${_digest(password, salt)}"


@frozen(kw_only=True)
class Account:
    """
    A local user.
    """

    name: str
    password_hash: str = field(repr=False)
    privilege: int = 15

    def line(self) -> str:
        """As the running configuration shows it."""
        if self.password_hash == NO_PASSWORD:
            return f"username {self.name} nopassword privilege {self.privilege}"
        return (
            f"username {self.name} password {self.password_hash} pbkdf2 privilege {self.privilege}"
        )


@define(eq=False)
class Accounts:
    """
    Local users, failed logins and lock-out.

    *max_fail* 0 means that no user is locked out (`aaa local authentication attempts max-fail`).
    """

    max_fail: int = 0
    users: dict[str, Account] = field(factory=dict)
    failures: dict[str, int] = field(factory=dict)
    _verified: dict[str, str] = field(factory=dict, repr=False)

    def add(self, name: str, password: str, privilege: int = 15) -> None:
        """Make or change a user with a password in the clear."""
        self.put(Account(name=name, password_hash=hash_password(password), privilege=privilege))

    def put(self, account: Account) -> None:
        """Make or change a user."""
        self.users[account.name] = account
        self._verified.pop(account.name, None)

    def locked(self, name: str) -> bool:
        """Is the user locked out after too many wrong passwords?"""
        return bool(self.max_fail) and self.failures.get(name, 0) >= self.max_fail

    def check(self, name: str, password: str) -> Account | None:
        """The user, if the password is right and the account is not locked."""
        account = self.users.get(name)
        if account is None or self.locked(name):
            return None
        if not self._right(account, password):
            self.failures[name] = self.failures.get(name, 0) + 1
            return None
        self.failures.pop(name, None)
        return account

    def _right(self, account: Account, password: str) -> bool:
        if self._verified.get(account.name) == password:
            return True
        if account.password_hash == NO_PASSWORD:
            return False
        _, _, _, salt, wanted = account.password_hash.split("$")
        if not hmac.compare_digest(_digest(password, base64.b64decode(salt)), wanted):
            return False
        self._verified[account.name] = password
        return True


@define(eq=False)
class Tokens:
    """
    Tokens of the REST agent: in memory only, a fixed number, each with an end.
    """

    lifetime: float = 1800.0
    """Seconds without use after which a token dies; 0 for never."""
    maximum: int = 25
    issued: int = 0
    _held: dict[str, tuple[str, float]] = field(factory=dict, repr=False)

    def issue(self, user: str, now: float) -> str | None:
        """A new token, or None when the maximum is reached."""
        self._forget_old(now)
        if len(self._held) >= self.maximum:
            return None
        self.issued += 1
        token = f"{secrets.token_hex(4).upper()}@{secrets.randbelow(90000) + 10000}@{self.issued:X}"
        self._held[token] = (user, now)
        return token

    def user_of(self, token: str, now: float) -> str | None:
        """Whose token it is, if it still lives; that is a use of it."""
        self._forget_old(now)
        held = self._held.get(token)
        if held is None:
            return None
        self._held[token] = (held[0], now)
        return held[0]

    def give_back(self, token: str) -> bool:
        """Delete a token; False when there is none."""
        return self._held.pop(token, None) is not None

    def lose_all(self) -> None:
        """What a failover, a reload and (by switch) a restart of the agent do."""
        self._held.clear()

    def __len__(self) -> int:
        return len(self._held)

    def _forget_old(self, now: float) -> None:
        if self.lifetime:
            old = [t for t, (_, used) in self._held.items() if now - used >= self.lifetime]
            for token in old:
                del self._held[token]
