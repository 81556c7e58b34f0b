"""
The uploader with the selection by lists, as the manager puts them together.
"""

from pathlib import Path

import pytest_twisted
from twisted.internet.defer import DeferredSemaphore

from tests.memory_log import MemoryLog
from tests.upload.scripted import ScriptedServer, answer, reactor, stored, unpacked
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.events.selection import ListedLines
from tscm.model import Origin
from tscm.policy.cidr import CidrSet
from tscm.store.database import Store
from tscm.store.generations import Generation, pack
from tscm.store.policies import Policies
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.service import UploadService
from tscm.upload.transport import Way


class TimedLog(MemoryLog):
    """Every other line came at the second of two times."""

    def origins(self, start: int, end: int) -> list[Origin]:
        found, at = [], self._base
        for n, line in enumerate(bytes(self._data).splitlines(keepends=True)):
            if start <= at < end:
                time = (5_000.0, 90_000.0)[n % 2]
                found.append(Origin(start=at, end=at + len(line), received_at=time))
            at += len(line)
        return found


def denied(address: str, port: int) -> bytes:
    return (
        f"<166>%ASA-6-106100: access-list g denied tcp o/{address}(4) -> i/10.0.0.1({port}) "
        f"hit-cnt 1 first hit [0x1, 0x0]\n"
    ).encode()


def generation(path: Path, applied_at: float, block: str) -> None:
    store = Store(path)
    store.open()
    Policies(store).save_generation(
        "fw",
        Generation(
            applied_at=applied_at,
            block_entries=1,
            allow_entries=0,
            block=pack(CidrSet.of_texts([block]).entries),
            allow=pack(CidrSet().entries),
        ),
    )
    store.close()


@pytest_twisted.ensureDeferred
async def test_lines_are_sent_by_the_lists_of_their_time_and_the_rest_is_counted(
    tmp_path: Path,
) -> None:
    generation(tmp_path / "tscm.db", 1_000.0, "203.0.113.0/24")
    generation(tmp_path / "tscm.db", 50_000.0, "192.0.2.0/24")
    log, server = TimedLog(name="upload"), ScriptedServer()
    # early and late by turns: the first list's time takes 203.0.113, the second's 192.0.2
    lines = [
        denied(address, port)
        for port in range(30)
        for address in ("203.0.113.7", "203.0.113.7", "192.0.2.7", "192.0.2.7")
    ]
    log.append(*lines)
    server.late = lambda one: stored(one) if len(unpacked(one)) < 4000 else answer(413)
    threads = Threads(reactor, 2, "test")
    threads.startService()
    service = UploadService(
        reactor,
        threads,
        log,
        LogServiceReceiver(
            way=Way(url=server.listen(), device="fw", timeout_seconds=10.0),
            device_id="tdid_abcd1234",
            device_key=Secret("key"),
        ),
        tmp_path / ".spool" / "upload",
        log.seal,
        DeferredSemaphore(1),
        select=ListedLines(tmp_path / "tscm.db", "fw"),
    )
    service.running = True
    try:
        await service.upload_now(lambda _: None)
    finally:
        await server.stop()
        await threads.stopService()
    taken = [one for one in map(unpacked, server.requests) if len(one) < 4000]
    assert len(taken) > 1
    sent = b"".join(taken)
    expected = [line for n, line in enumerate(lines) if (b"203.0.113" in line) == (n % 2 == 0)]
    assert sorted(sent.splitlines(keepends=True)) == sorted(expected)
    assert (log.position.sent, log.position.not_selected) == (60, 60)
