"""
Servers of NATS JetStream, as Debian packages them, on loopback and free ports; ended by their process ids.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from attrs import define, field

from tests.ports import held_port
from tests.waiting import PATIENCE_SECONDS

PROGRAM = "nats-server"


@define(eq=False)
class NatsServer:
    """
    One server in a folder of its own.
    """

    folder: Path
    number: int
    port: int = field(factory=held_port)
    cluster_port: int = field(factory=held_port)
    more: str = ""
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self, routes: list[int]) -> None:
        program = shutil.which(PROGRAM, path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program, "nats-server is not installed: `.ci/run` installs it"
        self.folder.mkdir(parents=True, exist_ok=True)
        told = ", ".join(f'"nats://127.0.0.1:{one}"' for one in routes)
        cluster = (
            f'cluster {{ name: site, listen: "127.0.0.1:{self.cluster_port}", routes: [{told}] }}'
            if routes
            else ""
        )
        configuration = self.folder / "server.conf"
        configuration.write_text(
            f'server_name: n{self.number}\nlisten: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.folder}/store", max_file_store: 1GB }}\n'
            f"{cluster}\n{self.more}\n"
        )
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def ready(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while "Server is ready" not in self.said():
            assert time.monotonic() < end, self.said()
            assert self.process is not None
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)

    def suspend(self) -> None:
        """SIGSTOP, in force: a thread that is about to run may answer once more before it is."""
        self.send(signal.SIGSTOP)
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task")
        end = time.monotonic() + PATIENCE_SECONDS
        while any(_state(one) != "T" for one in tasks.iterdir()):
            assert time.monotonic() < end, "the server does not stop"
            time.sleep(0.01)

    def send(self, what: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, what)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        process, self.process = self.process, None
        if process is not None:
            os.kill(process.pid, how)
            process.wait(PATIENCE_SECONDS)


def _state(task: Path) -> str:
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


@define(eq=False)
class NatsSite:
    """
    One server, or three that keep every message.
    """

    servers: list[NatsServer]

    @property
    def places(self) -> list[str]:
        return [f"127.0.0.1:{one.port}" for one in self.servers]

    def start(self) -> None:
        routes = [one.cluster_port for one in self.servers] if len(self.servers) > 1 else []
        for one in self.servers:
            if one.process is None:
                one.start(routes)
        for one in self.servers:
            one.ready()

    def stop(self) -> None:
        for one in self.servers:
            one.stop()

    def named(self, name: str) -> NatsServer:
        return next(one for one in self.servers if f"n{one.number}" == name)


def nats_site(folder: Path, count: int, more: str = "") -> NatsSite:
    return NatsSite([NatsServer(folder / f"n{one}", one, more=more) for one in range(count)])
