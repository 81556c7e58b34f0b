"""
Keys from the network to a terminal and its text back, at the pace of a firewall.

A firewall takes its time for a line, more where the line's group is in use and access-lists are compiled again; it
bears only so many keys ahead of what it has read; it ends a session that is idle; and a network may end one anywhere.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tscm.simulator.digits import whole
from tscm.simulator.terminal import Terminal

if TYPE_CHECKING:
    from tscm.simulator.device import Device
    from tscm.simulator.switches import Switches

_TIMEOUT = "ssh timeout "
_DEFAULT_MINUTES = 5
_MOST_MINUTES = 60
_UNASKED_EVERY = 5
_NOTICES = {
    "replication": "Beginning configuration replication: Sending to mate.\r\n"
    "End Configuration Replication to mate\r\n",
    "syslog": "%ASA-5-111008: User 'enable_15' executed the 'show clock' command.\r\n",
}


class Shell(Protocol):
    """
    One session of *terminal*.

    *say* tells the collectors what the firewall has to say; *abort* is a network that ends.
    """

    def __init__(
        self, terminal: Terminal, clock: Any, say: Callable[[], None], abort: Callable[[], None]
    ) -> None:
        self._terminal = terminal
        self._clock = clock
        self._say = say
        self._abort = abort
        self._typed = bytearray()
        self._pause: IDelayedCall | None = None
        self._idle: IDelayedCall | None = None
        self._came = 0
        self._lines = 0

    @property
    def _device(self) -> "Device":
        return self._terminal.device

    @property
    def _switches(self) -> "Switches":
        return self._device.switches

    def connectionMade(self) -> None:
        """Print the banner and the first prompt."""
        self._write(self._terminal.begin())
        self._wait_for_keys()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client reads no more."""
        del reason
        for one in (self._pause, self._idle):
            if one is not None and one.active():
                one.cancel()

    def dataReceived(self, data: bytes) -> None:
        """Keys were typed."""
        self._wait_for_keys()
        cut = int(self._switches.ssh_cut_after_bytes)
        cuts = 0 < cut <= self._came + len(data)
        if cuts:
            data = data[: cut - self._came]
        self._came += len(data)
        ahead = int(self._switches.ssh_ahead_bytes)
        self._typed += data if not ahead else data[: max(0, ahead - len(self._typed))]
        self._go_on()
        if cuts:
            self._abort()

    def _go_on(self) -> None:
        """Read what was typed, up to a line that takes time."""
        while self._typed and (self._pause is None or not self._pause.active()):
            end = min((at for at in map(self._typed.find, (b"\r", b"\n")) if at >= 0), default=-1)
            length = end + 1 if end >= 0 else len(self._typed)
            keys = bytes(self._typed[:length])
            del self._typed[:length]
            before = self._device.configuration.generation
            printed = self._terminal.feed(keys.decode("utf-8", "replace"), self._clock.seconds())
            seconds = 0.0
            if end >= 0:
                seconds = self._seconds_for(changed=self._device.configuration.generation != before)
                printed += self._unasked()
            self._say()
            if self._terminal.closed:
                self._write(printed)
                self._typed.clear()
                if self.transport is not None:
                    self.transport.loseConnection()
                return
            if seconds > 0:
                self._pause = self._clock.callLater(seconds, self._done, printed)
            else:
                self._write(printed)

    def _done(self, printed: str) -> None:
        """A line took its time, in which the session was not idle."""
        self._wait_for_keys()
        self._write(printed)
        self._go_on()

    def _seconds_for(self, *, changed: bool) -> float:
        seconds = self._switches.ssh_line_seconds
        if changed and self._switches.ssh_recompile_seconds and self._in_use(self._terminal.group):
            seconds += self._switches.ssh_recompile_seconds
        return seconds

    def _in_use(self, group: str) -> bool:
        """Do access-lists name it, or one that holds it?"""
        held = self._device.configuration
        holding = (name for name, one in held.groups.items() if group in one.children)
        return any(held.lists_using(name) for name in (group, *holding))

    def _unasked(self) -> str:
        self._lines += 1
        notice = _NOTICES.get(self._switches.ssh_unasked)
        if notice is None or self._lines % _UNASKED_EVERY or self._terminal.asks:
            return ""
        return f"\r\n{notice}\r{self._terminal.prompt}"

    def _wait_for_keys(self) -> None:
        """End the session when none comes for the time of `ssh timeout`."""
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        seconds = self._switches.ssh_idle_seconds or 60.0 * self._minutes()
        self._idle = self._clock.callLater(seconds, self._expire)

    def _minutes(self) -> int:
        for line in self._device.configuration.plain:
            if line.startswith(_TIMEOUT):
                return whole(line.split()[2], _MOST_MINUTES, 1) or _DEFAULT_MINUTES
        return _DEFAULT_MINUTES

    def _expire(self) -> None:
        if self._pause is not None and self._pause.active():
            self._wait_for_keys()
        elif self.transport is not None:
            self.transport.loseConnection()

    def _write(self, text: str) -> None:
        if text and self.transport is not None:
            self.transport.write(text.encode())
