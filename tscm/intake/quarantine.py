"""
Lines of unknown senders, kept aside within a quota so that a forgotten source can be looked at.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.logger import Logger

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.intake.figures import QuarantineFigures
from tscm.syslog.framing import Lines

Allowed = Callable[[str, int, float], bool]
"""Whether a sender may have so many bytes more kept now (address, bytes, time)."""


BACKUP = (BackupRule("var/log/threatstop/unknown*", Treatment.LOG),)
"""What a backup does with these lines."""


@define(eq=False)
class QuarantineLog:
    """
    Two files, the live one and the one before it, together within *quota_bytes*.

    Each line stands behind the receive time and the sender's address, escaped as in a
    device's log.  What the quota or a sender's allowance does not let in, and what the disk
    refuses, is counted and gone: these lines are counted as dropped in any case.
    """

    _log: ClassVar[Logger] = Logger()

    path: Path
    quota_bytes: int
    _allowed: Allowed
    kept: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    _file: int | None = field(default=None, init=False)
    _size: int = field(default=0, init=False)
    _ill: bool = field(default=False, init=False)

    def __call__(self, address: str, lines: Lines, now: float) -> None:
        """Keep *lines* of the sender at *address*; never raises."""
        if len(lines.data) > self.quota_bytes // 4 or not self._allowed(
            address, len(lines.data), now
        ):
            self.refused += lines.count
            return
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        head = f"{stamp} {address} ".encode("ascii", "replace")
        data = head + lines.data[:-1].replace(b"\n", b"\n" + head) + b"\n"
        try:
            self._write(data)
        except OSError as error:
            self.refused += lines.count
            if not self._ill:
                self._log.error("quarantine {path}: {error}", path=str(self.path), error=error)
            self._ill = True
            self.close()
        else:
            self.kept += lines.count
            self._ill = False

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def figures(self) -> QuarantineFigures:
        """Where it lies and how much it took since the start."""
        return QuarantineFigures(path=str(self.path), kept=self.kept, refused=self.refused)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640
            )
            self._size = os.fstat(self._file).st_size
        if self._size and self._size + len(data) > self.quota_bytes // 2:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self.close()
            self._write(data)
            return
        self._size += os.write(self._file, data)
