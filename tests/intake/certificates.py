"""A small certificate authority for tests."""

import datetime as dt
import ipaddress
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@define
class Issued:
    """A certificate and its key, as files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_file: Path
    key_file: Path


@define
class Authority:
    """Issues certificates into a folder; with `own=True` a certificate signs itself."""

    folder: Path
    issued: Issued = field(init=False)
    _serial: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.issued = self._make("ca", (), days=30, authority=True, own=True)

    def issue(self, name: str, *sans: str, days: int = 30, own: bool = False) -> Issued:
        return self._make(name, sans, days=days, authority=False, own=own)

    def _make(
        self, name: str, sans: tuple[str, ...], *, days: int, authority: bool, own: bool
    ) -> Issued:
        self._serial += 1
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if own else self.issued.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if sans:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([general_name(san) for san in sans]), critical=False
            )
        made = builder.sign(key if own else self.issued.key, hashes.SHA256())
        certificate_file = self.folder / f"{name}-{self._serial}.pem"
        key_file = self.folder / f"{name}-{self._serial}.key"
        certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Issued(made, key, certificate_file, key_file)


def general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
