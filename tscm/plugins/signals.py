"""
What the signals of a plugin's process mean: which ones stop it, and that no other one ends it by the way.

Most signals end a process that has no handler for them (signal(7)).  A manager that ends so closes every
connection without handing it over, and an ASA without `permit-hostdown` then refuses new traffic.
"""

import signal
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

from tscm.base.stray_signals import STRAY, USER, name_of

_LOG = Logger()

STOPS = (signal.SIGTERM, signal.SIGINT)
Handler = Callable[[int, FrameType | None], Any]


def outlive_stray_signals(reactor: Any, *more: signal.Signals) -> None:
    """
    Let no signal of `STRAY`, of SIGUSR1 and SIGUSR2 or of *more* end the process; one that comes is logged.

    A signal that another part handles stays with it: with a log file of twistd's, SIGUSR1 rotates it,
    which twistd sets up after the services were made; so those two wait until the reactor runs.
    """
    times: Counter[int] = Counter()

    def ignored(number: int, _: object) -> None:
        times[number] += 1
        if times[number].bit_count() == 1:  # the first, the second, the fourth, …
            reactor.callFromThread(
                _LOG.warn,
                ("{name} has no effect here and is ignored ({count} so far); stop with SIGTERM"),
                name=name_of(number),
                count=times[number],
            )

    def heed(numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, ignored)

    heed((*STRAY, *more))
    reactor.callWhenRunning(heed, USER)


def stop_once(reactor: Any) -> None:
    """
    Let only the first SIGTERM or SIGINT reach *reactor*: a stop that is in progress goes on.

    Twisted's handlers log `ReactorNotRunning` for every further one.
    """
    under_way = False

    def begun() -> None:
        nonlocal under_way
        under_way = True

    def once(first: Handler) -> Handler:
        def heard(number: int, frame: FrameType | None) -> None:
            if under_way:
                reactor.callFromThread(_LOG.info, "{name}: already stopping", name=name_of(number))
                return
            begun()
            first(number, frame)

        return heard

    def wrap() -> None:
        for number in STOPS:
            present = signal.getsignal(number)
            if callable(present) and present is not signal.default_int_handler:
                signal.signal(number, once(present))

    reactor.addSystemEventTrigger("before", "shutdown", begun)  # for a stop that no signal began
    reactor.callWhenRunning(wrap)  # by then the reactor's own handlers are there


def settle_signals(reactor: Any, *ignored: signal.Signals) -> None:
    """Both of them; *ignored* mean nothing to this plugin either."""
    outlive_stray_signals(reactor, *ignored)
    stop_once(reactor)
