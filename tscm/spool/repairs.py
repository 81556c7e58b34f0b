"""
Live files of which so much has to be read, to put them right, that a thread does it (`tscm.spool.copying`).
"""

from typing import ClassVar

from attrs import define
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.spool.copying import Apart, TextCopy
from tscm.spool.intact import made_apart
from tscm.spool.log import DeviceLog
from tscm.spool.survey import Survey

_READ_LAST = 4 << 20
"""What is left of a live text when it is repaired: so much is read in the reactor's thread."""


@define(eq=False)
class Repairs:
    """
    All of them; while one is in progress, the log's `copying` has what is made of it, and lines are appended.
    """

    _log: ClassVar[Logger] = Logger()

    _threads: Threads
    read_last: int = _READ_LAST

    def begin(self, log: DeviceLog) -> None:
        """Read a large live text in a thread; raises `OSError`."""
        self._begin(log, made_apart(log.live))

    def _begin(self, log: DeviceLog, apart: Apart) -> None:
        log.copying = apart
        self._log.info(
            "the live log of {device} is being repaired: {size:,} bytes are read; lines are stored meanwhile",
            device=log.name,
            size=log.live.end - log.live.base,
        )
        self._extend(log, apart)

    def _extend(self, log: DeviceLog, apart: Apart) -> None:
        size = log.live.end - log.live.base
        self._threads.run(apart.extend_apart, size).addCallbacks(
            self._extended,
            self._not_extended,
            callbackArgs=(log, apart),
            errbackArgs=(log, apart),
        ).addErrback(self._broke, log)

    def _extended(self, _: object, log: DeviceLog, apart: Apart) -> None:
        live = log.live
        live_now = not log.closed and apart.fits(live)
        if live_now and live.end - live.base - apart.size > self.read_last:
            self._extend(log, apart)
            return
        log.copying = None
        if live_now:
            log.repair(apart)
            if isinstance(apart, TextCopy) and apart.holed and log.copying is None:
                self._begin(log, Survey.of(live))
        self._threads.run(apart.discard).addErrback(self._not_discarded, log.name)

    def _not_extended(self, failure: Failure, log: DeviceLog, apart: Apart) -> None:
        log.copying = None
        self._threads.run(apart.discard).addErrback(self._not_discarded, log.name)
        error = failure.value
        failure.trap(OSError)
        assert isinstance(error, OSError)
        if not log.closed:
            log.trouble(error, "has a live file that cannot be repaired")

    def _broke(self, failure: Failure, log: DeviceLog) -> None:
        """Something of ours failed: the next look begins again."""
        log.copying = None
        self._not_discarded(failure, log.name)

    def _not_discarded(self, failure: Failure, name: str) -> None:
        self._log.failure("the live log of {device} cannot be repaired", failure, device=name)
