"""
What SSH of ASA releases offers: key exchanges, ciphers, MACs, and how their RSA host keys sign.

docs: reference of the ASA, section 5.  An ASA offers one key exchange, the one that is configured; these are the
defaults of the releases, and for 9.4 the stronger of its two.  Conch has no group1-sha1 any more and no
group14-sha256 yet; both are put into its table, under names that it keeps to itself (a test holds them).
"""

from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from twisted.conch.ssh import _kex
from twisted.conch.ssh.keys import Key
from zope.interface import implementer

_GROUP1_SHA1 = b"diffie-hellman-group1-sha1"
_GROUP14_SHA1 = b"diffie-hellman-group14-sha1"
_GROUP14_SHA256 = b"diffie-hellman-group14-sha256"
_CBC = (b"aes128-cbc", b"aes192-cbc", b"aes256-cbc")
_CTR = (b"aes128-ctr", b"aes192-ctr", b"aes256-ctr")
_PUBLIC_EXPONENT = 65537
_GROUP1 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
"""RFC 2409, 6.2."""


@frozen
class AlgorithmSet:
    """
    What is offered, best first; *signatures* are those of an RSA host key of *bits*.
    """

    exchanges: tuple[bytes, ...]
    ciphers: tuple[bytes, ...]
    macs: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    bits: int = 2048

    def host_key(self) -> Key:
        """A new one."""
        return Key(generate_private_key(_PUBLIC_EXPONENT, self.bits))


SETS = {
    "8.4": AlgorithmSet(
        (_GROUP1_SHA1,),
        (b"3des-cbc", *_CBC),
        (b"hmac-sha1", b"hmac-md5"),
        (b"ssh-rsa",),
        bits=1024,
    ),
    "9.4": AlgorithmSet(
        (_GROUP14_SHA1,), (*_CBC, *_CTR), (b"hmac-sha1", b"hmac-md5"), (b"ssh-rsa",)
    ),
    "9.12": AlgorithmSet(
        (_GROUP14_SHA256,), (*_CBC, *_CTR), (b"hmac-sha1", b"hmac-sha2-256"), (b"ssh-rsa",)
    ),
    "9.16": AlgorithmSet(
        (_GROUP14_SHA256,), _CTR, (b"hmac-sha2-256",), (b"rsa-sha2-256", b"ssh-rsa")
    ),
}


@implementer(_kex._IFixedGroupKexAlgorithm)  # noqa: SLF001 - there is no other way (twisted#9118)
@frozen
class _FixedGroup:
    """One more entry for Conch's table; *preference* is read for its own defaults only."""

    prime: int
    hashProcessor: Callable[..., Any]
    generator: int = 2
    preference: int = 99


def complete_table() -> None:
    """Teach Conch the two exchanges.  What it offers by default stays: that list was made when it was loaded."""
    table: dict[bytes, Any] = _kex._kexAlgorithms  # noqa: SLF001
    table.setdefault(_GROUP1_SHA1, _FixedGroup(_GROUP1, sha1))
    table.setdefault(_GROUP14_SHA256, _FixedGroup(table[_GROUP14_SHA1].prime, sha256))
