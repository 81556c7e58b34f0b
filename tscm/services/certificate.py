"""
The certificate of a listener of ours where the operator gives none: made once, self-signed.

The certificate file is what uploaders and firewalls are given as their CA file.
"""

import re
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.settings.files import write_private

_VALID_DAYS = 3650
_RENEW_DAYS = 30
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PEM_FORMAT = 1  # OpenSSL.crypto.FILETYPE_PEM


BACKUP = (
    BackupRule("var/lib/tscm/portal/log-service.crt", Treatment.COPY),
    BackupRule("var/lib/tscm/portal/log-service.key", Treatment.SECRET),
    BackupRule("var/lib/tscm/lists/lists.crt", Treatment.COPY),
    BackupRule("var/lib/tscm/lists/lists.key", Treatment.SECRET),
)
"""What a backup does with certificate and key."""


def ensure_certificate(
    folder: Path, names: Iterable[str], now: float, stem: str = "log-service"
) -> tuple[Path, Path]:
    """
    Paths of certificate and key under *folder*; made where absent, near their end or for other names.

    Good for every one of *names* (addresses or host names) besides this host's own names.  *stem* is the files' name.
    """
    certificate, key = folder / f"{stem}.crt", folder / f"{stem}.key"
    wanted = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *names}
    wanted -= {"", "0.0.0.0", "::"}  # noqa: S104 - nothing is bound here
    if not (key.exists() and certificate.exists() and _serves(certificate, wanted, now)):
        certificate_pem, key_pem = _make(sorted(wanted), now, f"tscm {stem.replace('-', ' ')}")
        write_private(key, key_pem)
        write_private(certificate, certificate_pem)
    return certificate, key


def tls_options(certificate: Path, key: Path) -> Any:
    """
    What Twisted listens with: TLS 1.2 or later.  Raises OSError and ValueError for files that do not do.
    """
    from OpenSSL.crypto import Error as FormatError
    from OpenSSL.SSL import Error as TlsError
    from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, TLSVersion

    try:
        blocks = _PEM.findall(read_regular(certificate))
        if not blocks:
            raise ValueError("it contains no certificate")
        first, *others = (Certificate.loadPEM(block).original for block in blocks)
        private = _key_of(KeyPair, read_regular(key))
        options = CertificateOptions(
            privateKey=private,
            certificate=first,
            extraCertChain=others,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext()
    except TlsError as error:
        raise ValueError("the certificate and the key do not match") from error
    except FormatError:
        raise ValueError("the certificate cannot be read") from None
    return options


def _key_of(kind: Any, pem: bytes) -> Any:
    from OpenSSL.crypto import Error as FormatError

    try:
        return kind.load(pem, format=_PEM_FORMAT).original
    except FormatError:
        raise ValueError("the key cannot be read") from None


def _serves(path: Path, wanted: set[str], now: float) -> bool:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(read_regular(path))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    have = set(names.get_values_for_type(x509.DNSName))
    have |= {str(one) for one in names.get_values_for_type(x509.IPAddress)}
    left = found.not_valid_after_utc.timestamp() - now
    return wanted <= have and left > _RENEW_DAYS * 86400


def _make(names: list[str], now: float, title: str) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    begin = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    # It is its own CA: strict verifiers want the marks of one on whatever they are told to trust.
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    return (
        made.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _general(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
