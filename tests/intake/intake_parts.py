"""What the tests of intake share: a spool in memory, senders from loopback addresses."""

import socket
import time
from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.waiting import PATIENCE_SECONDS
from tscm.base.host_port import HostPort
from tscm.intake.figures import IntakeCounts
from tscm.intake.service import IntakeService
from tscm.model import Run
from tscm.settings.node import Intake, Listen
from tscm.syslog.escape import unescape

reactor: Any = installed
ANY = HostPort("127.0.0.1", 0)


@define(eq=False)
class MemorySpool:
    """A `model.Spool` that holds what it was given; *away* plays a disk that is gone."""

    away: bool = False
    appended: list[tuple[str, tuple[Run, ...], float]] = field(factory=list)

    def append(self, device: str, runs: Sequence[Run], received_at: float) -> bool:
        for run in runs:
            assert isinstance(run.data, bytes)
            assert run.data.endswith(b"\n")
            assert run.data.count(b"\n") == run.lines > 0
            assert run.escaped == (b"\x10" in run.data)
        if self.away:
            return False
        self.appended.append((device, tuple(runs), received_at))
        return True

    def lines(self, device: str) -> list[bytes]:
        return [
            unescape(line)
            for name, runs, _ in self.appended
            for run in runs
            for line in run.data.split(b"\n")[:-1]
            if name == device
        ]

    def count(self) -> int:
        return sum(run.lines for _, runs, _ in self.appended for run in runs)


def listen(**changed: Any) -> Listen:
    return Listen(**({"udp": (), "tcp": ()} | changed))


def bounds(**changed: Any) -> Intake:
    return Intake(**({"receive_buffer_bytes": 1 << 22} | changed))


def from_loopback(number: int, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    """A socket that sends from 127.0.0.*number*."""
    made = socket.socket(socket.AF_INET, kind)
    made.bind((f"127.0.0.{number}", 0))
    return made


def target(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def until(true: Any, seconds: float = PATIENCE_SECONDS) -> None:
    """Let the reactor run until *true()*; an assertion where it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await pause(0.005)


def pause(seconds: float) -> "Deferred[None]":
    waited: Deferred[None] = deferLater(reactor, seconds, lambda: None)
    return waited


def heard(service: IntakeService) -> list[int]:
    """How many bytes each open connection has brought, part of a line included."""
    found: Any = service._connections.streams()
    return [one._heard_bytes for one in found]


def balanced(figures: IntakeCounts) -> bool:
    """received = stored + dropped, for every listener."""
    return all(
        one.received == one.stored + sum(one.dropped.values()) for one in figures.listeners.values()
    )
