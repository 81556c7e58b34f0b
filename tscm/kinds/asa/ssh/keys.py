"""
Private keys by which the manager logs in: which texts are one, and their public halves.  Pure.

What is read here is the armour (RFC 7468) and the head of OpenSSH's own format (PROTOCOL.key of OpenSSH), which
tells whether a passphrase locks the key and has the public half in the clear; the rest is for `ssh` to read.
"""

import base64
import binascii
import re
import struct
from typing import Any

from tscm.base.secrets import MASK, Secret

MAX_KEY_BYTES = 16 << 10
_ARMOUR = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]{0,30}PRIVATE KEY)-----\n"
    r"(?P<head>(?:[A-Za-z-]{1,30}:[^\n]{0,200}\n){0,5}\n?)"
    r"(?P<body>[A-Za-z0-9+/=\n]{1,16384})"
    r"-----END (?P=kind)-----"
)
_OPENSSH = "OPENSSH PRIVATE KEY"
_MAGIC = b"openssh-key-v1\0"
_KINDS = frozenset({_OPENSSH, "RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"})
_ALLOWED = "a private key without a passphrase, as `ssh-keygen -t rsa -b 3072` makes one"


def private_key(value: Any) -> Secret:
    """
    A private key that `ssh` can read without asking.  Raises `ValueError`, which quotes nothing of it.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    if text == MASK:
        return Secret(MASK)
    if not isinstance(text, str) or len(text) > MAX_KEY_BYTES:
        raise _refused("the value is not a private key")
    text = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    found = _ARMOUR.match(text)
    if found is None or found.end() != len(text) - 1:
        what = "is a public key" if text.startswith(("ssh-", "ecdsa-")) else "is not a private key"
        raise _refused(f"the value {what}")
    kind = found["kind"]
    if kind == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in found["head"] or _locked(found):
        raise _refused(
            "the key is locked with a passphrase, and the manager has no one to ask for it; "
            "`ssh-keygen -p -f COPY` takes the passphrase off a copy, and the manager seals the key"
        )
    if kind not in _KINDS:
        raise _refused(f"the value is a key of an old kind ({kind.lower()})")
    return Secret(text)


def _refused(wrong: str) -> ValueError:
    return ValueError(f"{wrong}; allowed: {_ALLOWED}")


def _locked(found: "re.Match[str]") -> bool:
    if found["kind"] != _OPENSSH:
        return False
    fields = _head(found["body"])
    if not fields:
        raise _refused("the value is a damaged private key")
    return fields[0] != b"none"


def _head(body: str) -> list[bytes]:
    """Cipher, key derivation, its options, and the public half; empty where the body is none of OpenSSH's."""
    try:
        raw = base64.b64decode(body)
        if not raw.startswith(_MAGIC):
            return []
        at, found = len(_MAGIC), list[bytes]()
        for number in range(4):
            if number == 3:
                at += 4  # how many keys there are: one
            (size,) = struct.unpack_from(">I", raw, at)
            at += 4
            if at + size > len(raw):
                return []
            found.append(raw[at : at + size])
            at += size
    except (binascii.Error, struct.error):
        return []
    return found


def public_half(key: Secret) -> str | None:
    """The public key as an ASA takes it, base64 without its kind; None where only `ssh-keygen -y` can tell it."""
    found = _ARMOUR.match(key.reveal())
    fields = _head(found["body"]) if found and found["kind"] == _OPENSSH else []
    return base64.b64encode(fields[3]).decode() if fields else None
