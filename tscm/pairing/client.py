"""
A manager's requests to its portal: one exchange over TLS, with a certificate that is known by its SHA-256.  Blocking.

Names and dates of the certificate do not matter, so a clock that is off by a day does not either.  Nothing is sent
before the certificate was seen to be the right one.
"""

import http.client
import json
import socket
import ssl
from hashlib import sha256
from urllib.parse import urlsplit

from attrs import define

from tscm.base.deadline import CutOff
from tscm.errors import TscmError
from tscm.model import Json
from tscm.pairing.messages import ANSWER_BYTES, MessageFaulty, decode, told

CONNECT_SECONDS = 10.0
_PORT = 443


@define(eq=False)
class PortalUnreachable(TscmError):
    """
    The portal cannot be asked, or its answer is none.
    """

    exit_status = 3

    portal: str
    cause: str

    def __str__(self) -> str:
        return (
            f"the portal at {self.portal} does not answer: {self.cause}; check the URL, and that its "
            "`[portal] pairing` listener can be reached from here"
        )


@define(eq=False)
class PortalMistaken(TscmError):
    """
    Who answers at the portal's address has another certificate.
    """

    exit_status = 3

    portal: str
    expected: str
    presented: str

    def __str__(self) -> str:
        return (
            f"the host at {self.portal} presents the certificate with SHA-256 {self.presented}, and "
            f"the portal's begins with {self.expected[:32]}; nothing was sent; check the address, and "
            "if the portal's certificate was replaced, pair again with a new auto key"
        )


@define(eq=False)
class PortalRefuses(TscmError):
    """
    The portal says no, and why.
    """

    exit_status = 3

    portal: str
    status: int
    sentence: str

    def __str__(self) -> str:
        return f"the portal at {self.portal} refuses ({self.status}): {self.sentence}"


def exchange(portal: str, pin: str, path: str, body: Json, seconds: float) -> tuple[Json, str]:
    """
    The answer to *body*, and the SHA-256 of the certificate, which must begin with *pin*.

    Ends after *seconds*, whatever comes.  Raises `PortalUnreachable`, `PortalMistaken`, `PortalRefuses`.
    """
    cut = CutOff()
    try:
        with cut.within(seconds):
            return _exchange(portal, pin, path, body, cut)
    except TimeoutError:
        raise PortalUnreachable(portal, "it took too long") from None
    except UnicodeError:  # of a host name with an empty label, or one over 63 characters
        raise PortalUnreachable(portal, "its name is not a host name") from None
    except (OSError, http.client.HTTPException) as error:
        cause = "it took too long" if cut.over and not cut.stopped else _cause(error)
        raise PortalUnreachable(portal, cause) from None


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the connection ended'}"
    if isinstance(error, socket.gaierror):
        return "its name cannot be looked up"
    if isinstance(error, OSError):
        return error.strerror or str(error) or "the connection ended"
    return "the answer is not HTTP"


def _exchange(portal: str, pin: str, path: str, body: Json, cut: CutOff) -> tuple[Json, str]:
    parts = urlsplit(portal)
    host, port = parts.hostname or "", parts.port or _PORT
    plain = cut.connect(host, port, CONNECT_SECONDS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # the SHA-256 below says more than a name does
    context.verify_mode = ssl.CERT_NONE
    plain.settimeout(None)  # the cut-off ends it
    with context.wrap_socket(plain, server_hostname=host) as secured:
        shown = sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if not pin or not shown.startswith(pin):
            raise PortalMistaken(portal, pin, shown)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = secured
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request("POST", parts.path.rstrip("/") + path, content, headers)
        answer = connection.getresponse()
        raw = answer.read(ANSWER_BYTES + 1)
    if len(raw) > ANSWER_BYTES:
        raise PortalUnreachable(portal, f"its answer is longer than {ANSWER_BYTES:,} bytes")
    try:
        found = decode(raw)
    except MessageFaulty as error:
        found = {"error": str(error)}
        if answer.status == http.client.OK:
            raise PortalUnreachable(portal, error.cause) from None
    if answer.status != http.client.OK:
        raise PortalRefuses(portal, answer.status, told(found.get("error")) or "without a reason")
    return found, shown
