"""
The self-signed certificate that an ASA makes for itself.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import field, frozen
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer


@frozen(kw_only=True)
class Certificate:
    """
    *certificate* is PEM; *fingerprint* is SHA-256 in lower-case hex without colons.
    """

    certificate: bytes
    fingerprint: str
    _certificate: Any = field(repr=False, alias="certificate_object")
    _key: Any = field(repr=False)

    def context(self) -> Any:
        """A pyOpenSSL context that serves with it."""
        from OpenSSL import SSL

        made = SSL.Context(SSL.TLS_SERVER_METHOD)
        made.use_privatekey(self._key)
        made.use_certificate(self._certificate)
        return made

    def write(self, folder: Path) -> Path:
        """Put the certificate where a client can name it as its CA file; the key stays here."""
        path = folder / "asa.pem"
        path.write_bytes(self.certificate)
        return path


def make_certificate(hostname: str, address: str) -> Certificate:
    """A fresh certificate for *hostname* and *address*, valid for ten years."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    if hostname.isascii() and hostname != "localhost":
        names.append(x509.DNSName(hostname))
    literals = dict.fromkeys((address, "127.0.0.1"))
    names.extend(x509.IPAddress(ip_address(literal)) for literal in literals)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate=made.public_bytes(serialization.Encoding.PEM),
        fingerprint=made.fingerprint(hashes.SHA256()).hex(),
        certificate_object=made,
        key=key,
    )


@implementer(IOpenSSLServerConnectionCreator)
class Connections:
    """
    What `listenSSL` needs; the certificate can be changed while it listens.

    Twisted's own `CertificateOptions` hands pyOpenSSL objects that it warns of; this does not.
    """

    def __init__(self, certificate: Certificate) -> None:
        self.use(certificate)

    def use(self, certificate: Certificate) -> None:
        """Serve new connections with *certificate*."""
        self._context = certificate.context()

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:  # noqa: N803 - Twisted's name
        """A connection of the present context."""
        from OpenSSL import SSL

        del tlsProtocol
        return SSL.Connection(self._context, None)
