"""
One writer for a root: the manager while it runs, else the `tsadmin` that is changing something.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from attrs import define, field

from tscm.errors import ManagerRunning


@define(eq=False)
class RootLock:
    """
    An flock(2) on `Layout.lock`; the kernel gives it back when the holder ends, however it ends.
    """

    path: Path
    holder: str
    _handle: int | None = field(default=None, init=False)

    def acquire(self) -> None:
        """Take the lock at once or raise `ManagerRunning`, naming who holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            present = os.read(handle, 200).decode("ascii", "replace").strip()
            os.close(handle)
            raise ManagerRunning(str(self.path), present or "another process") from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{self.holder}, process {os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Give it back; the file stays."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
