"""
API keys: who may call `/api/v1`, for what, from where and until when.

A key is random, so that a digest without salt and slowness is all that is kept of it; it is shown once.
"""

import secrets
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from typing import Any

from attrs import define, frozen

from tscm.faces.web.accounts import AccountRefused, digest, name_fault
from tscm.faces.web.database import WebDatabase
from tscm.faces.web.roles import Role, role_of

PREFIX = "tsk_"
LONGEST_SECONDS = 366 * 86400.0
MOST_KEYS = 200
MOST_NETWORKS = 32
MOST_CALLS = 20_000
TOUCH_SECONDS = 60.0
"""The last use of a key is written down at most so often."""
_NAME_MOST = 40
"""With `key:` before it, a name fits into what the manager's audit keeps."""


@frozen(kw_only=True)
class ApiKey:
    """
    A key without its secret.  Times are POSIX seconds.
    """

    name: str
    role: Role
    until: float
    nouns: tuple[str, ...] = ()
    """The nouns of the operation table that it may call; none: all of them."""
    networks: tuple[str, ...] = ()
    """Where it may be used from; none: anywhere."""
    shown: str = ""
    """How the key begins, so that people find it again where they stored it."""
    created_at: float = 0.0
    created_by: str = ""
    used_at: float | None = None
    used_from: str = ""

    @property
    def actor(self) -> str:
        """The name in the audit; no user can have one with a colon."""
        return f"key:{self.name}"


@frozen(kw_only=True)
class KeyCall:
    """One call with a key: what was asked from where, and the status of the answer."""

    at: float
    key: str
    address: str
    what: str
    status: int


def network_of(text: str) -> str:
    """A network or address in its canonical spelling.  Raises `ValueError`."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not an address or network") from None


def key_fault(key: ApiKey, nouns: Collection[str], now: float) -> str | None:
    """Why *key* cannot be created at *now*, or None; *nouns* are those that there are."""
    fault = name_fault(key.name)
    if fault is not None or len(key.name) > _NAME_MOST:
        return f"a key name has 1 to {_NAME_MOST} letters, digits and . _ @ -, and begins with a letter or digit"
    unknown = [one for one in key.nouns if one not in nouns]
    if unknown:
        return f"{unknown[0][:40]!r} is not a group of calls; allowed: {', '.join(sorted(nouns))}"
    if len(key.networks) > MOST_NETWORKS:
        return f"a key has at most {MOST_NETWORKS} source networks"
    if not now < key.until <= now + LONGEST_SECONDS:
        return "a key must expire within 366 days"
    return None


def is_within(address: str, networks: Collection[str]) -> bool:
    """Does *address* lie in one of *networks*, or are there none?"""
    if not networks:
        return True
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ip_network(one) for one in networks)


@define(eq=False)
class Keys:
    """
    The keys in the page's database.  Raises `AccountsUnusable` from everything.
    """

    _database: WebDatabase

    def add(self, key: ApiKey) -> str:
        """Store *key*, which has no fault; gives its secret, of which nothing is kept.  Raises `AccountRefused`."""
        if self.find(key.name) is not None:
            raise AccountRefused(f"a key named {key.name} already exists; remove it first")
        if len(self.all()) >= MOST_KEYS:
            raise AccountRefused(f"{MOST_KEYS} keys exist already; remove some first")
        shown = PREFIX + secrets.token_hex(4)
        secret = f"{shown}_{secrets.token_urlsafe(32)}"
        self._database.do(
            "INSERT INTO keys (name, shown, digest, role, nouns, networks, created_at, created_by, "
            "until, used_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
            *(key.name, shown, digest(secret), key.role.word),
            *(" ".join(key.nouns), " ".join(key.networks)),
            *(key.created_at, key.created_by[:64], key.until),
        )
        return secret

    def all(self) -> list[ApiKey]:
        """All, by name."""
        return [_key(row) for row in self._database.rows(f"{_KEYS} ORDER BY name")]

    def find(self, name: str) -> ApiKey | None:
        """One by its name, however that is written."""
        rows = self._database.rows(f"{_KEYS} WHERE name = ?", name)
        return _key(rows[0]) if rows else None

    def of_secret(self, secret: str) -> ApiKey | None:
        """The key that *secret* is, also one that has expired."""
        rows = self._database.rows(f"{_KEYS} WHERE digest = ?", digest(secret))
        return _key(rows[0]) if rows else None

    def remove(self, name: str) -> None:
        """Forget a key: from the next call on it is unknown.  Raises `AccountRefused`."""
        if self.find(name) is None:
            raise AccountRefused(
                f"no key named {name[:64]!r}; list the keys with `tsadmin web keys list`"
            )
        self._database.do("DELETE FROM keys WHERE name = ?", name)

    def note(self, key: ApiKey, address: str, what: str, status: int, now: float) -> None:
        """Write down one call; the oldest are forgotten."""
        if (
            key.used_at is None
            or not 0 <= now - key.used_at < TOUCH_SECONDS
            or key.used_from != address
        ):
            self._database.do(
                "UPDATE keys SET used_at = ?, used_from = ? WHERE name = ?",
                *(now, address[:64], key.name),
            )
        self._database.do(
            "INSERT INTO key_calls (at, key, address, what, status) VALUES (?, ?, ?, ?, ?)",
            *(now, key.name, address[:64], what[:200], status),
        )
        self._database.do(
            "DELETE FROM key_calls WHERE id <= (SELECT max(id) FROM key_calls) - ?", MOST_CALLS
        )

    def calls(self, most: int, name: str | None = None) -> list[KeyCall]:
        """The latest, the last of them first; of one key, or of all."""
        where, args = ("", ()) if name is None else (" WHERE key = ?", (name,))
        return [
            KeyCall(at=at, key=key, address=address, what=what, status=status)
            for at, key, address, what, status in self._database.rows(
                f"SELECT at, key, address, what, status FROM key_calls{where} "  # noqa: S608 - constants
                "ORDER BY id DESC LIMIT ?",
                *(*args, most),
            )
        ]


_KEYS = (
    "SELECT name, shown, role, nouns, networks, created_at, created_by, until, used_at, used_from "
    "FROM keys"
)


def _key(row: tuple[Any, ...]) -> ApiKey:
    name, shown, role, nouns, networks, created_at, created_by, until, used_at, used_from = row
    return ApiKey(
        name=name,
        shown=shown,
        role=role_of(role),
        nouns=tuple(nouns.split()),
        networks=tuple(networks.split()),
        created_at=created_at,
        created_by=created_by,
        until=until,
        used_at=used_at,
        used_from=used_from,
    )
