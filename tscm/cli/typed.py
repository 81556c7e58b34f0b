"""
Lines that are typed at the terminal, with ^C heard at any moment.
"""

import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager


def typed_line(prompt: str, *, hidden: bool = False) -> str:
    """
    The next line of standard input, without its end; a *hidden* one is not shown while it is typed.

    Raises `EOFError` at the end of the input, and `UnicodeDecodeError` for bytes that are not UTF-8.
    """
    if not sys.stdin.isatty():
        return _read(prompt)
    with _echo_off() if hidden else _echo_as_it_is():
        return _read(prompt, wait=True)


def _read(prompt: str, *, wait: bool = False) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    if wait:
        wait_for_input()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def wait_for_input() -> None:
    """
    Return as soon as a read of the terminal would not block; a signal's handler runs at once.

    A signal that comes just before a blocking read is only noted: its handler runs when the read
    returns, which is after Enter.  A wait for a descriptor that the signal itself makes readable
    has no such gap.
    """
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    try:
        while woken in select.select([sys.stdin, woken], [], [])[0]:
            os.read(woken, 64)
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wakes)


@contextmanager
def _echo_off() -> Iterator[None]:
    """What was typed before the prompt is discarded: it was typed for something else, and was shown."""
    terminal = sys.stdin.fileno()
    kept = termios.tcgetattr(terminal)
    silent = [*kept]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, kept)
        sys.stdout.write("\n")
        sys.stdout.flush()


@contextmanager
def _echo_as_it_is() -> Iterator[None]:
    yield
