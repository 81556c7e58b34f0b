"""
Sealing: passwords and keys that lie on disk, useless to a reader of the file.

A sealed secret is text, `sealed:v1:` and URL-safe base64 of a 12-byte nonce with
AES-256-GCM output (NIST SP 800-38D).  The name of the setting is bound in as associated
data, so that a sealed value moved to another place does not open.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import stat
from pathlib import Path

from attrs import field, frozen

from tscm.base.safe_files import read_regular
from tscm.errors import SecretUnavailable

PREFIX = "sealed:v1:"
MASK = "********"
_KEY_BYTES = 32
_NONCE_BYTES = 12


@frozen
class Secret:
    """
    A secret in memory: equal by value, but it is not shown by accident.
    """

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __bool__(self) -> bool:
        return bool(self._value)


@frozen
class SealingKey:
    """
    The node's key: from `key` under the state folder, or a systemd credential.
    """

    path: str
    _key: bytes = field(repr=False)

    def seal(self, secret: Secret, where: str) -> str:
        """Sealed text for *secret*; *where* names the place that it belongs to."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, secret.reveal().encode(), where.encode())
        return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def derived(self, purpose: str) -> str:
        """A secret that this key alone gives for *purpose*, the same each time (HMAC-SHA-256)."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).hexdigest()

    def open(self, text: str, where: str) -> Secret:
        """
        What `seal` was given.  Raises `SecretUnavailable` for another key or place.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            raw = base64.urlsafe_b64decode(text.removeprefix(PREFIX).encode())
            value = AESGCM(self._key).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], where.encode()
            )
        except (InvalidTag, binascii.Error, ValueError):
            raise SecretUnavailable(
                self.path,
                f"it does not decrypt {where}; the secret was sealed with another key: "
                "restore that key, or set the secret again",
            ) from None
        return Secret(value.decode())


def load_key(path: Path, *, create: bool = False) -> SealingKey:
    """
    The sealing key, from systemd's credential `tscm.key` where there is one, else from *path*.

    With *create*, a key that has never been is made, mode 0600.  Raises `SecretUnavailable`
    where it is absent, of a loose mode or damaged.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / "tscm.key").exists():
        path = Path(credentials) / "tscm.key"
    elif create and not path.exists():
        _make_key(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = read_regular(path).decode("ascii").strip()
    except FileNotFoundError:
        raise SecretUnavailable(
            str(path),
            "it is missing, so stored passwords cannot be decrypted; restore it from a "
            "backup, or remove the devices and add them again",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnavailable(str(path), f"it cannot be read: {error}") from None
    if mode & 0o077 and not credentials:
        raise SecretUnavailable(
            str(path), f"mode {mode:04o} lets other users read it; run `chmod 600 {path}`"
        )
    try:
        key = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecretUnavailable(str(path), "it is damaged; restore it from a backup")
    return SealingKey(str(path), key)


def _make_key(path: Path) -> None:
    """
    Whole or not at all: half a key would read as damaged, and never be made again.

    Where another process is quicker, its key stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)) + b"\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
