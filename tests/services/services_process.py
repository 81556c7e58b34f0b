"""
A running `twistd tscm-portal` for tests.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TWISTD = str(Path(sys.executable).parent / "twistd")


def start(root: Path, *options: str) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
    """Start it and wait until it says where it listens."""
    ready = root / "ready"
    ready.unlink(missing_ok=True)
    with (root / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(TWISTD, "-n", "--pidfile=", "tscm-portal"),
                *("--root", str(root), "--ready", str(ready), *options),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=root,
        )
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None, (root / "log").read_text()
        assert time.monotonic() < deadline, (root / "log").read_text()
        time.sleep(0.05)
    return process, json.loads(ready.read_text())


def stop(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it went in order: twistd ends by the very signal that stopped it."""
    process.send_signal(signal.SIGTERM)
    return process.wait(60) in {0, -signal.SIGTERM}
