"""
One session on a device's command line: begun when it is first needed, begun again after it was lost, ended in good order.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex

from attrs import define, field

from tscm.base.deadline import CutOff
from tscm.base.secrets import Secret
from tscm.errors import DeviceFault
from tscm.kinds.asa.ssh.console import Channel, ChannelClosed, Console, FellSilent
from tscm.kinds.asa.ssh.faults import fault_of
from tscm.kinds.asa.ssh.login import Entrance, enter
from tscm.kinds.asa.ssh.openssh import Target
from tscm.kinds.asa.ssh.process import NotOpened, SshProcess
from tscm.kinds.asa.ssh.screen import PrintsTooMuch, Screen
from tscm.kinds.faults import Overloaded
from tscm.model import Traffic

LOGIN_SECONDS = 60.0
EXCHANGE_SECONDS = 3600.0
"""For all that one call of the driver says: a portion, or one large answer."""
_LOOK = "log in with `ssh` and check what it prints"
_ENDED = (
    "the next attempt continues from there; if this recurs, check `show ssh sessions`, and "
    "`ssh timeout` in `show running-config ssh`"
)
_BYE_SECONDS = 3.0
_STEPS_UP = 3

Opener = Callable[[Target, Secret, socket.socket], Channel]


def open_process(name: str, key: Secret | None = None) -> Opener:
    """Sessions by the operating system's `ssh`, with a private *key* where there is one."""

    def opener(target: Target, password: Secret, stop: socket.socket) -> Channel:
        process = SshProcess(name, target, time.monotonic, stop, key)
        try:
            process.open(password.reveal(), LOGIN_SECONDS)
        except BaseException:
            process.close()
            raise
        return process

    return opener


@define(eq=False)
class SshLink:
    """
    The command line of one device, as the account of *target* sees it.
    """

    name: str
    target: Target
    password: Secret
    entrance: Entrance
    password_prompt: str = ""
    key: Secret | None = None
    opener: Opener | None = None
    monotonic: Callable[[], float] = time.monotonic
    without_pages: bool = field(default=True, init=False)
    """Were pages turned off, in the last session?"""
    _traffic: Traffic = field(factory=Traffic, init=False)
    _console: Console | None = field(default=None, init=False)
    _cut: CutOff = field(init=False)
    """Patient while something is written: a window that is on its way is waited for when the manager stops."""
    _stop: tuple[socket.socket, socket.socket] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._cut = CutOff()

    @property
    def traffic(self) -> Traffic:
        """What was said so far, in all sessions."""
        console = self._console
        if console is None:
            return self._traffic
        return self._traffic.plus(
            requests=console.commands, sent=console.sent, received=console.received
        )

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[Console]:
        """
        The session, at its privileged prompt, for one exchange; one that does not *write* loses nothing by an end.

        After a fault that leaves it anywhere it is ended, and the next exchange begins another.
        """
        if self._stop is None:
            self._stop = socket.socketpair()
        self._cut.patient = write
        with self._cut.within(EXCHANGE_SECONDS):
            self._cut.watch(self._stop[0])
            try:
                if self._console is None:
                    self._open(self._stop[1])
                assert self._console is not None
                yield self._console
            except FellSilent as error:
                self._drop()
                cause = f"its command line stopped responding: {error}"
                raise Overloaded(self.name, cause, _LOOK) from None
            except ChannelClosed as error:
                self._drop()
                raise Overloaded(self.name, self._why(str(error)), _ENDED) from None
            except PrintsTooMuch as error:
                self._drop()
                raise Overloaded(self.name, f"it printed {error}", _LOOK) from None
            except DeviceFault:
                console = self._console
                if console is None or not _at_top(console):
                    self._drop()
                raise
            except BaseException:
                self._drop()
                raise

    def _why(self, said: str) -> str:
        if self._cut.over and not self._cut.stopped:
            return f"it did not finish within {EXCHANGE_SECONDS:,.0f} s"
        return f"the session ended: {said}"

    def _open(self, stop: socket.socket) -> None:
        opener = self.opener or open_process(self.name, self.key)
        try:
            channel = opener(self.target, self.password, stop)
        except NotOpened as error:
            raise fault_of(self.name, error.failure) from None
        screen = Screen(f"!{token_hex(3)}", self.password_prompt)
        self._console = Console(channel, screen, self.monotonic)
        self.without_pages = enter(self.name, self._console, self.entrance)
        self._console.commands = 0  # those that were asked for count

    def _drop(self) -> None:
        """End the session as it is."""
        console, self._traffic = self._console, self.traffic
        self._console = None
        if console is not None:
            console.channel.close()
        self._close_stop()

    def close(self) -> None:
        """Log out, so that the device has its session back at once."""
        console = self._console
        if console is not None:
            with suppress(FellSilent, ChannelClosed, PrintsTooMuch, OSError):
                for _ in range(_STEPS_UP):
                    console.type("exit")
                    if console.next_event(_BYE_SECONDS) is None:
                        break
                    console.settle(_BYE_SECONDS)
        self._drop()

    def _close_stop(self) -> None:
        pair, self._stop = self._stop, None
        for one in pair or ():
            one.close()


def _at_top(console: Console) -> bool:
    prompt = console.prompt
    return prompt is not None and prompt.privileged and not prompt.mode and not console.lost
