"""
Fingerprints as people write them, wherever one is taken.
"""

import pytest

from tscm.fingerprints import read_fingerprint, with_colons
from tscm.risks import Consent
from tscm.settings import values

DIGITS = "0123456789abcdef" * 4
COLONS = with_colons(DIGITS)
WAYS = (
    DIGITS,
    DIGITS.upper(),
    COLONS,
    f"sha256 Fingerprint={COLONS}",
    f"SHA256 Fingerprint={COLONS}\n",
    f"SHA-256: {COLONS}",
)


@pytest.mark.parametrize("text", WAYS)
def test_every_way_is_read_wherever_one_is_taken(text: str) -> None:
    assert read_fingerprint(text) == DIGITS
    assert values.fingerprint(text) == DIGITS
    assert Consent.of_words([f"accept_certificate={text}"]).certificate == DIGITS
    assert values.fingerprints(f"{text} {text}, {'0' * 64}") == (DIGITS, "0" * 64)
    assert values.fingerprints([text]) == (DIGITS,)


@pytest.mark.parametrize("text", ["", "sha256 Fingerprint=", DIGITS[:-2], f"{DIGITS}00", "md5:00"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        read_fingerprint(text)
