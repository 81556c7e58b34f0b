"""
The uploader on the real spool: rotation, retention and restarts under it.
"""

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest_twisted
from twisted.internet.defer import DeferredSemaphore

from tests.forward.receivers import until
from tests.upload.scripted import Request, ScriptedServer, answer, reactor, stored, unpacked
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.model import Run
from tscm.settings.node import SpoolBounds
from tscm.spool.service import SpoolService
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.service import UploadService
from tscm.upload.transport import Way


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 3, "test")
    pool.startService()
    yield pool
    await pool.stopService()


@pytest_twisted.async_yield_fixture()
async def spool(tmp_path: Path, threads: Threads) -> AsyncIterator[SpoolService]:
    service = SpoolService(tmp_path, SpoolBounds(fsync="off"), reactor, threads)
    service.startService()
    service.open_device("fw", 4000)
    yield service
    await service.stopService()


def batch(first: int) -> Run:
    """Ten lines, of which every second one is the policy's."""
    lines = []
    for at in range(first, first + 10):
        tag = b"%ASA-4-106023: Deny" if at % 2 else b"%ASA-6-302013: Built"
        lines.append(b"<164>%b #%06d\n" % (tag, at))
    return Run("192.0.2.1", b"".join(lines), 10)


def uploader(spool: SpoolService, threads: Threads, folder: Path, url: str) -> UploadService:
    return UploadService(
        reactor,
        threads,
        spool.reader("fw", "upload"),
        LogServiceReceiver(
            way=Way(url=url, device="fw", timeout_seconds=5.0),
            device_id="tdid_abcd1234",
            device_key=Secret("key"),
        ),
        folder / "fw" / ".spool" / "upload",
        partial(spool.seal, "fw"),
        DeferredSemaphore(1),
        chance=lambda: 0.0,
    )


async def one_life(
    spool: SpoolService, threads: Threads, folder: Path, url: str, upto: int
) -> None:
    """An uploader from start to stop that has sent *upto* policy lines in the end."""
    service = uploader(spool, threads, folder, url)
    service.startService()
    outcome = service.upload_now(lambda _: None)
    outcome.addErrback(lambda _: None)
    await outcome
    await until(lambda: spool.reader("fw", "upload").position.sent >= upto)
    stopped = service.stopService()
    assert stopped is not None
    await stopped


@pytest_twisted.ensureDeferred
async def test_every_policy_line_is_stored_once_over_rotation_restarts_and_lost_replies(
    spool: SpoolService, threads: Threads, tmp_path: Path
) -> None:
    kept: dict[str, bytes] = {}
    fate = iter(["reset", "503", "ok"] * 100)

    def service_with_moods(request: Request) -> bytes | str:
        mood = next(fate)
        if mood == "503":
            return answer(503, Retry_After="0")
        known = request.key in kept
        assert kept.setdefault(request.key, request.body) == request.body
        return mood if mood == "reset" else stored(request, known=known)

    server = ScriptedServer(late=service_with_moods)
    url = server.listen()
    at = 0
    for _ in range(3):
        for _ in range(40):
            assert spool.append("fw", [batch(at)], time.time())
            at += 10
        server.late = service_with_moods
        first = uploader(spool, threads, tmp_path, url)
        first.running = True
        failed = first.upload_now(lambda _: None)
        failed.addErrback(lambda _: None)  # "reset" or "503": a crash follows
        await failed
        server.late = lambda one: (
            kept.setdefault(one.key, one.body),
            stored(one, known=True),
        )[1]
        await one_life(spool, threads, tmp_path, url, at // 2)
    await server.stop()
    requests = {one.key: one for one in server.requests if one.key in kept}
    lines = b"".join(unpacked(requests[key]) for key in sorted(kept)).splitlines()
    assert lines == [b"<164>%%ASA-4-106023: Deny #%06d" % one for one in range(1, at, 2)]
    ledger = spool.figures("fw").readers["upload"]
    assert (ledger.sent, ledger.not_selected) == (at // 2, at // 2)
    assert (ledger.waiting_lines, ledger.difference) == (0, 0)
