"""
How a twistd plugin ends when it cannot start: one sentence, and a status that is not 0.

twistd prints a traceback for an exception out of `privilegedStartService`, and a
`SystemExit` inside the running reactor ends with status 0; so it is raised here, before the reactor runs.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any, TypeVar

from attrs import define
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from tscm.errors import TscmError
from tscm.printable import visible

_DAEMONS_UMASK = 0o077
GO_SECONDS = 10.0
"""How long a process that has stopped everything may take to end."""

T = TypeVar("T")


def go_for_sure(result: T) -> T:
    """
    End the process soon, whatever its other threads do.

    For the moment when all is stopped and on the disk: one that looks up a name in the reactor's own pool, and
    gets no answer, would keep the process, and with it the unit's next start.
    """
    timer = Timer(GO_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    return result


@contextmanager
def sentence_and_status() -> Iterator[None]:
    """Turn a `TscmError` into its sentence on stderr and its exit status."""
    try:
        yield
    except TscmError as error:
        stderr = sys.__stderr__ or sys.stderr  # twistd makes sys.stderr a part of its log
        stderr.write(f"[ERROR] : {visible(error, keep=chr(10))}\n")
        stderr.flush()
        raise SystemExit(error.exit_status) from None
    except OSError as error:  # a root that is no folder, or that this user may not write
        stderr = sys.__stderr__ or sys.stderr
        stderr.write(
            f"[ERROR] : {error.filename or 'start'}: {error.strerror or error}; {_remedy(error)}\n"
        )
        stderr.flush()
        raise SystemExit(1) from None


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EMFILE:
            return "raise its limit of open files (LimitNOFILE= in its unit, or `ulimit -n`)"
        case errno.ENFILE:
            return "raise the number of open files that this host allows (`sysctl fs.file-max`)"
        case errno.ENOSPC | errno.EDQUOT:
            return "make room on that file system"
    return "start it as a user that may write there, or give a folder of its own with --root or TSCM_ROOT"


def umask_for(given: int) -> int:
    """
    The process's umask: twistd's own in the background (077) would shut out the group that reads logs and settings.

    What must be private is made so by name, whatever the umask.
    """
    return 0o027 if given == _DAEMONS_UMASK else given


@implementer(IService)
@define(eq=False)
class FrontService(Service):
    """
    Stands before a plugin's top service, so that what it raises while starting is a sentence.
    """

    _top: Any
    goes: bool = False
    """Whether the process is this service's own, and ends with it."""

    def privilegedStartService(self) -> None:
        """Bind; may end the process."""
        if self.goes:
            os.umask(umask_for(os.umask(0o077)))
        with sentence_and_status():
            self._top.privilegedStartService()

    def startService(self) -> None:
        """Begin; may end the process."""
        super().startService()
        with sentence_and_status():
            self._top.startService()

    def stopService(self) -> Deferred[None] | None:
        """Fires when nothing of ours is running."""
        super().stopService()
        stopped: Deferred[None] | None = self._top.stopService()
        if self.goes and stopped is not None:
            stopped.addBoth(go_for_sure)
        return stopped
