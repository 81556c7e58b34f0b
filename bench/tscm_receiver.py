"""
tscm's intake and spool, and nothing else of the manager: what the peers are compared with.

    tscm_receiver.py ROOT PORT compiled|numpy|plain SENDERS BUFFER

With TSCM_BENCH_BUSY=1 a thread each works on a policy of 100,000 entries, over and over, and
compresses what a sealed segment would hold, as the manager's own threads do beside intake.
TSCM_BENCH_UPLOAD names a log service and its devices, as JSON: then every log is uploaded too.
"""

import json
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from twisted.internet import reactor as installed
from twisted.internet.defer import DeferredSemaphore

from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.secrets import Secret
from tscm.settings.node import Intake, Listen, SpoolBounds
from tscm.settings.values import HostPort
from tscm.spool.service import SpoolService
from tscm.threads import Threads
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.service import UploadService
from tscm.upload.transport import Way

reactor: Any = installed


def work_on_policy() -> None:
    """What an update computes for two lists of 100,000 entries, without an end."""
    from bench.bench_policy import ENTRIES, carried_out, listed, texts, whole_way

    old, new = listed(texts(1, ENTRIES)), listed(texts(2, ENTRIES))
    while True:
        present = carried_out({}, whole_way(old, old, {}).steps)
        whole_way(old, new, present)
        listed(texts(3, ENTRIES))


def compress() -> None:
    """An upload's batch of lines through zstd, without an end."""
    import zstandard

    block = b"<166>%ASA-6-106100: access-list global_access denied tcp outside/198.51.100.7(1)\n"
    while True:
        zstandard.ZstdCompressor(3).compress(block * 100_000)


def upload(root: Path, spool: SpoolService, threads: Threads, wanted: Any) -> None:
    """Every second what came in goes to the log service, two devices at a time."""
    slots = DeferredSemaphore(2)
    for device, (device_id, key) in wanted["devices"].items():
        way = Way(url=wanted["url"], device=device, ca_file=wanted["ca_file"])
        service = UploadService(
            reactor,
            threads,
            spool.reader(device, "upload"),
            LogServiceReceiver(way=way, device_id=device_id, device_key=Secret(key)),
            root / f"upload-{device}",
            partial(spool.seal, device),
            slots,
            interval_seconds=1,
        )
        service.startService()


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
    if os.environ.get("TSCM_BENCH_BUSY"):
        for job in (work_on_policy, compress):
            threading.Thread(target=job, daemon=True).start()
    if wanted := os.environ.get("TSCM_BENCH_UPLOAD"):
        slow = Threads(reactor, 2, "upload")
        slow.startService()
        upload(root, spool, slow, json.loads(wanted))
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.run(installSignalHandlers=False)


main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
