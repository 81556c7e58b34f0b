"""
The page's certificate: where it lies, and the fingerprint by which people know it.
"""

import hashlib
from pathlib import Path

from tscm.fingerprints import with_colons
from tscm.settings.layout import Layout
from tscm.settings.web import WebSettings

PURPOSE = "page"


def certificate_of(layout: Layout, settings: WebSettings) -> Path:
    """The operator's own, or the one that is made at the first start."""
    if settings.certificate is not None:
        return Path(settings.certificate)
    return layout.web / f"{PURPOSE}.crt"


def fingerprint_of_file(path: Path) -> str:
    """SHA-256 of the first certificate in a PEM file, in pairs; empty where there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from tscm.base.safe_files import read_regular

    try:
        found = x509.load_pem_x509_certificate(read_regular(path))
    except (OSError, ValueError):
        return ""
    return with_colons(hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest())
