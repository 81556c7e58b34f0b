"""
A login in progress at the provider: kept by the browser, sealed, so that no flood of logins fills a memory.
"""

import json
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

from attrs import asdict, field, frozen
from cryptography.fernet import Fernet, InvalidToken

LASTS_SECONDS = 600


def _random() -> str:
    return secrets.token_urlsafe(32)


@frozen(kw_only=True)
class Attempt:
    """What ties the provider's answer to the browser that was sent there (RFC 6749, 10.12; RFC 7636)."""

    state: str = field(factory=_random)
    nonce: str = field(factory=_random)
    verifier: str = field(factory=_random)
    way_back: str = "/"

    @property
    def challenge(self) -> str:
        """Of PKCE, by S256."""
        digest = sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


@frozen
class Seal:
    """Seals attempts under a key of this process; a restart in the middle asks for a new login."""

    _fernet: Fernet = field(factory=lambda: Fernet(Fernet.generate_key()))

    def closed(self, attempt: Attempt, now: float) -> str:
        """As the browser keeps it."""
        body = json.dumps(asdict(attempt)).encode()
        return self._fernet.encrypt_at_time(body, int(now)).decode()

    def opened(self, text: str, now: float) -> Attempt | None:
        """What was sealed within the last ten minutes."""
        try:
            body = self._fernet.decrypt_at_time(text.encode(), LASTS_SECONDS, int(now))
        except InvalidToken:
            return None
        return Attempt(**json.loads(body))
