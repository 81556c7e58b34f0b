"""
systemd's side of never being away: sockets it holds for us, word to it, descriptors it keeps.

The protocols are those of sd_listen_fds(3) and sd_notify(3), in plain Python.  Without systemd
nothing here does anything.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_FIRST = 3
_MAX_INHERITED = 65536
_TOLD = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_STARTED_WITH = Path("/proc/self/environ")


def environment(started_with: Path = _STARTED_WITH) -> dict[str, str]:
    """
    The environment, with what systemd said of descriptors at the start of this process.

    Twisted takes that out of `os.environ` when its endpoints are imported, which twistd does
    before it looks at a plugin; the kernel's copy stays.
    """
    found = dict(os.environ)
    try:
        pairs = os.fsdecode(started_with.read_bytes()).split("\0")
    except OSError:
        return found
    for name, _, value in (pair.partition("=") for pair in pairs):
        if name in _TOLD:
            found.setdefault(name, value)
    return found


@frozen
class Inherited:
    """A descriptor that systemd hands over, with the name it was given."""

    fd: int
    name: str


def inherited(environ: MutableMapping[str, str], pid: int) -> tuple[Inherited, ...]:
    """
    The descriptors that are ours; the variables go, so that no child takes them for its own.
    """
    told_pid, told_count, told_names = (environ.pop(name, "") for name in _TOLD)
    names = told_names.split(":")
    if told_pid != str(pid) or not told_count.isdecimal():
        return ()
    count = min(int(told_count), _MAX_INHERITED)
    names += [""] * (count - len(names))
    found = tuple(Inherited(_FIRST + number, names[number]) for number in range(count))
    for one in found:
        os.set_inheritable(one.fd, False)
    return found


@frozen
class Notifier:
    """
    Word to systemd; *address* is empty where nothing listens.
    """

    _log: ClassVar[Logger] = Logger()

    address: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Notifier":
        """Where NOTIFY_SOCKET says."""
        return cls(environ.get("NOTIFY_SOCKET", ""))

    def tell(self, *assignments: str, fds: Sequence[int] = ()) -> bool:
        """
        Send `READY=1` and the like, with descriptors where they are to be kept.  Never raises.
        """
        if not self.address:
            return False
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        data = "\n".join(assignments).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.connect(address)
                if fds:
                    socket.send_fds(to, [data], list(fds))
                else:
                    to.send(data)
        except OSError as error:
            self._log.error("cannot notify systemd: {error}", error=error)
            return False
        return True

    def keep(self, fd: int, name: str) -> bool:
        """Let systemd hold *fd* until the next start (its file descriptor store)."""
        return self.tell("FDSTORE=1", f"FDNAME={name}", fds=[fd])

    def drop(self, name: str) -> bool:
        """Let systemd close what it holds under *name*."""
        return self.tell("FDSTOREREMOVE=1", f"FDNAME={name}")


@frozen
class Activation:
    """
    What systemd gave this process, read once at its start.

    *hands_over* says that the unit lets accepted connections be kept over a restart
    (TSCM_HAND_OVER=1 beside FileDescriptorStoreMax=, see etc/tscm.service).
    """

    inherited: tuple[Inherited, ...] = ()
    notifier: Notifier = field(factory=Notifier)
    hands_over: bool = False
    watchdog_seconds: float = 0.0

    @classmethod
    def of(cls, environ: MutableMapping[str, str], pid: int) -> "Activation":
        """From the environment; empty where systemd did not start this process."""
        micros, for_pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
        watched = micros.isdecimal() and for_pid == str(pid)
        return cls(
            inherited(environ, pid),
            Notifier.of(environ),
            environ.get("TSCM_HAND_OVER") == "1",
            int(micros) / 1e6 if watched else 0.0,
        )


@define(eq=False)
class SystemdService(Service):
    """
    Tells systemd that the manager is ready, alive and stopping.

    The watchdog is fed from the reactor: a reactor that stands still is what it is there for.
    """

    _clock: IReactorTime
    _activation: Activation
    _feeding: LoopingCall | None = field(default=None, init=False)

    def startService(self) -> None:
        """All listeners stand: say so."""
        super().startService()
        notifier, period = self._activation.notifier, self._activation.watchdog_seconds
        if notifier.tell("READY=1") and period:
            self._feeding = LoopingCall(notifier.tell, "WATCHDOG=1")
            self._feeding.clock = self._clock
            self._feeding.start(period / 3)

    def say_stopping(self) -> None:
        """The end is meant; until `stopService` the watchdog is fed all the same."""
        self._activation.notifier.tell("STOPPING=1")

    def stopService(self) -> None:
        """No more word."""
        super().stopService()
        if self._feeding is not None:
            self._feeding.stop()
            self._feeding = None
