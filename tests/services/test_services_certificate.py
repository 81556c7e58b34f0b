"""
Certificate and key of the log service, where they are no such thing.
"""

from pathlib import Path

import pytest

from tscm.services.certificate import ensure_certificate, tls_options

PEM = "-----BEGIN {0}-----\nbm90aGluZw==\n-----END {0}-----\n"


@pytest.mark.parametrize("content", ["", "no key at all", PEM.format("PRIVATE KEY")])
def test_a_key_that_is_none_is_a_cause_in_words(tmp_path: Path, content: str) -> None:
    certificate, key = ensure_certificate(tmp_path, ["127.0.0.1"], 1e9)
    key.write_text(content)
    with pytest.raises(ValueError, match="key cannot be read"):
        tls_options(certificate, key)


@pytest.mark.parametrize("content", ["", "no certificate", PEM.format("CERTIFICATE")])
def test_so_is_a_certificate_that_is_none(tmp_path: Path, content: str) -> None:
    certificate, key = ensure_certificate(tmp_path, ["127.0.0.1"], 1e9)
    certificate.write_text(content)
    with pytest.raises(ValueError, match="certificate"):
        tls_options(certificate, key)
