"""
One writer for what a root holds: the manager while it runs, else the `tsadmin` that is changing something.

There are two locks.  One is for the logs, and only the manager holds it long.  The other is for
settings, database and pushes: a `tsadmin update` without a manager may hold it for minutes, and a manager that
starts meanwhile collects at once and waits for it with its policies alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from attrs import define, field

from tscm.base.safe_files import open_own
from tscm.errors import ManagerRunning
from tscm.settings.layout import Layout
from tscm.settings.owner import chown_to_owner


@define(eq=False)
class RootLock:
    """
    An flock(2) on `Layout.lock` or `Layout.policy_lock`; the kernel gives it back when the holder ends, however it ends.
    """

    path: Path
    holder: str
    _handle: int | None = field(default=None, init=False)

    @property
    def held(self) -> bool:
        """Do we hold it?"""
        return self._handle is not None

    def acquire(self) -> None:
        """Take the lock at once or raise `ManagerRunning`, naming who holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = open_own(self.path, os.O_RDWR | os.O_CREAT, 0o640)
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


@contextmanager
def policies_held(layout: Layout, holder: str) -> Iterator[None]:
    """
    Settings, database and pushes are this process's meanwhile; raises `ManagerRunning`.

    What root makes belongs to the node's owner, the lock's file at once: a manager that starts meanwhile
    must be able to open it.
    """
    lock = RootLock(layout.policy_lock, holder)
    with chown_to_owner(layout):
        lock.acquire()
    with chown_to_owner(layout), lock_released(lock):
        yield


@contextmanager
def lock_released(lock: RootLock) -> Iterator[None]:
    """Give *lock* back at the end."""
    try:
        yield
    finally:
        lock.release()
