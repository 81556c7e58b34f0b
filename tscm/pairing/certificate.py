"""
The certificate of the pairing listener: that of the settings, else one made once and kept for good.

Managers know it by its SHA-256, so neither names nor dates of it matter: it is never made again, not on another
host after a restore either.  Blocking.
"""

import ssl
from hashlib import sha256
from pathlib import Path

from tscm.base.safe_files import read_regular
from tscm.services.certificate import ensure_certificate
from tscm.settings.portal import PortalSettings

_STEM = "pairing"


def ensure_pairing_certificate(
    portal: Path, settings: PortalSettings, now: float
) -> tuple[Path, Path]:
    """Paths of certificate and key.  Raises OSError."""
    if settings.pairing_certificate and settings.pairing_key:
        return Path(settings.pairing_certificate), Path(settings.pairing_key)
    certificate, key = portal / f"{_STEM}.crt", portal / f"{_STEM}.key"
    if certificate.exists() and key.exists():
        return certificate, key
    return ensure_certificate(portal, (), now, _STEM)


def fingerprint_of_file(certificate: Path) -> str:
    """SHA-256 of the first certificate in a file.  Raises OSError, `ValueError`."""
    text = read_regular(certificate).decode("ascii", "replace")
    begin, end = text.find("-----BEGIN CERTIFICATE-----"), text.find("-----END CERTIFICATE-----")
    if begin < 0 or end < begin:
        raise ValueError(f"{certificate} contains no certificate")
    first = text[begin:end] + "-----END CERTIFICATE-----"
    return sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
