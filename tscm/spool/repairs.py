"""
Live files that are put right by a copy of so much text that a thread makes it (`tscm.spool.copying`).
"""

from typing import ClassVar

from attrs import define
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.spool.copying import TextCopy, TextTruncated
from tscm.spool.log import DeviceLog

_COPIED_LAST = 4 << 20
"""What is left of a live text when its copy takes its place: so much is copied in the reactor's thread."""


@define(eq=False)
class Repairs:
    """
    All of them; while one is under way, the log's `copying` has its copy, and lines are appended.
    """

    _log: ClassVar[Logger] = Logger()

    _threads: Threads

    def begin(self, log: DeviceLog) -> None:
        """Copy a large live text in a thread; raises `OSError`."""
        log.copying = copy = TextCopy.of(log.live)
        self._log.info(
            "the live log of {device} is being repaired: {size:,} bytes are copied; lines are stored meanwhile",
            device=log.name,
            size=log.live.end - log.live.base,
        )
        self._extend(log, copy)

    def _extend(self, log: DeviceLog, copy: TextCopy) -> None:
        size = log.live.end - log.live.base
        self._threads.run(copy.extend_apart, size).addCallbacks(
            self._extended,
            self._not_extended,
            callbackArgs=(log, copy),
            errbackArgs=(log, copy),
        ).addErrback(self._copy_broke, log.name)

    def _extended(self, _: object, log: DeviceLog, copy: TextCopy) -> None:
        live = log.live
        live_now = not log.closed and copy.fits(live)
        if live_now and live.end - live.base - copy.size > _COPIED_LAST:
            self._extend(log, copy)
            return
        log.copying = None
        if live_now:
            log.mend(copy)
        self._threads.run(copy.discard).addErrback(self._copy_broke, log.name)

    def _not_extended(self, failure: Failure, log: DeviceLog, copy: TextCopy) -> None:
        log.copying = None
        self._threads.run(copy.discard).addErrback(self._copy_broke, log.name)
        error = failure.value
        failure.trap(OSError)
        assert isinstance(error, OSError)
        if log.closed:
            return
        if isinstance(error, TextTruncated):
            log.mend_at_once()
        else:
            log.trouble(error, "has a live file that cannot be repaired")

    def _copy_broke(self, failure: Failure, name: str) -> None:
        self._log.failure("the live log of {device} cannot be copied", failure, device=name)
