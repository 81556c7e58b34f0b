"""
What the spool's tests share: a clock, threads that are none, and disks that misbehave.
"""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from typing_extensions import Buffer

from tscm.base.threads import Threads
from tscm.model import Run
from tscm.settings.node import SpoolBounds
from tscm.spool.disk import Disk
from tscm.spool.service import SpoolService


class AtOnce:
    """Threads whose calls are done before they return."""

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return execute(call, *args)


class FaultyDisk(Disk):
    """A disk that refuses what *refuse* names for paths that hold *only*."""

    def __init__(self) -> None:
        self.refuse: dict[str, int] = {}
        self.only = ""
        self.room: int | None = None
        self.paths: dict[int, str] = {}

    def _check(self, call: str, path: object) -> None:
        number = self.refuse.get(call)
        if number is not None and self.only in str(path):
            raise OSError(number, os.strerror(number))

    def open(self, path: Path, flags: int) -> int:
        self._check("open", path)
        fd = super().open(path, flags)
        self.paths[fd] = str(path)
        return fd

    def pwrite(self, fd: int, data: Buffer, at: int) -> int:
        self._check("pwrite", self.paths.get(fd))
        if self.room is not None and self.only in str(self.paths.get(fd)):
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = bytes(data)[: self.room]
            self.room -= len(data)
        return os.pwrite(fd, data, at)

    def pread(self, fd: int, size: int, at: int) -> bytes:
        self._check("pread", self.paths.get(fd))
        return os.pread(fd, size, at)

    def preadv(self, fd: int, rooms: Any, at: int, flags: int = 0, /) -> int:
        self._check("pread", self.paths.get(fd))
        return os.preadv(fd, rooms, at, flags)

    def truncate(self, fd: int, size: int) -> None:
        self._check("truncate", self.paths.get(fd))
        super().truncate(fd, size)

    def rename(self, old: Path, new: Path) -> None:
        self._check("rename", old)
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._check("unlink", path)
        super().unlink(path)


def make_spool(
    logs: Path,
    clock: Clock | None = None,
    disk: Disk | None = None,
    seal_seconds: float = 0,
    threads: object = None,
    **bounds: Any,
) -> SpoolService:
    """Seals as often as the size is reached, unless it is told otherwise: more of them for less lines."""
    values = {"fsync": "off", "min_free_mb": 0, **bounds}
    return SpoolService(
        logs,
        SpoolBounds(**values),
        clock or Clock(),
        cast(Threads, threads or AtOnce()),
        disk or Disk(),
        seal_seconds,
    )


def run_of(*lines: bytes, sender: str = "192.0.2.1", escaped: bool = False) -> Run:
    return Run(sender, b"".join(line + b"\n" for line in lines), len(lines), escaped)


def numbered(first: int, count: int, text: str = "%ASA-6-106100: line") -> list[bytes]:
    return [f"{text} {number:06d}".encode() for number in range(first, first + count)]


class SteppingDisk(Disk):
    """
    A disk that counts what changes something, and calls `last` at its n-th such step.

    *half*: the step is done first, a write in part.
    """

    def __init__(self, step: int, *, half: bool) -> None:
        self.left = step
        self.half = half

    def last(self) -> None:
        """What happens there."""
        os.kill(os.getpid(), signal.SIGKILL)

    def _step(self) -> bool:
        """Whether this step is the last, and is to be done in part before that."""
        self.left -= 1
        if not self._is_last():
            return False
        if not self.half:
            self.last()
        return True

    def _is_last(self) -> bool:
        return self.left <= 0  # a step that fails by itself is not done, and the next one counts

    def open(self, path: Path, flags: int) -> int:
        last = flags & os.O_CREAT and self._step()
        fd = super().open(path, flags)
        if last:
            os.close(fd)
            self.last()
        return fd

    def pwrite(self, fd: int, data: Buffer, at: int) -> int:
        if self._step():
            os.pwrite(fd, bytes(data)[: len(bytes(data)) // 2], at)
            self.last()
        return os.pwrite(fd, data, at)

    def truncate(self, fd: int, size: int) -> None:
        last = self._step()
        super().truncate(fd, size)
        if last:
            self.last()

    def rename(self, old: Path, new: Path) -> None:
        last = self._step()
        super().rename(old, new)
        if last:
            self.last()

    def link(self, old: Path, new: Path) -> None:
        last = self._step()
        super().link(old, new)
        if last:
            self.last()

    def unlink(self, path: Path) -> None:
        last = self._step()
        super().unlink(path)
        if last:
            self.last()

    def make_folder(self, folder: Path) -> None:
        last = self._step()
        super().make_folder(folder)
        if last:
            self.last()


class KillingDisk(SteppingDisk):
    """
    A disk whose process dies by kill -9 at its n-th step: before it, or half-way through a write.
    """


class RefusingDisk(SteppingDisk):
    """
    A disk that refuses its n-th step and some after it, and then works again.
    """

    def __init__(self, step: int, number: int, times: int) -> None:
        super().__init__(step, half=False)
        self.number = number
        self.times = times

    def last(self) -> None:
        raise OSError(self.number, os.strerror(self.number))

    def _is_last(self) -> bool:
        return -self.times < self.left <= 0
