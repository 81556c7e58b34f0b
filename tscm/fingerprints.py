"""
SHA-256 fingerprints of certificates as people write them: with or without colons, or as a line of openssl.
"""

import re

_BEFORE = re.compile(r"\bsha-?256(?:\s+fingerprint)?\s*[=:]\s*", re.IGNORECASE)
"""What `openssl x509 -noout -fingerprint -sha256` prints before the digits."""
_DIGITS = re.compile(r"[0-9a-f]{64}")


def without_label(text: str) -> str:
    """*text* less what openssl prints before each fingerprint."""
    return _BEFORE.sub("", text)


def read_fingerprint(text: str) -> str:
    """The 64 digits in lower case.  Raises `ValueError`."""
    digits = without_label(text.strip()).replace(":", "").lower()
    if not _DIGITS.fullmatch(digits):
        raise ValueError("not a SHA-256 fingerprint")
    return digits


def with_colons(digits: str) -> str:
    """A fingerprint as openssl and the ASA print it."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()
