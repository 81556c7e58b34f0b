"""
A hard limit for the memory of a process that parses, so that no input takes the host's.

Only for child processes: what they ask for beyond it raises `MemoryError` in them, and the manager,
which collects, starts the next one.
"""

import contextlib
import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")
_OOM_SCORE = Path("/proc/self/oom_score_adj")


def bound_memory(more: int) -> None:
    """
    Let this process take *more* bytes beyond what it has, and have the kernel end it before others.

    Bounds private writable memory (RLIMIT_DATA, setrlimit(2)).  What libraries hold when this is
    called is left out: numpy reserves as much again for each core.  Without `/proc` the bound is
    *more* alone.
    """
    held = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = _STATUS.read_text("ascii", "replace").splitlines()
        (line,) = (one for one in lines if one.startswith("VmData:"))
        held = int(line.split()[1]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = held + more if hard == resource.RLIM_INFINITY else min(held + more, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    with contextlib.suppress(OSError):
        _OOM_SCORE.write_text("500")  # raising one's own needs no right
