"""
Scheduled backups: `tsadmin backup` in a process of its own, so that the manager's memory and its loop are spared.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.backup.leftovers import remove_leftovers
from tscm.backup.scheduled import BackupFigures, backups_among, expired, file_name, is_due, made_at
from tscm.base.clock import wall_seconds
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.printable import quoted
from tscm.settings.backup import BackupSettings
from tscm.settings.layout import Layout

LOOK_SECONDS = 60.0
FIRST_SECONDS = 5.0
"""After the start, which has other things to do first."""
_ERRORS_TOLD = 2000
_HOUR = 3600.0


class _Run(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[str | None] = Deferred()
        self._said = b""

    def errReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-_ERRORS_TOLD:]

    def processEnded(self, reason: Failure) -> None:
        said = self._said.decode("utf-8", "replace").strip()
        self.ended.callback(None if reason.check(ProcessDone) else said or str(reason.value))


@define(eq=False)
class BackupService(Service):
    """
    Makes a backup when one is due, and deletes the oldest; does nothing where no folder is set.
    """

    _log: ClassVar[Logger] = Logger()

    _reactor: Any
    _threads: Threads
    _layout: Layout
    settings: BackupSettings
    figures: BackupFigures = field(factory=BackupFigures, init=False)
    _loop: PeriodicService = field(init=False)
    _process: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = PeriodicService(
            self._reactor, LOOK_SECONDS, self._look, "scheduled backup", FIRST_SECONDS
        )

    def startService(self) -> None:
        """Begin to look whether one is due."""
        super().startService()
        if self.settings.folder is not None:
            self._loop.startService()

    def stopService(self) -> Deferred[None] | None:
        """End; a backup that is being made is given up, and leaves no file."""
        super().stopService()
        if self._process is not None:
            self._process.signalProcess("INT")
        return self._loop.stopService()

    async def _look(self) -> None:
        assert self.settings.folder is not None
        folder, now = Path(self.settings.folder), wall_seconds(self._reactor)
        try:
            names = await self._threads.run(names_in, folder)
        except OSError as error:
            self._failed(now, f"{folder}: {error.strerror or error}")
            return
        known = backups_among(names)
        self.figures.latest_at = made_at(known[-1]) if known else None
        every = self.settings.every_hours * _HOUR
        if not is_due(known, now, every, self.figures.failed_at):
            return
        file = folder / file_name(now)
        run = _Run()
        self._process = self._reactor.spawnProcess(
            run, sys.executable, self._command(file), env=None, path="/"
        )
        try:
            cause = await run.ended
        finally:
            self._process = None
        if not self.running:
            return
        if cause is not None:
            self._failed(now, cause.removeprefix("[ERROR] : "))
            return
        self.figures.latest_at, self.figures.failed_at, self.figures.fault = now, None, None
        self._log.info("backup {file} made", file=str(file))
        gone = expired([*known, file.name], self.settings.keep)
        await self._threads.run(delete, folder, gone)

    def _failed(self, now: float, cause: str) -> None:
        self.figures.failed_at = now
        self.figures.fault = (
            f"the scheduled backup failed: {quoted(cause)}; correct that, or set another "
            "[backup] folder; retrying every hour"
        )
        self._log.error("{fault}", fault=self.figures.fault)

    def _command(self, file: Path) -> list[str]:
        own, wanted = self._layout.root.absolute(), self.settings
        words = [sys.executable, "-m", "tscm", "--root", str(own), "backup", str(file)]
        words += ["--logs"] if wanted.logs else []
        words += ["--uploads"] if wanted.uploads else []
        if wanted.passphrase_file is None:
            return [*words, "--no_secrets"]
        return [*words, "--passphrase_file", wanted.passphrase_file]


def names_in(folder: Path) -> list[str]:
    """Names in the folder, which is made where it is missing.  Blocking; raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_leftovers(folder, "tscm-backup-*")
    return [one.name for one in folder.iterdir()]


def delete(folder: Path, names: list[str]) -> None:
    """Delete files; one that is gone already is nothing.  Blocking; raises `OSError`."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
