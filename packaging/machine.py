"""
A machine to install packages on: a root of its own, and in it the real systemd as process 1.

No network but the loopback interface, and nothing that outlives it but the files of the root.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

PATIENCE = 300.0
NAMESPACES = ("--mount", "--pid", "--fork", "--net", "--uts", "--ipc", "--cgroup")
ENVIRONMENT = (
    "env",
    "-i",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin",
    "LC_ALL=C.UTF-8",
    "HOME=/root",
)


class CheckFailed(Exception):
    """What was expected did not come."""


def wait_for(what: str, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until *holds*; raises `CheckFailed`."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise CheckFailed(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.2)


def cgroup_mount() -> Path:
    """Where the kernel's groups of processes lie."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise CheckFailed("there is no cgroup2 file system: systemd cannot run")


class Machine:
    """A started machine; a context that ends it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cgroup = cgroup_mount() / f"tscm-check-{os.getpid()}-{time.monotonic_ns()}"
        self._cgroup.mkdir()
        self._process = subprocess.Popen(
            [
                *("sh", "-c", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "in"),
                *(str(self._cgroup), "setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--kill-child", *NAMESPACES),
                *(sys.executable, str(Path(__file__).with_name("machine_root.py")), str(root)),
            ],
            stdin=subprocess.DEVNULL,
        )
        self.pid = 0
        wait_for("systemd to run", self._runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid or self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)

        def gone() -> bool:
            try:
                for folder in sorted(self._cgroup.rglob("*"), reverse=True):
                    if folder.is_dir():
                        folder.rmdir()
                self._cgroup.rmdir()
            except OSError:  # its last processes are ending
                return False
            return True

        wait_for("the machine to end", gone)

    def _runs(self) -> bool:
        if self._process.poll() is not None:
            raise CheckFailed("the machine did not start")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self.pid = int(children.read_text().split()[0]) if children.read_text().split() else 0
        return bool(self.pid) and self.ask("systemctl", "is-active", "sysinit.target") == "active"

    def words(self, *words: str) -> list[str]:
        """The command that runs *words* in the machine."""
        return ["nsenter", "--target", str(self.pid), "--all", "--", *ENVIRONMENT, *words]

    def try_(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run *words* there, whatever becomes of it; both streams are one."""
        return subprocess.run(
            self.words(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1200,
        )

    def ask(self, *words: str) -> str:
        """What *words* print, whatever their status."""
        return self.try_(*words).stdout.strip()

    def run(self, *words: str) -> str:
        """What *words* print; raises `CheckFailed` where they fail."""
        done = self.try_(*words)
        if done.returncode != 0:
            raise CheckFailed(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}")
        return done.stdout.strip()

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Begin *words* there."""
        return subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL)
