"""
The provider of the settings: its documents while they are fresh, where a browser is sent, and whom it brings back.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from attrs import define, field, frozen

from tscm.base.threads import Threads
from tscm.faces.web.oidc.attempt import Attempt, Seal
from tscm.faces.web.oidc.documents import Metadata, id_token_of, keys_of, metadata_of
from tscm.faces.web.oidc.exchange import Exchange, Fetch
from tscm.faces.web.oidc.fault import OidcFault, OidcUnusable
from tscm.faces.web.oidc.token import Expected, Identity, claims_of, identity_of, key_id
from tscm.faces.web.roles import Role
from tscm.settings.secret_file import read_secret
from tscm.settings.web import WebSettings

T = TypeVar("T")

FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 15.0
"""A provider that is away, or a key that it does not have, is asked for at most so often."""
MOST_WAITING = 8
WAY_BACK = "/login/oidc/done"
"""Path of the redirect URI."""


@frozen(kw_only=True)
class Terms:
    """What the settings say about the provider."""

    issuer: str
    client: str
    way_back: str
    """The redirect URI."""
    name_claim: str
    roles_claim: str
    roles: Mapping[str, Role]


@define(eq=False)
class _Kept(Generic[T]):
    """A document of the provider, or why it could not be had."""

    _lock: Lock = field(factory=Lock, init=False)
    _value: T | None = field(default=None, init=False)
    _value_at: float = field(default=0.0, init=False)
    _fault: OidcFault | None = field(default=None, init=False)
    _fault_at: float = field(default=0.0, init=False)

    def get(self, fetch: Callable[[], T], now: float, fresh: float) -> T:
        """What is younger than *fresh* seconds, or what *fetch* gives.  Raises `OidcFault`."""
        with self._lock:
            if self._value is not None and 0 <= now - self._value_at < fresh:
                return self._value
            if self._fault is not None and 0 <= now - self._fault_at < AGAIN_SECONDS:
                raise OidcFault(self._fault.cause)
            try:
                self._value, self._value_at, self._fault = fetch(), now, None
            except OidcFault as error:
                self._fault, self._fault_at = error, now
                raise
            return self._value


@define(eq=False)
class Provider:
    """
    For the reactor thread; documents and tokens are fetched and read in *threads*.
    """

    terms: Terms
    _fetch: Fetch
    _threads: Threads
    _now: Callable[[], float]
    seal: Seal = field(factory=Seal)
    _metadata: _Kept[Metadata] = field(factory=_Kept, init=False)
    _keys: _Kept[tuple[Mapping[str, Any], ...]] = field(factory=_Kept, init=False)
    _waiting: int = field(default=0, init=False)

    async def address_for(self, attempt: Attempt) -> str:
        """Where the browser signs in.  Raises `OidcFault`."""
        endpoint = (await self._in_thread(self._metadata_now)).authorization
        question = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": self.terms.client,
            "redirect_uri": self.terms.way_back,
            "scope": "openid profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(question)}"

    async def identity(self, attempt: Attempt, code: str) -> Identity:
        """Whom the provider has signed in, for the code that it gave.  Raises `OidcFault`."""
        return await self._in_thread(lambda: self._identity(attempt, code))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise OidcFault(
                "many logins with the provider are being checked; try again in some seconds"
            )
        self._waiting += 1
        try:
            return await self._threads.run(call)
        finally:
            self._waiting -= 1

    # -- in a thread ----------------------------------------------------------

    def _metadata_now(self) -> Metadata:
        url = f"{self.terms.issuer}/.well-known/openid-configuration"
        issuer = self.terms.issuer
        return self._metadata.get(
            lambda: metadata_of(self._fetch(url, None), issuer), self._now(), FRESH_SECONDS
        )

    def _keys_now(self, url: str, fresh: float) -> tuple[Mapping[str, Any], ...]:
        return self._keys.get(lambda: keys_of(self._fetch(url, None)), self._now(), fresh)

    def _identity(self, attempt: Attempt, code: str) -> Identity:
        found = self._metadata_now()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.terms.way_back,
            "client_id": self.terms.client,
            "code_verifier": attempt.verifier,
        }
        token = id_token_of(self._fetch(found.token, form))
        keys = self._keys_now(found.keys, FRESH_SECONDS)
        if not _has(keys, key_id(token)):  # the provider may have changed its keys
            keys = self._keys_now(found.keys, AGAIN_SECONDS)
        expected = Expected(
            issuer=found.issuer,
            client=self.terms.client,
            nonce=attempt.nonce,
            name_claim=self.terms.name_claim,
            roles_claim=self.terms.roles_claim,
            roles=self.terms.roles,
        )
        return identity_of(claims_of(token, keys), expected, self._now())


def _has(keys: Sequence[Mapping[str, Any]], wanted: str | None) -> bool:
    return wanted is None or any(one.get("kid") == wanted for one in keys)


def provider_of(
    settings: WebSettings, threads: Threads, now: Callable[[], float]
) -> Provider | None:
    """The provider of the settings, or None without one.  Raises `OidcUnusable`, `SecretFileFaulty`."""
    if settings.oidc_issuer is None:
        return None
    if find_spec("joserfc") is None:
        raise OidcUnusable(
            "[web] oidc_issuer needs the package joserfc; install it with `pip install tscm[oidc]`"
        )
    if settings.oidc_client is None or settings.url is None:
        raise OidcUnusable("[web] oidc_issuer is set without oidc_client or url; set all three")
    roles = {
        value: role
        for role, values in (
            (Role.VIEWER, settings.oidc_viewers),
            (Role.ANALYST, settings.oidc_analysts),
            (Role.OPERATOR, settings.oidc_operators),
            (Role.ADMIN, settings.oidc_admins),
        )
        for value in values
    }
    secret = None
    if settings.oidc_secret_file is not None:
        # The page has no key to seal it with: its process needs no secret of the manager.
        path = Path(settings.oidc_secret_file)
        secret = read_secret(path, "web/oidc", None, "[web] oidc_secret_file").reveal()
    terms = Terms(
        issuer=settings.oidc_issuer,
        client=settings.oidc_client,
        way_back=f"{settings.url}{WAY_BACK}",
        name_claim=settings.oidc_name_claim,
        roles_claim=settings.oidc_roles_claim,
        roles=roles,
    )
    exchange = Exchange(client=settings.oidc_client, secret=secret, ca_file=settings.oidc_ca_file)
    return Provider(terms, exchange, threads, now)
