"""
Kill -9 at the n-th step that a process takes on the disk.
"""

import os
import signal
from typing import Any

from attrs import define, field

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}


@define(eq=False)
class Fuse:
    """
    Burns down step by step; at its end the process is gone.  Without a *length* it only counts.

    Steps are not named by hand: as an audit hook (`sys.addaudithook`, in a child process, for it
    stays) it sees whatever is opened for writing, renamed, cut or deleted.
    """

    length: int = 0
    burnt: int = field(default=0, init=False)

    def burn(self) -> None:
        self.burnt += 1
        if self.burnt == self.length:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if writes or event in _CHANGES:
            self.burn()
