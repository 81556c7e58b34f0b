"""
A secret in a file of its own, named by a setting of the node.

Written in the clear it is sealed with the node's key when it is first used, so that a user who copies the settings has
nothing of it.
"""

import contextlib
import os
from pathlib import Path

from attrs import define

from tscm.base.safe_files import read_private
from tscm.base.secrets import PREFIX, Secret
from tscm.errors import SecretUnavailable, TscmError
from tscm.settings.files import key_for_sealing
from tscm.settings.layout import Layout

SECRET_BYTES = 1 << 16
"""Bound for such a file."""


@define(eq=False)
class SecretFileFaulty(TscmError):
    """
    The file holds no secret that can be used.
    """

    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}"


def read_secret(path: Path, where: str, layout: Layout | None, setting: str) -> Secret:
    """
    The one-line secret in the file of mode 0600 at *path*, which *setting* names.  Blocking.

    *where* names its place, which is bound into the sealed text.  Without a *layout* there is no node's key: then only
    a secret in the clear can be read.  Raises `SecretFileFaulty`.
    """
    try:
        text = read_private(path, SECRET_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        raise SecretFileFaulty(
            f"{path} holds more than ASCII", "write only the key into it"
        ) from None
    except OSError as error:
        cause = error.strerror or str(error)
        raise SecretFileFaulty(
            f"its secret cannot be read: {path}: {cause}", f"check {setting}"
        ) from None
    if not text or not text.isprintable():
        raise SecretFileFaulty(
            f"{path} does not contain a one-line secret", "write only the key into it"
        )
    if text.startswith(PREFIX):
        return _opened(text, path, where, layout)
    secret = Secret(text)
    if layout is not None:
        _seal(path, secret, where, layout)
    return secret


def _opened(text: str, path: Path, where: str, layout: Layout | None) -> Secret:
    remedy = "write the key into it again, unencrypted"
    if layout is None:
        raise SecretFileFaulty(f"{path} is sealed, but this host has no sealing key", remedy)
    try:
        return key_for_sealing(layout).open(text, where)
    except SecretUnavailable as error:
        raise SecretFileFaulty(f"{path} cannot be decrypted: {error}", remedy) from None


def _seal(path: Path, secret: Secret, where: str, layout: Layout) -> None:
    """Where the file or its folder cannot be written, the secret stays as it is: closed by its mode."""
    with contextlib.suppress(OSError, SecretUnavailable):
        text = key_for_sealing(layout).seal(secret, where)
        fresh = path.with_name(f".{path.name}.sealed")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(handle)
        found = path.stat()
        os.chown(fresh, found.st_uid, found.st_gid)
        fresh.replace(path)
