"""
The signals that end a process by default, and that are not sent to stop it (signal(7), Linux).

Left out are SIGQUIT and SIGABRT (an end at once with a core, which the unit's watchdog asks for) and what the
kernel sends for a fault of the program.  Python itself ignores SIGPIPE and SIGXFSZ.
"""

import signal

USER = (signal.SIGUSR1, signal.SIGUSR2)
STRAY: tuple[int, ...] = (
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGIO,
    signal.SIGPWR,
    signal.SIGSTKFLT,
    signal.SIGXCPU,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)


def name_of(number: int) -> str:
    """What signal(7) calls it."""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    return signal.Signals(number).name


def ignore_in_child() -> None:
    """
    For a child process that ends when its input does: a signal to the whole group is meant for the parent.

    A terminal's ^C and hang-up go to the group, and so does `systemctl kill`.
    """
    for number in (signal.SIGHUP, signal.SIGINT, *USER, *STRAY):
        signal.signal(number, signal.SIG_IGN)
