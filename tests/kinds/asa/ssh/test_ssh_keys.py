"""
Private keys to log in with: which are taken, what is said of others, and what of them is public.
"""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tscm.base.secrets import MASK, Secret
from tscm.kinds.asa.ssh.keys import private_key, public_half

LOCK = BestAvailableEncryption(b"geheim")
MAKERS: dict[str, Any] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("kind", list(MAKERS))
def test_a_key_in_the_form_of_openssh_is_taken_and_tells_its_public_half(kind: str) -> None:
    made = MAKERS[kind]()
    text = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    taken = private_key("\n" + text.replace("\n", "\r\n"))
    assert taken.reveal() == text
    public = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert public_half(taken) == public.split()[1]


def test_older_forms_are_taken_too() -> None:
    made = MAKERS["rsa"]()
    for form in (PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8):
        text = made.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        assert private_key(text).reveal() == text
        assert public_half(Secret(text)) is None


@pytest.mark.parametrize(
    "form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]
)
def test_a_key_behind_a_passphrase_is_refused_with_the_way_out(form: PrivateFormat) -> None:
    text = MAKERS["rsa"]().private_bytes(Encoding.PEM, form, LOCK).decode()
    with pytest.raises(ValueError, match=r"locked with a passphrase.*ssh-keygen -p -f COPY"):
        private_key(text)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is not a private key"),
        (None, "is not a private key"),
        ("ssh-rsa AAAAB3NzaC1yc2E me@host", "is a public key"),
        ("x" * 20_000, "is not a private key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is not a private key"),
        (
            "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----",
            "a key of an old kind (dsa private key)",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
            "damaged",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA/////w==\n"
            "-----END OPENSSH PRIVATE KEY-----",
            "damaged",
        ),
    ],
)
def test_what_is_no_private_key_is_refused_and_not_quoted(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match="private key without a passphrase") as caught:
        private_key(value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_mask_stays_one() -> None:
    assert private_key(Secret(MASK)) == Secret(MASK)
    assert public_half(Secret(MASK)) is None
