"""
Files of the node, opened so that no other process decides what is read, written or waited for.

Reading: a FIFO blocks the process that opens it, and a device has no end.  So the kind and the size are looked at
first, and no more than a bound is read.
"""

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

TEXT_BYTES = 1 << 20
"""Bound for settings, keys, certificates and entries: none of them comes near it."""
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UnfitFile(OSError):
    """
    What lies at a path is not the file that it should be; `strerror` is the cause in words.
    """

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def unfit(path: Path | str, cause: str) -> UnfitFile:
    """The error for *path*, with *cause* for `strerror`."""
    return UnfitFile(errno.EINVAL, cause, os.fspath(path))


def kind_of(mode: int) -> str:
    """What a file of this mode is, in words."""
    for is_kind, words in (
        (stat.S_ISREG, "a regular file"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISLNK, "a symbolic link"),
    ):
        if is_kind(mode):
            return words
    return "a device"


def open_regular(path: Path | str, *, links: bool = True) -> int:
    """
    A descriptor for reading the regular file at *path*; without *links* no symbolic link is followed.

    Never waits for a writer, and opens no device.  Raises `UnfitFile`, OSError.
    """
    found = Path(path).stat(follow_symlinks=links)
    if not stat.S_ISREG(found.st_mode):
        raise unfit(path, f"it is {kind_of(found.st_mode)}, not a regular file")
    handle = os.open(path, _READ | (0 if links else os.O_NOFOLLOW))
    try:
        found = os.fstat(handle)  # it may have been replaced meanwhile
        if not stat.S_ISREG(found.st_mode):
            raise unfit(path, f"it is {kind_of(found.st_mode)}, not a regular file")
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_own(path: Path, flags: int, mode: int) -> int:
    """
    A descriptor of a file that this process alone is meant to write, made with *mode* where it is absent.

    It must be regular, of one name, and ours or root's; no symbolic link is followed.  Raises `UnfitFile`,
    OSError.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise unfit(path, "it is a symbolic link, not a regular file; remove it") from None
        raise
    found = os.fstat(handle)
    cause = ""
    if not stat.S_ISREG(found.st_mode):
        cause = f"it is {kind_of(found.st_mode)}, not a regular file; remove it"
    elif found.st_nlink != 1:
        cause = "it has another name as well (a hard link); remove it"
    elif found.st_uid not in {0, os.geteuid()}:
        cause = f"it belongs to user {found.st_uid}; remove it, or run as that user"
    if cause:
        os.close(handle)
        raise unfit(path, cause)
    return handle


def read_regular(path: Path | str, most: int = TEXT_BYTES, *, links: bool = True) -> bytes:
    """
    All of the regular file at *path*, which holds at most *most* bytes.  Raises `UnfitFile`, OSError.
    """
    with os.fdopen(open_regular(path, links=links), "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise unfit(path, f"it is larger than {most:,} bytes")
        content = file.read(most + 1)
    if len(content) > most:
        raise unfit(path, f"it is larger than {most:,} bytes")
    return content


def read_private(path: Path, most: int = TEXT_BYTES) -> bytes:
    """
    As `read_regular`; refuses a file that others can read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise unfit(path, f"mode {mode:04o} lets other users read it; run `chmod 600 {path}`")
        content = file.read(most + 1)
    if len(content) > most:
        raise unfit(path, f"it is larger than {most:,} bytes")
    return content


def trusting(ca_file: str | None) -> "ssl.SSLContext":
    """
    A client's context that trusts the CAs in *ca_file*, or the system's.  Raises OSError, `ssl.SSLError`.

    OpenSSL opens the file by itself, and would wait for the writer of a pipe.
    """
    import ssl  # half of what this module would cost a command that reads files

    if ca_file is not None:
        os.close(open_regular(ca_file))
    return ssl.create_default_context(cafile=ca_file)
