"""
Intake as a process of its own, its log a plain file; for tests that stop and kill it.

    intake_process.py LOG UDP TCP NOTIFY FD:NAME ...
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as installed

from tscm.base.host_port import HostPort
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.systemd import Activation, Inherited, Notifier, SystemdService
from tscm.model import Run
from tscm.settings.node import Intake, Listen

reactor: Any = installed


class FileSpool:
    """A `model.Spool` of one file."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, device: str, runs: Sequence[Run], received_at: float) -> bool:
        data = b"".join(run.data for run in runs)
        return os.write(self._fd, data) == len(data)


def main(log: str, udp: str, tcp: str, notify: str, *held: str) -> None:
    inherited = [Inherited(int(one.partition(":")[0]), one.partition(":")[2]) for one in held]
    activation = Activation(tuple(inherited), Notifier(notify), hands_over=True)
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    service = IntakeService(
        reactor,
        Listen(udp=(HostPort("127.0.0.1", int(udp)),), tcp=(HostPort("127.0.0.1", int(tcp)),)),
        Intake(receive_buffer_bytes=8 << 20),
        FileSpool(log),
        senders,
        activation=activation,
    )
    told = SystemdService(reactor, activation)
    reactor.callWhenRunning(service.startService)
    reactor.callWhenRunning(told.startService)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
