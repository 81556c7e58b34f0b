"""
What the handlers of pages work with.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from tscm.base.threads import Threads
from tscm.faces.web.accounts import Accounts
from tscm.faces.web.asking import Asking
from tscm.faces.web.throttle import Throttle
from tscm.settings.web import WebSettings

if TYPE_CHECKING:
    from tscm.faces.web.chain import Chain
    from tscm.faces.web.drafts import Drafts
    from tscm.faces.web.live_streams import LiveStreams
    from tscm.faces.web.oidc.provider import Provider
    from tscm.faces.web.planned import Plans

MOST_NOTICES = 1000


@define(eq=False)
class Desk:
    """
    The parts of the page; *hashing* is one thread, so that logins cannot take more than one core and 19 MB.
    """

    settings: WebSettings
    accounts: Accounts
    asking: Asking
    hashing: Threads
    plans: "Plans"
    chain: "Chain"
    live: "LiveStreams"
    drafts: "Drafts"
    now: Callable[[], float]
    provider: "Provider | None" = None
    """Of OpenID Connect."""
    throttle: Throttle = field(factory=Throttle)
    hashing_now: int = 0
    fingerprint: Callable[[], str] = str
    """SHA-256 of the certificate in force."""
    certificate_fault: Callable[[], str] = str
    """Why the files of the certificate cannot be used since they changed; empty while they can."""
    _notices: dict[int, str] = field(factory=dict, init=False)

    def notice(self, session: int, text: str) -> None:
        """Tell *text* on the next page of that session."""
        self._notices.pop(session, None)
        self._notices[session] = text
        while len(self._notices) > MOST_NOTICES:
            del self._notices[next(iter(self._notices))]

    def take_notice(self, session: int) -> str:
        """What is to be told, once."""
        return self._notices.pop(session, "")
