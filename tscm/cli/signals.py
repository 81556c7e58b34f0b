"""
Signal handlers, put back as they were.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit status after ^C, as a shell gives it for SIGINT."""
_OF_A_REACTOR = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """
    For a reactor that runs for a while: when it ends it takes the process's handlers with it,
    and another reactor of the process would never hear of its children again.
    """
    handlers = {one: signal.getsignal(one) for one in _OF_A_REACTOR}
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    try:
        yield
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
        signal.set_wakeup_fd(wakeup)
