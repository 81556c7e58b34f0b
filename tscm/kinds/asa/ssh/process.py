"""
A session on a device by the operating system's `ssh`, as a channel.

`ssh` gets a terminal of its own: it asks for the password there, after it has checked the device's key, and what the
device prints never comes there.  Should this process die, the terminal hangs up and `ssh` ends with it.
"""

import errno
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import define, evolve, field

from tscm.base.secrets import Secret
from tscm.kinds.asa.ssh import openssh
from tscm.kinds.asa.ssh.console import ChannelClosed
from tscm.kinds.asa.ssh.openssh import Failure, Target

_READ = 64 << 10
_MOST_ERRORS = 64 << 10
_MOST_TERMINAL = 8 << 10
_END_SECONDS = 2.0
_ROWS, _COLUMNS = 24, 80


class NotOpened(Exception):
    """
    There is no session; *failure* says why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


@define(eq=False)
class SshProcess:
    """
    One running `ssh`.

    *stop* is readable when all has to end at once.
    """

    name: str
    target: Target
    monotonic: Callable[[], float]
    stop: socket.socket | None = None
    key: Secret | None = None
    """A private key to log in with."""
    _pid: int = field(default=0, init=False)
    _terminal: int = field(default=-1, init=False)
    _output: int = field(default=-1, init=False)
    _errors: int = field(default=-1, init=False)
    _said: bytearray = field(factory=bytearray, init=False)
    _pending: bytearray = field(factory=bytearray, init=False)
    _over: bool = field(default=False, init=False)

    @property
    def errors(self) -> str:
        """What `ssh` has written on standard error."""
        return self._said.decode("utf-8", "replace")

    def open(self, password: str, seconds: float) -> None:
        """
        Start it and log in: back when the device has printed something.  Raises `NotOpened`, `ChannelClosed`.

        A private key lies in memory that only this process and `ssh` can open, and only until then.
        """
        with _in_memory(self.key) as key_file:
            target = self.target
            if key_file is not None:
                target = evolve(target, key_file=key_file, with_password=bool(password))
            self._start(target)
            self._log_in(password, seconds)

    def _log_in(self, password: str, seconds: float) -> None:
        until = self.monotonic() + seconds
        asked, answered = bytearray(), False
        while not self._pending:
            left = until - self.monotonic()
            if left <= 0:
                self._fail(Failure(kind="connection", cause=f"no session within {seconds:,.0f} s"))
            asked += self._wait(left)
            del asked[:-_MOST_TERMINAL]
            if self._over and not self._pending:
                self._fail(None)
            if openssh.is_question(bytes(asked)) and not self._pending:
                if openssh.asks_passphrase(bytes(asked)):
                    self._fail(
                        Failure(
                            kind="key file",
                            cause="its private key is locked with a passphrase",
                            remedy="`ssh-keygen -p -f COPY` takes the passphrase off a copy, which "
                            f"`tsadmin configure {self.name} --ssh_key_file COPY` sets",
                        )
                    )
                if answered:
                    # Another answer could be counted as another wrong password, and lock the account.
                    self._fail(
                        Failure(
                            kind="login",
                            cause="it rejected the user name or the password, or requires more than a password",
                            remedy="use an account that logs in by a password alone (`aaa authentication ssh console "
                            f"LOCAL`), or a key: tsadmin configure {self.name} --ssh_key_file, and the file",
                        )
                    )
                asked.clear()
                answered = True
                self._write(self._terminal, password.encode() + b"\n")

    def _start(self, target: Target) -> None:
        program = shutil.which(openssh.PROGRAM)
        if program is None:
            raise NotOpened(
                Failure(
                    kind="program",
                    cause="the program `ssh` is not installed on the manager's host",
                    remedy=f"`apt-get install {openssh.PACKAGE}` brings it",
                )
            )
        self._terminal, slave = os.openpty()
        output, output_in = os.pipe()
        errors, errors_in = os.pipe()
        try:
            size = struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
            self._output, self._errors = output, errors
            self._pid = os.posix_spawn(
                program,
                openssh.words(program, target),
                openssh.environment(os.environ),
                # The first terminal that the leader of a session opens becomes its own.
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, output_in, 1),
                    (os.POSIX_SPAWN_DUP2, errors_in, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGHUP, signal.SIGTERM],
            )
        finally:
            for one in (slave, output_in, errors_in):
                os.close(one)
        for one in (self._terminal, self._output, self._errors):
            os.set_blocking(one, False)

    # -- the channel -----------------------------------------------------------

    def receive(self, seconds: float) -> bytes | None:
        """What the device printed."""
        until = self.monotonic() + seconds
        while not self._pending:
            if self._over:
                raise ChannelClosed(self._last_words())
            left = until - self.monotonic()
            if left <= 0:
                return None
            self._wait(left)
        data = bytes(self._pending)
        self._pending.clear()
        return data

    def send(self, data: bytes) -> None:
        """Type *data*."""
        if self._over:
            raise ChannelClosed(self._last_words())
        self._write(self._terminal, data)

    def close(self) -> None:
        """End `ssh`, if it has not ended by itself after its session."""
        if self._pid:
            until = self.monotonic() + _END_SECONDS
            with suppress(ChannelClosed, OSError):
                while self._over and not self._gone() and self.monotonic() < until:
                    select.select([], [], [], 0.01)
            if self._pid and not self._gone():
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0
        for one in (self._terminal, self._output, self._errors):
            if one >= 0:
                os.close(one)
        self._terminal = self._output = self._errors = -1
        self._over = True

    def _gone(self) -> bool:
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
        return not self._pid

    # -- descriptors -----------------------------------------------------------

    def _wait(self, seconds: float, *, writing: bool = False) -> bytes:
        """
        Take what is there, at the latest after *seconds*; what `ssh` wrote on its terminal.

        Standard error is read to its end before the end of standard output is believed.
        """
        waiting = select.poll()
        for one in (self._output, self._errors, self._terminal):
            if one >= 0:
                waiting.register(one, select.POLLIN)
        if writing:
            waiting.register(self._terminal, select.POLLIN | select.POLLOUT)
        if self.stop is not None:
            waiting.register(self.stop, select.POLLIN)
        ready = dict(waiting.poll(max(1, int(seconds * 1000))))
        if self.stop is not None and self.stop.fileno() in ready:
            self._over = True
            raise ChannelClosed("the manager ends it")
        said = b""
        if self._errors in ready:
            self._said += self._read("_errors")
            del self._said[_MOST_ERRORS:]
        if self._terminal in ready and ready[self._terminal] & ~select.POLLOUT:
            said = self._read("_terminal")
        if self._output in ready:
            self._pending += self._read("_output")
        self._over = self._output < 0 and self._errors < 0
        return said

    def _read(self, which: str) -> bytes:
        """What can be read; a descriptor at its end is closed."""
        number: int = getattr(self, which)
        try:
            data = os.read(number, _READ)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:  # of a terminal that no process holds any more
                raise
            data = b""
        if not data:
            os.close(number)
            setattr(self, which, -1)
        return data

    def _write(self, number: int, data: bytes) -> None:
        while data:
            if number < 0 or self._terminal < 0:
                raise ChannelClosed(self._last_words())
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:
                self._wait(1.0, writing=True)
            except OSError as error:
                raise ChannelClosed(self._last_words()) from error

    def _last_words(self) -> str:
        lines = [
            line
            for line in self.errors.splitlines()
            if line.strip() and not line.startswith(openssh.TOLD_KEY)
        ]
        return lines[-1] if lines else "the device ended the session"

    def _fail(self, failure: Failure | None) -> None:
        self.close()
        raise NotOpened(
            failure
            or openssh.read_failure(
                self.errors,
                name=self.name,
                old_algorithms=self.target.old_algorithms,
                with_key=self.key is not None,
            )
        )


@contextmanager
def _in_memory(key: Secret | None) -> Iterator[str | None]:
    """A path at which `ssh` can read *key*, as long as the context lasts: nothing of it comes to a disk."""
    if key is None:
        yield None
        return
    number = os.memfd_create("key")
    try:
        os.fchmod(number, 0o600)  # `ssh` takes no key that others could read
        os.write(number, key.reveal().encode())
        yield f"/proc/{os.getpid()}/fd/{number}"
    finally:
        os.close(number)
