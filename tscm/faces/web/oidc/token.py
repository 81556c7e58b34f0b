"""
The ID token: its signature, and what it claims (OpenID Connect Core 1.0, 3.1.3.7).  Pure.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from typing import Any

from attrs import frozen

from tscm.faces.web.accounts import name_fault
from tscm.faces.web.oidc.documents import ALGORITHMS
from tscm.faces.web.oidc.fault import OidcFault
from tscm.faces.web.roles import Role

SKEW_SECONDS = 60.0
"""By how much the clocks of provider and page may differ."""
OLDEST_SECONDS = 600.0
"""A token is made for this very login."""
_MOST_TOKEN = 32_768
_MOST_SUBJECT = 255
"""OpenID Connect Core 1.0, 2."""
_MOST_VALUES = 1000
_LATEST = 1e12


@frozen(kw_only=True)
class Expected:
    """What a token must be about, and what its claims mean."""

    issuer: str
    client: str
    nonce: str
    name_claim: str
    roles_claim: str
    roles: Mapping[str, Role]
    """By the value of the claim."""


@frozen(kw_only=True)
class Identity:
    """Whom the provider has signed in.  *subject* never changes, the name may; without a role here it is that of a visitor."""

    issuer: str
    subject: str
    name: str
    role: Role


def key_id(token: str) -> str | None:
    """The identifier of the key that signed *token*, or None.  Raises `OidcFault`."""
    header = _header(token)
    if header.get("alg") not in ALGORITHMS:
        raise OidcFault("the ID token has a signature of a kind that is not accepted")
    found = header.get("kid")
    if found is not None and not isinstance(found, str):
        raise OidcFault("the ID token names its key in a way that cannot be read")
    return found


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > _MOST_TOKEN or token.count(".") != 2 or not token.isascii():
        raise OidcFault("the ID token is not a signed token")
    encoded = token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        found = None
    if not isinstance(found, dict):
        raise OidcFault("the ID token is not a signed token")
    return found


def claims_of(token: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What *token* claims, signed by the one of *keys* that it names.  Raises `OidcFault`."""
    from joserfc import jwk, jwt
    from joserfc.errors import JoseError

    wanted = key_id(token)
    named = [one for one in keys if wanted is None or one.get("kid") == wanted]
    if len(named) != 1:
        raise OidcFault("the ID token was not signed by a key of the provider")
    try:
        key = jwk.import_key(dict(named[0]))
        found = jwt.decode(token, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise OidcFault("the signature of the ID token is wrong") from None
    if not isinstance(found, dict):
        raise OidcFault("the ID token claims nothing")
    return found


def identity_of(claims: Mapping[str, Any], expected: Expected, now: float) -> Identity:
    """Whom verified *claims* are about.  Raises `OidcFault`."""
    if claims.get("iss") != expected.issuer:
        raise OidcFault("the ID token is of another issuer")
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    # A token that is for others too says for whom it was made.
    party = claims.get("azp", expected.client if len(meant) == 1 else None)
    if expected.client not in meant or party != expected.client:
        raise OidcFault("the ID token is for another client")
    _check_times(claims, now)
    nonce = claims.get("nonce")
    good = isinstance(nonce, str) and nonce.isascii() and compare_digest(nonce, expected.nonce)
    if not good:
        raise OidcFault("the ID token is of another login")
    subject = claims.get("sub")
    good = isinstance(subject, str) and subject.isascii() and 0 < len(subject) <= _MOST_SUBJECT
    if not good:
        raise OidcFault("the ID token names no subject")
    name = claims.get(expected.name_claim)
    if not isinstance(name, str) or name_fault(name) is not None:
        raise OidcFault(
            f"the claim {expected.name_claim} is no user name of 1 to 63 letters, digits and . _ @ -",
            is_denied=True,
        )
    return Identity(
        issuer=expected.issuer, subject=str(subject), name=name, role=_role(claims, expected)
    )


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    ends, made = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else made
    if now >= ends + SKEW_SECONDS or now - made > OLDEST_SECONDS + SKEW_SECONDS:
        raise OidcFault(
            "the ID token has expired; compare the clocks of the provider and of this host"
        )
    if max(begins, made) > now + SKEW_SECONDS:
        raise OidcFault(
            "the ID token is not valid yet; compare the clocks of the provider and of this host"
        )


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OidcFault(f"the ID token has no time {name}")
    if not -_LATEST < value < _LATEST:  # NaN and infinity are neither
        raise OidcFault(f"the ID token has no time {name}")
    return float(value)


def _role(claims: Mapping[str, Any], expected: Expected) -> Role:
    given = claims.get(expected.roles_claim)
    values = given if isinstance(given, list) else [given]
    found = [
        expected.roles[one]
        for one in values[:_MOST_VALUES]
        if isinstance(one, str) and one in expected.roles
    ]
    return max(found, default=Role.NOBODY)
