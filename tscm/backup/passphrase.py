"""
Secrets of an archive, closed to who has the file alone.

The key is derived by scrypt (RFC 7914) and used with AES-256-GCM (NIST SP 800-38D).  What a text belongs to is bound
in as associated data, and so is the whole manifest in its seal: who changes an archive without the passphrase is noticed.
"""

import hashlib
import os

from attrs import field, frozen

SALT_BYTES = 16
LEAST_CHARACTERS = 8
_N, _R, _P = 1 << 17, 8, 1
_NONCE_BYTES = 12
_KEY_BYTES = 32


@frozen
class ArchiveKey:
    """
    Encrypts and decrypts the secrets of one archive.
    """

    _key: bytes = field(repr=False)

    def encrypt(self, data: bytes, where: str) -> bytes:
        """*data*, readable with this key and as *where* alone."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, data, where.encode())

    def decrypt(self, data: bytes, where: str) -> bytes:
        """What `encrypt` was given.  Raises `ValueError` for another key, place or text."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], where.encode()
            )
        except (InvalidTag, ValueError):
            raise ValueError("it does not decrypt") from None

    def seal(self, head: bytes, members: bytes) -> str:
        """Proof that *head* and *members* were written by who has the passphrase."""
        return self.encrypt(b"", _sealed(head, members)).hex()

    def check_seal(self, seal: str, head: bytes, members: bytes) -> None:
        """Raise `ValueError` unless *seal* is of these."""
        self.decrypt(bytes.fromhex(seal), _sealed(head, members))


def archive_key(passphrase: str, salt: bytes) -> ArchiveKey:
    """The key that *passphrase* and *salt* give; takes half a second and 128 MB by intention."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    derived = Scrypt(salt=salt, length=_KEY_BYTES, n=_N, r=_R, p=_P).derive(passphrase.encode())
    return ArchiveKey(derived)


def _sealed(head: bytes, members: bytes) -> str:
    return f"{hashlib.sha256(head).hexdigest()} {hashlib.sha256(members).hexdigest()}"
