"""
tscm's intake and spool, and nothing else of the manager: what the peers are compared with.

    tscm_receiver.py ROOT PORT compiled|numpy|plain SENDERS BUFFER

TSCM_BENCH_BUSY names, as JSON, a log service with its devices, and a policy service and a firewall:
then every log is uploaded, the policy of the first device is updated over and over, and what a
sealed segment would hold is compressed, in threads as the manager's own beside intake.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from twisted.internet import reactor as installed

from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.settings.node import Intake, Listen, SpoolBounds
from tscm.spool.service import SpoolService

reactor: Any = installed


def main(root: Path, port: int, way: str, count: int, buffer: int) -> None:
    """Run until a signal ends it."""
    threads = Threads(reactor, 4, "spool")
    # No fsync, as the peers; segments larger than a run.
    spool = SpoolService(root / "logs", SpoolBounds(fsync="off", compress=False), reactor, threads)
    senders = SenderTable()
    for number in range(count):
        device = f"fw{number}"
        spool.open_device(device, 1 << 40)
        value = 0x7F00000B + number
        senders.claim(device, [".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))])
    place = (HostPort("127.0.0.1", port),)
    bounds = Intake(
        udp_helper=way,
        receive_buffer_bytes=buffer,
        max_connections_per_sender=2000,
        max_connections=4000,
    )
    intake = IntakeService(reactor, Listen(udp=place, tcp=place), bounds, spool, senders)
    threads.startService()
    spool.startService()
    intake.startService()
    if told := os.environ.get("TSCM_BENCH_BUSY"):
        from bench.tscm_busy import be_busy  # brings what intake alone does without

        be_busy(reactor, root, spool, json.loads(told))
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.run(installSignalHandlers=False)


main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
