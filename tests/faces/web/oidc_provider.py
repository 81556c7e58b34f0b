"""
An OpenID Connect provider of the tests' own: a page with a login, real signatures, and answers that a test bends.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from attrs import define, field
from joserfc import jwk, jws

ISSUER = "https://login.example/realms/site"
CLIENT = "tscm"


@cache
def signing_key(kid: str = "one") -> Any:
    return jwk.RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True)


@define(eq=False)
class FakeProvider:
    """
    *bend* changes the claims, *answers* replaces a document by its path: bytes, or an exception.
    """

    now: Callable[[], float]
    key: Any = field(factory=signing_key)
    algorithm: str = "RS256"
    bend: dict[str, Any] = field(factory=dict)
    answers: dict[str, Any] = field(factory=dict)
    asked: list[str] = field(factory=list)
    user: dict[str, Any] = field(
        factory=lambda: {"sub": "u-1", "preferred_username": "anna", "groups": ["fw-ops", "all"]}
    )
    _codes: dict[str, Mapping[str, str]] = field(factory=dict, init=False)

    def sign_in(self, address: str) -> str:
        """What a browser that was sent to *address* brings back: path and query."""
        parts = urlsplit(address)
        question = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ISSUER}/auth"
        assert question["response_type"] == "code"
        assert question["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = question
        back = urlsplit(question["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': question['state'], 'iss': ISSUER})}"

    def fetch(self, url: str, form: Mapping[str, str] | None) -> bytes:
        """As the page asks."""
        path = url.removeprefix(ISSUER)
        self.asked.append(path)
        answer = self.answers.get(path)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return bytes(answer)
        if path == "/.well-known/openid-configuration":
            return json.dumps(self.metadata()).encode()
        if path == "/keys":
            return json.dumps({"keys": [self.key.as_dict(private=False)]}).encode()
        assert path == "/token"
        assert form is not None
        question = self._codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == question["code_challenge"]
        assert form["redirect_uri"] == question["redirect_uri"]
        return json.dumps({"id_token": self.token(question["nonce"])}).encode()

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }

    def token(self, nonce: str) -> str:
        now = int(self.now())
        claims = {"iss": ISSUER, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce}
        claims |= self.user | self.bend
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        body = json.dumps(claims).encode()  # with escapes, so that half a character goes on its way
        return jws.serialize_compact(header, body, self.key, algorithms=[self.algorithm])
