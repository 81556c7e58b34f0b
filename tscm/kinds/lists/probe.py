"""
A look at the manager's own listener for lists, as a firewall comes to it.  Blocks.

It is asked for a path that is not there, so that no secret is shown to a host that may have taken its place.
"""

import socket
import ssl
from datetime import UTC, datetime

from attrs import define, field, frozen

from tscm.base.host_port import HostPort
from tscm.model import Identity, Json, Traffic
from tscm.settings.node import NodeSettings

SECONDS = 10.0
_ANSWER_BYTES = 4096
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here


@frozen(kw_only=True)
class Served:
    """
    What the listener answered to HEAD for no list, and what its certificate is good for.

    *status* is None where it did not come to an answer, for the *fault*.
    """

    where: str = ""
    status: int | None = None
    fault: str = ""
    names: tuple[str, ...] = ()
    expires_at: float | None = None


@define(eq=False)
class OwnListener:
    """
    A `Driver` that reaches no device: the firewall comes to us.
    """

    _node: NodeSettings
    traffic: Traffic = field(factory=Traffic, init=False)
    learnt: Json = field(factory=dict, init=False)

    def probe(self) -> Identity:
        """Nothing is known of the firewall."""
        return Identity()

    def identify(self) -> Identity:
        """Nothing is known of the firewall."""
        return Identity()

    def close(self) -> None:
        """Nothing is open."""

    def look(self) -> Served | None:
        """One request; None where no listener is set."""
        place = next((one for one in self._node.listen.lists if one.port), None)
        return None if place is None else self._ask(place)

    def _ask(self, place: HostPort) -> Served:
        host, port = _ANY.get(place.host, place.host), place.port or 0
        where = str(HostPort(host, port))
        try:
            plain = socket.create_connection((host, port), SECONDS)
            with plain, _context().wrap_socket(plain) as stream:
                names, expires_at = _told(stream.getpeercert(binary_form=True) or b"")
                stream.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = stream.recv(_ANSWER_BYTES)
            status = int(answer.split(b" ", 2)[1])
        except (OSError, ValueError, IndexError) as error:
            return Served(where=where, fault=getattr(error, "strerror", None) or str(error))
        return Served(where=where, status=status, names=names, expires_at=expires_at)


def _context() -> ssl.SSLContext:
    """It trusts no certificate: what the listener shows is looked at, and nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _told(certificate: bytes) -> tuple[tuple[str, ...], float]:
    """Names and end of a certificate.  Raises `ValueError`."""
    from cryptography import x509

    found = x509.load_der_x509_certificate(certificate)
    end = found.not_valid_after_utc.astimezone(UTC).timestamp()
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), end
    addresses = (str(one) for one in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses), end


def date_of(at: float) -> str:
    """The day of a time."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
