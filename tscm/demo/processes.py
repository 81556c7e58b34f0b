"""
Child processes of the demonstration: twistd's plugins, each with a log of its own.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field

from tscm.errors import TscmError
from tscm.model import Json

_LAST_LINES = 12


@define(eq=False)
class ChildFailed(TscmError):
    """
    A process of the demonstration did not come up, or went away.
    """

    label: str
    log: str

    def __str__(self) -> str:
        return f"{self.label} did not come up; the end of its log:\n{self.log}"


@define(eq=False)
class Child:
    """
    One `twistd -n PLUGIN …`; ended by `stop`, by process id and never by name.
    """

    label: str
    arguments: tuple[str, ...]
    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.label}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it; `wait_ready` tells when it is up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-c",
            "from twisted.scripts.twistd import run; run()",
            "--nodaemon",
            f"--pidfile={self.folder / self.label}.pid",
            *self.arguments,
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def alive(self) -> bool:
        """Does it run?"""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, ready: Path, seconds: float = 20.0) -> Json:
        """
        What it wrote into its ready file.  Blocking; raises `ChildFailed`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ready.exists():
                found: Json = json.loads(ready.read_text("utf-8"))
                return found
            if not self.alive():
                break
            time.sleep(0.05)
        raise ChildFailed(self.label, self.tail())

    def tail(self) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "(nothing)"
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:])

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to end; after *seconds* it is ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
