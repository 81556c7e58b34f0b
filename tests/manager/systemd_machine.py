"""
A machine whose process 1 is the real systemd, with the product's units as they are shipped.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tscm
from tests.manager.manager_process import Manager, wait_for
from tests.manager.systemd_root import LOG, USER_ID
from tscm.settings.owner import owner_of

UNITS = Path(__file__).parents[2] / "etc"
SERVICE = "tscm.service"
_NEWNET = 0x40000000
_NAMESPACES = ("--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup")


class Machine:
    """
    systemd in namespaces of its own, ended by its process id.

    `manager` sees the machine's files and its control socket from outside.
    """

    def __init__(self, folder: Path) -> None:
        self._cgroup = _cgroup_mount() / f"tscm-test-{os.getpid()}"
        self._outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._log = folder / "machine.log"
        place = folder / "place"
        place.mkdir()
        self._cgroup.mkdir()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("sh", "-c", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "in"),
                    *(str(self._cgroup), "setpriv", "--pdeathsig", "KILL"),
                    *("unshare", "--kill-child", *_NAMESPACES),
                    *(sys.executable, str(Path(__file__).with_name("systemd_root.py"))),
                    *(str(UNITS), str(place), *_seen()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = 0
        self._inside = -1
        try:
            wait_for(self._runs, self._log.read_text)
        except BaseException:
            self.end()
            raise
        self._inside = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        self.root = Path(f"/proc/{self.pid}/root")
        self.manager = Manager(self.root, "")
        self.manager.log = self.root / LOG.removeprefix("/")
        os.chown(self.root / "etc/tscm", USER_ID, USER_ID)

    def _runs(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self.pid = int(children.read_text() or 0)
        return self.pid != 0 and self._ask("is-active", "sysinit.target").stdout == "active\n"

    def _ask(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "--", "systemctl", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def systemctl(self, *words: str) -> None:
        """Have systemd do something, and wait until it is done."""
        done = self._ask(*words)
        assert done.returncode == 0, f"{done.stderr}\n{self.manager_said()}"

    def property(self, name: str, unit: str = SERVICE) -> str:
        """What systemd says of a unit."""
        return self._ask("show", "--property", name, "--value", unit).stdout.strip()

    def manager_pid(self) -> int:
        """The manager's process, as it is numbered outside; 0 where there is none."""
        inside = self.property("MainPID")
        for path in Path("/proc").glob("[0-9]*/status"):
            try:
                ids = [one for one in path.read_text().splitlines() if one.startswith("NSpid:")]
            except OSError:
                continue
            numbers = ids[0].split()[1:]
            if len(numbers) > 1 and numbers[1] == inside and self._is_ours(path.parent):
                return int(numbers[0])
        return 0

    def _is_ours(self, process: Path) -> bool:
        try:
            return (process / "ns/pid").readlink() == Path(f"/proc/{self.pid}/ns/pid").readlink()
        except OSError:
            return False

    def manager_said(self) -> str:
        """The manager's log, as far as there is one."""
        return self.manager.said() if self.manager.log.exists() else ""

    def twistd(self, *options: str, as_user: Sequence[str] = ()) -> "Started":
        """A manager that systemd knows nothing of; without *as_user* root starts it."""
        return Started(
            subprocess.Popen(
                [
                    *("nsenter", "--target", str(self.pid), "--all", "--", *as_user),
                    *("/opt/tscm/bin/twistd", "-n", "--pidfile=", *options, "tscm"),
                ],
                stdin=subprocess.DEVNULL,
            )
        )

    def drop_in(self, text: str) -> None:
        """Change the service as `systemctl edit` does."""
        folder = self.root / f"etc/systemd/system/{SERVICE}.d"
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text(text)
        self.systemctl("daemon-reload")

    def add_device(self, name: str, address: str, **changes: Any) -> None:
        """A device's file, as root's `tsadmin` leaves it."""
        layout = self.manager.layout
        owner = owner_of(layout)  # seen from outside the machine, nobody but root comes in
        self.manager.write_device(name, device=address, **changes)
        if owner is not None:
            for path in (layout.devices, layout.device_file(name), layout.key):
                os.chown(path, *owner)

    @contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are in the machine's network."""
        self._enter(self._inside)
        try:
            yield
        finally:
            self._enter(self._outside)

    def _enter(self, namespace: int) -> None:
        if self._libc.setns(namespace, _NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def socket(self, source: str, kind: socket.SocketKind) -> socket.socket:
        """A sender's socket within the machine."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with self.network():
            made = socket.socket(family, kind)
        made.settimeout(60)
        made.bind((source, 0))
        return made

    def end(self) -> None:
        """Kill process 1, and with it all that it started."""
        if self.pid:
            os.kill(self.pid, 9)
        else:
            self._process.kill()
        self._process.wait(60)
        os.close(self._outside)
        if self._inside >= 0:
            os.close(self._inside)
        deadline = time.monotonic() + 60
        while True:
            try:
                for folder in sorted(self._cgroup.rglob("*"), reverse=True):
                    if folder.is_dir():
                        folder.rmdir()
                self._cgroup.rmdir()
            except OSError:  # its last processes are ending
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


class Started:
    """
    A process within a machine, by the one outside that waits for it and ends as it ends.
    """

    def __init__(self, waits: "subprocess.Popen[bytes]") -> None:
        self._waits = waits
        self._children = Path(f"/proc/{waits.pid}/task/{waits.pid}/children")

    @property
    def pid(self) -> int:
        """Its number outside; 0 where there is none."""
        try:
            return int(self._children.read_text() or 0)
        except OSError:
            return 0

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._waits.poll() is None

    def ended(self) -> int:
        """Wait for its end; its exit status."""
        return self._waits.wait(60)

    def stop(self) -> int:
        """End it, if it runs; its exit status."""
        if self.runs and (pid := self.pid):
            os.kill(pid, signal.SIGTERM)
        return self.ended()


def _seen() -> list[str]:
    """What the machine needs of this interpreter, each with the name that it has there."""
    folders = {"python": sys.base_prefix, "own": str(Path(tscm.__file__).parents[1])}
    folders |= {name: sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return [f"{name}={folder}" for name, folder in folders.items()]


def _cgroup_mount() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(fields.split()[4])
    raise FileNotFoundError("cgroup2 is not mounted")


def need_machine() -> None:
    """Skip unless this process may make such a machine; in CI that is a failure."""
    words = ["unshare", *_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    tried = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if tried.returncode != 0:
        sentence = f"needs the right to make namespaces and to mount (root): {tried.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
