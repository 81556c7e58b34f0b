"""
Logs whose device is gone: nothing is appended to them, and retention ends them in time.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.settings.values import nickname
from tscm.spool.disk import Disk
from tscm.spool.early import open_at_once, open_whole
from tscm.spool.figures import OrphanFigures
from tscm.spool.glance import AT_ONCE_BYTES, TakesLong
from tscm.spool.live import LiveLog
from tscm.spool.log import DeviceLog
from tscm.spool.names import LogFolder

_OPENED_AT_ONCE = 8


@define(eq=False)
class Orphans:
    """
    The logs under the root that no device has open; *share* has one of them share descriptors with the others.
    """

    _log: ClassVar[Logger] = Logger()

    _disk: Disk
    _threads: Threads
    _share: Callable[[LiveLog], None]
    at_once_bytes: int = AT_ONCE_BYTES
    logs: dict[str, DeviceLog] = field(factory=dict, init=False)
    opening: set[str] = field(factory=set, init=False)
    """Those that a thread opens, since much of them has to be read."""
    leaving: set[str] = field(factory=set, init=False)
    """Those that are being deleted."""
    _refused: set[str] = field(factory=set, init=False)
    _over: bool = field(default=False, init=False)

    def adopt_removed_logs(
        self, root: Path, names: Sequence[str], devices: Collection[str], now: float
    ) -> bool:
        """
        Take up what is new, some at a time; what stands in the live segment is sealed, so that it ages.

        Gives whether any was taken up: retention then looks at these, and for more of them.
        """
        left = _OPENED_AT_ONCE
        for name in names:
            known = name in devices or name in self.logs or name in self._refused
            if known or name in self.opening or name in self.leaving or not left:
                continue
            try:
                folder = LogFolder(root / nickname(name))
                if not folder.spool.is_dir():  # deleted since the names were read
                    continue
                left -= 1
                self._take(
                    name, open_at_once(self._disk, folder, now, at_once_bytes=self.at_once_bytes)
                )
            except TakesLong:
                self.opening.add(name)
                opened = self._threads.run(open_whole, self._disk, folder, now)
                opened.addCallback(partial(self._opened, name)).addErrback(self._failed, name)
            except (OSError, ValueError) as error:
                self._refuse(name, error)
        return left < _OPENED_AT_ONCE

    def _take(self, name: str, live: LiveLog) -> None:
        try:
            if live.end > live.base:
                self._disk.close(live.seal())
        except OSError:
            live.release()
            raise
        self._share(live)
        self.logs[name] = DeviceLog(name, live)

    def _opened(self, name: str, live: LiveLog) -> None:
        self.opening.discard(name)
        if self._over:
            live.close(clean=True)
        else:
            self._take(name, live)

    def _failed(self, failure: Failure, name: str) -> None:
        self.opening.discard(name)
        if isinstance(failure.value, OSError):
            self._refuse(name, failure.value)
        else:
            self._refused.add(name)
            self._log.failure("the log {name} cannot be opened", failure, name=name)

    def _refuse(self, name: str, error: Exception) -> None:
        self._refused.add(name)
        self._log.error(
            "cannot maintain the log {name} of a removed device: {cause}",
            name=name,
            cause=str(error),
        )

    def release(self, name: str) -> None:
        """Give a log back, since a device has this name again."""
        self._refused.discard(name)
        log = self.logs.pop(name, None)
        if log is not None:
            with contextlib.suppress(OSError):
                log.close(clean=True)

    def close(self) -> None:
        """Give all of them back."""
        self._over = True
        for name in list(self.logs):
            self.release(name)

    def figures(self) -> list[OrphanFigures]:
        """What is there, for an operator who wonders where the disk has gone."""
        return [_figures_of(name, log) for name, log in sorted(self.logs.items())]


def _figures_of(name: str, log: DeviceLog) -> OrphanFigures:
    figures = log.figures()
    return OrphanFigures(
        name=name,
        stored_lines=log.live.lines,
        kept_bytes=log.live.end - log.first_offset,
        last_received_at=log.live.last_at or None,
        readers={reader: one.waiting_lines for reader, one in sorted(figures.readers.items())},
    )
