"""
What a provider publishes: its endpoints (OpenID Connect Discovery 1.0) and its keys (RFC 7517).  Pure.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from tscm.faces.web.oidc.fault import OidcFault

MOST_BYTES = 262_144
"""Of any answer; a key set with certificates of ten keys has some 20 KB."""
MOST_KEYS = 64
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""Signatures by a private key alone: neither `none`, nor HMAC with what is public."""
_KINDS = {"RSA", "EC"}
_LEAST_RSA_OCTETS = 256
_MOST_RSA_OCTETS = 1024
"""A longer key takes long to check."""
_MOST_TEXT = 2000


@frozen(kw_only=True)
class Metadata:
    """The endpoints of a provider."""

    issuer: str
    authorization: str
    token: str
    keys: str


def object_of(body: bytes, what: str) -> Mapping[str, Any]:
    """The JSON object in *body*.  Raises `OidcFault`."""
    if len(body) > MOST_BYTES:
        raise OidcFault(f"{what} of the provider has more than {MOST_BYTES:,} octets")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise OidcFault(f"{what} of the provider is not JSON") from None
    if not isinstance(found, dict):
        raise OidcFault(f"{what} of the provider is not a JSON object")
    return found


def metadata_of(body: bytes, issuer: str) -> Metadata:
    """The endpoints in the discovery document of *issuer*, which is written without a last `/`.  Raises `OidcFault`."""
    found = object_of(body, "the discovery document")
    named = found.get("issuer")
    if not isinstance(named, str) or named not in {issuer, f"{issuer}/"}:
        raise OidcFault("the discovery document is of another issuer than [web] oidc_issuer")
    return Metadata(
        issuer=str(named),
        authorization=_endpoint(found, "authorization_endpoint"),
        token=_endpoint(found, "token_endpoint"),
        keys=_endpoint(found, "jwks_uri"),
    )


def _endpoint(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise OidcFault(f"the discovery document has no {name}")
    try:
        parts = urlsplit(value)
        good = (
            parts.scheme == "https"
            and parts.hostname
            and parts.port != 0
            and "@" not in parts.netloc
        )
    except ValueError:
        good = False
    if not good or not (value.isascii() and value.isprintable()) or " " in value or parts.fragment:
        raise OidcFault(f"{name} in the discovery document is no https URL")
    return value


def keys_of(body: bytes) -> tuple[Mapping[str, Any], ...]:
    """The public keys for signatures in a key set; others are passed over.  Raises `OidcFault`."""
    listed = object_of(body, "the key set").get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise OidcFault(f"the key set of the provider has no list of at most {MOST_KEYS} keys")
    keys = tuple(one for one in listed if isinstance(one, dict) and _is_for_signatures(one))
    if not keys:
        raise OidcFault("the key set of the provider has no public key for signatures")
    return keys


def _is_for_signatures(key: Mapping[str, Any]) -> bool:
    kid = key.get("kid")
    if key.get("kty") not in _KINDS or key.get("use", "sig") != "sig":
        return False
    if kid is not None and (not isinstance(kid, str) or len(kid) > _MOST_TEXT):
        return False
    if key["kty"] != "RSA":
        return True
    modulus, exponent = key.get("n"), key.get("e")
    if not isinstance(modulus, str) or not isinstance(exponent, str) or len(exponent) > 8:
        return False
    return _LEAST_RSA_OCTETS <= len(modulus) * 3 // 4 <= _MOST_RSA_OCTETS


def id_token_of(body: bytes) -> str:
    """The ID token in the answer of the token endpoint.  Raises `OidcFault`."""
    found = object_of(body, "the answer of the token endpoint").get("id_token")
    if not isinstance(found, str):
        raise OidcFault(
            "the provider sent no ID token; the scope openid must be allowed for the client"
        )
    return found
