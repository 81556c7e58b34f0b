"""
A command that runs a reactor of its own leaves the process's signals as they were.
"""

import signal

from twisted.internet.selectreactor import SelectReactor

from tscm.cli.signals import handlers_kept


def state() -> tuple[object, ...]:
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    return (
        wakeup,
        *(signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)),
    )


def test_a_second_reactor_leaves_the_first_one_its_signals() -> None:
    before = state()
    reactor = SelectReactor()
    reactor.callWhenRunning(reactor.stop)
    with handlers_kept():
        reactor.run()
    assert state() == before
