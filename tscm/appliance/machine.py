"""
Carrying out what was decided about the appliance: its files, and the services of systemd that read them.

Blocks.  Needs root.
"""

import errno
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field, frozen

from tscm.appliance.files import Places, read_text, read_trial, write_text, write_trial
from tscm.appliance.host import hosts_with, parse_servers, render_servers
from tscm.appliance.network import Network, parse
from tscm.appliance.refusal import NotPossible
from tscm.appliance.trial import CONFIRM_SECONDS, Trial, begin, confirm, take_back
from tscm.errors import TscmError
from tscm.printable import quoted

TIMER = "tscm-network-revert"
_RUN_SECONDS = 60.0
_CARDS = ("en", "eth")
Run = Callable[[Sequence[str]], None]


@define(eq=False)
class StepFailed(TscmError):
    """
    A program of the host did not do what it was asked.
    """

    words: str
    cause: str

    def __str__(self) -> str:
        return f"`{self.words}` failed: {self.cause}; look at `journalctl -b`"


def run(words: Sequence[str]) -> None:
    """A program of the host that must succeed.  Raises `StepFailed`."""
    try:
        done = subprocess.run(  # noqa: S603 - words of this module, and what it checked
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_RUN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise StepFailed(" ".join(words), f"no end after {_RUN_SECONDS:.0f} s") from None
    except OSError as error:
        raise StepFailed(" ".join(words), error.strerror or str(error)) from None
    if done.returncode:
        said = quoted(done.stdout.decode("utf-8", "replace")) or f"status {done.returncode}"
        raise StepFailed(" ".join(words), said)


@frozen
class NetworkStanding:
    """What `tsadmin network` shows; *seconds_left* of a change that is tried, None where none is."""

    present: Network
    seconds_left: float | None = None


@define
class Machine:
    """The host itself; *places*, *run* and *now* are a test's to give."""

    places: Places = field(factory=Places)
    run: Run = run
    now: Callable[[], float] = time.monotonic

    def require(self) -> None:
        """Raises `NotPossible` on a host that is not the appliance: its network belongs to others."""
        if not self.places.mark.is_file():
            raise NotPossible(
                "this host is not the appliance; set its network, time and name with the tools of its system"
            )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time.  Raises `NotPossible`."""
        self.require()
        try:
            handle = os.open(self.places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            raise _needs_root() from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise NotPossible(
                    "another command changes this host; try again when it has ended"
                ) from None
            yield
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EPERM}:
                raise _needs_root() from None
            raise
        finally:
            os.close(handle)

    # -- the network ----------------------------------------------------------

    def network(self) -> NetworkStanding:
        """As it is set, and whether a change waits.  Raises `NotPossible`, `OSError`."""
        self.require()
        state = read_trial(self.places.network)
        left = max(0.0, state.until - self.now()) if state.under_way else None
        return NetworkStanding(parse(state.present), left)

    def try_network(self, wanted: Network) -> None:
        """
        Put *wanted* in force beside what was; systemd takes it back in time, whatever becomes of this session.

        Raises `NotPossible`, `StepFailed`, `OSError`; then what was before is in force.
        """
        with self._changing():
            cards = self._cards()
            if wanted.addresses and len(cards) > 1:
                raise NotPossible(
                    f"this host has the interfaces {', '.join(cards)}, and one address fits one of them; "
                    "remove the others from the machine, or write files in /etc/systemd/network"
                )
            state = read_trial(self.places.network)
            self._start_timer()  # first: what cannot be taken back is not tried
            self._put(begin(state, wanted, self.now()), otherwise=take_back(state))

    def confirm_network(self) -> None:
        """Keep what is tried.  Raises `NotPossible`, `StepFailed`, `OSError`."""
        with self._changing():
            state = read_trial(self.places.network)
            self._put(confirm(state, self.now()), otherwise=state)
            self._stop_timer()

    def take_network_back(self) -> bool:
        """What was before a change is in force again; False where none was tried.  Raises the same."""
        with self._changing():
            state = read_trial(self.places.network)
            if not state.under_way:
                return False
            self._put(take_back(state), otherwise=take_back(state))
            self._stop_timer()
            return True

    def _put(self, state: Trial, otherwise: Trial) -> None:
        try:
            write_trial(self.places.network, state)
            self.run(["networkctl", "reload"])
        except (OSError, TscmError):
            write_trial(self.places.network, otherwise)
            raise

    def _cards(self) -> list[str]:
        try:
            names = [one.name for one in (self.places.root / "sys/class/net").iterdir()]
        except OSError:
            return []
        return sorted(one for one in names if one.startswith(_CARDS))

    def _start_timer(self) -> None:
        self._stop_timer()
        self.run(
            [
                *("systemd-run", "--quiet", "--collect", f"--unit={TIMER}"),
                *(f"--on-active={CONFIRM_SECONDS}", "--timer-property=AccuracySec=1s"),
                "/" + str(self.places.mark.relative_to(self.places.root)),
            ]
        )

    def _stop_timer(self) -> None:
        """No change is to be taken back any more; there may be no timer."""
        try:
            self.run(["systemctl", "stop", f"{TIMER}.timer"])
        except StepFailed:
            return

    # -- time and name --------------------------------------------------------

    def time_servers(self) -> tuple[str, ...]:
        """Those that were set; empty for those of Debian.  Raises `NotPossible`, `OSError`."""
        self.require()
        return parse_servers(read_text(self.places.time_servers) or "")

    def set_time_servers(self, servers: Sequence[str]) -> None:
        """Ask *servers* for the time, or those of Debian where there are none.  Raises the same, `StepFailed`."""
        with self._changing():
            if servers:
                write_text(self.places.time_servers, render_servers(servers))
            else:
                self.places.time_servers.unlink(missing_ok=True)
            self.run(["systemctl", "restart", "systemd-timesyncd.service"])

    def host_name(self) -> str:
        """As it is set.  Raises `NotPossible`, `OSError`."""
        self.require()
        return (read_text(self.places.host_name) or "").strip()

    def set_host_name(self, name: str) -> None:
        """Call this host *name*, now and after a start.  Raises the same, `StepFailed`."""
        with self._changing():
            hosts = hosts_with(read_text(self.places.hosts) or "", name)
            write_text(self.places.hosts, hosts)
            self.run(["hostnamectl", "set-hostname", "--", name])


def _needs_root() -> NotPossible:
    return NotPossible("only root may change this host; put `sudo` before the command")
