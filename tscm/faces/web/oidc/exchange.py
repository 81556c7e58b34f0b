"""
Requests to the provider.  Blocking, for a thread: bounded in time and size, no redirect, nothing out of the environment.
"""

import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

import httpx
from attrs import frozen

from tscm import __version__
from tscm.base.checked_wire import CheckedWire
from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.watched_http import WatchedTransport
from tscm.channels.fault import answer_text
from tscm.faces.web.oidc.documents import MOST_BYTES
from tscm.faces.web.oidc.fault import OidcFault

Fetch = Callable[[str, Mapping[str, str] | None], bytes]
"""Gets a URL, or posts a form there."""


@frozen(kw_only=True)
class Exchange:
    """Requests as the client *client*; the secret goes with forms alone."""

    client: str
    secret: str | None = None
    ca_file: str | None = None
    seconds: float = 10.0
    """For a request with its answer."""

    def __call__(self, url: str, form: Mapping[str, str] | None = None) -> bytes:
        """The body of a good answer.  Raises `OidcFault`."""
        cut = CutOff()
        try:
            context = trusting(self.ca_file)
            wire = CheckedWire(cut, lambda *_: None)
            with (
                cut.within(self.seconds),
                httpx.Client(
                    transport=WatchedTransport(wire, verify=context),
                    timeout=self.seconds,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
            ):
                body = self._exchanged(client, url, form)
            if cut.over:  # this side closed the connection, which may look like the end of a body
                raise TimeoutError
            return body
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError, ValueError) as error:
            late = cut.over or isinstance(error, httpx.TimeoutException)
            cause = "it did not answer in time" if late else answer_text(str(error))
            raise OidcFault(f"the provider cannot be reached: {cause}") from None

    def _exchanged(self, client: httpx.Client, url: str, form: Mapping[str, str] | None) -> bytes:
        headers = {
            "User-Agent": f"tscm/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # no bomb
        }
        if form is not None and self.secret is not None:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = f"{quote_plus(self.client)}:{quote_plus(self.secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        method = "GET" if form is None else "POST"
        with client.stream(method, url, data=form, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                told = f"the provider answered with status {response.status_code}"
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    told += "; an admin must check oidc_client and oidc_secret_file in the settings"
                raise OidcFault(told)
            body = b""
            for piece in response.iter_raw(65_536):
                body += piece
                if len(body) > MOST_BYTES:
                    raise OidcFault(f"the provider's answer has more than {MOST_BYTES:,} octets")
        return body
