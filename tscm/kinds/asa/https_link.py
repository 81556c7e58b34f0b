"""
What the two sessions over HTTPS share: who logs in where, by which certificate, and how long and how much.
"""

import base64
import time
from collections.abc import Callable

from attrs import define, field, frozen

from tscm.base.secrets import Secret
from tscm.kinds.asa.https import HttpsSession
from tscm.kinds.asa.tls import Trust
from tscm.model import Traffic


@frozen(kw_only=True)
class HttpsBounds:
    """
    How long and how much (`tscm.kinds.asa.https.Asked`).  A configuration takes its time to print, and a write to work.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 120.0
    write_seconds: float = 300.0
    command_bytes: int = 1 << 20
    """What a command may answer that prints no configuration: each takes a few KB."""


@define(eq=False, kw_only=True)
class HttpsLink:
    """
    The web server of one device, as *username* sees it.

    *name* is the device's nickname, for errors; *root* the URL that all others begin with.
    """

    name: str
    root: str
    username: str
    password: Secret
    trust: Trust
    bounds: HttpsBounds = field(factory=HttpsBounds)
    monotonic: Callable[[], float] = time.monotonic
    traffic: Traffic = field(factory=Traffic, init=False)
    _https: HttpsSession = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._https = HttpsSession(
            name=self.name,
            root=self.root,
            trust=self.trust,
            connect_seconds=self.bounds.connect_seconds,
            monotonic=self.monotonic,
        )

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the certificate that it is held to."""
        return self._https.fingerprint

    @property
    def certificate(self) -> str | None:
        """The same, or that of the last session where this one has seen none: what is learnt of it."""
        return self.fingerprint or self.trust.seen

    def _basic(self) -> str:
        """The account as `Authorization` wants it (RFC 7617)."""
        account = f"{self.username}:{self.password.reveal()}".encode()
        return "Basic " + base64.b64encode(account).decode()
