"""
The real log service, with TLS, behind a real proxy that wants a password.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import DeferredSemaphore

from tests.forward.receivers import until
from tests.memory_log import MemoryLog
from tests.upload.proxies import PASSWORD, USER, Proxy, squid, tinyproxy
from tests.upload.scripted import reactor
from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.base.threads import Threads
from tscm.services.entries import PortalEntry, add_entry
from tscm.services.log_service import LogService
from tscm.services.uploads import uploads_folder
from tscm.upload.failure import UploadFailed
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.service import UploadService
from tscm.upload.transport import Way

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # by Twisted


class Site:
    """A log service with one entry, and an uploader's view of it."""

    def __init__(
        self, folder: Path, threads: Threads, logs: LogService, entry: PortalEntry
    ) -> None:
        self.folder, self.threads, self.logs, self.entry = folder, threads, logs, entry
        self.log = MemoryLog(name="upload")

    @property
    def port(self) -> int:
        return int(self.logs.addresses()[0].rpartition(":")[2])

    def uploader(self, **more: Any) -> UploadService:
        key = more.pop("device_key", self.entry.device_key)
        settings = {
            "url": f"https://127.0.0.1:{self.port}",
            "device": "fw",
            "ca_file": str(self.logs.certificate),
            "timeout_seconds": 10.0,
            **more,
        }
        receiver = LogServiceReceiver(
            way=Way(**settings), device_id=self.entry.device_id, device_key=key
        )
        service = UploadService(
            reactor,
            self.threads,
            self.log,
            receiver,
            self.folder / "state.json",
            self.log.seal,
            DeferredSemaphore(1),
        )
        service.running = True
        return service

    def stored(self) -> bytes:
        import zstandard

        folder = uploads_folder(self.folder / "portal", self.entry.device_id)
        found = b""
        for path in sorted(folder.glob("*.zst")):
            found += zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        return found


@pytest_twisted.async_yield_fixture()
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    before = set(reactor.getDelayedCalls())
    threads = Threads(reactor, 4, "test")
    threads.startService()
    portal = tmp_path / "portal"
    entry = add_entry(portal, nickname="fw", address="127.0.0.1")
    logs = LogService(reactor, threads, portal, [HostPort("127.0.0.1", 0)])
    logs.privilegedStartService()
    logs.startService()
    yield Site(tmp_path, threads, logs, entry)
    await logs.stopService()
    await threads.stopService()
    # Uploaders have closed their connections; the server hears of it in a turn of the reactor.
    await until(lambda: set(reactor.getDelayedCalls()) <= before)


def hits(count: int) -> list[bytes]:
    return [
        b"<164>%%ASA-4-106023: Deny tcp src o:192.0.2.%d/5 dst i:10.0.0.1/22 by access-group #%d\n"
        % (at % 250, at)
        for at in range(count)
    ]


@pytest.mark.parametrize(
    ("start", "password"),
    [
        pytest.param(tinyproxy, "plainword", marks=pytest.mark.peer("tinyproxy")),
        pytest.param(
            squid, PASSWORD, marks=[pytest.mark.peer("squid"), pytest.mark.peer("openssl")]
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_upload_through_a_proxy_with_a_password(
    site: Site, tmp_path: Path, start: Callable[[Path, int], Proxy], password: str
) -> None:
    proxy = start(tmp_path / "proxy", site.port)
    try:
        site.log.append(*hits(5000))
        wrong = site.uploader(proxy=proxy.url, proxy_user=USER, proxy_password=Secret("wrong"))
        with pytest.raises(UploadFailed, match=r"a valid user and password \((407|401)\)"):
            await wrong.upload_now(lambda _: None)
        assert site.log.position.offset == 0
        right = site.uploader(proxy=proxy.url, proxy_user=USER, proxy_password=Secret(password))
        outcome = await right.upload_now(lambda _: None)
    finally:
        proxy.stop()
    assert outcome.lines == 5000
    assert site.stored() == b"".join(hits(5000))
    assert site.log.position.sent == 5000


@pytest_twisted.ensureDeferred
async def test_a_certificate_of_another_ca_is_refused(site: Site) -> None:
    site.log.append(*hits(3))
    with pytest.raises(UploadFailed, match="is not trusted"):
        await site.uploader(ca_file=None).upload_now(lambda _: None)
    assert site.stored() == b""


@pytest_twisted.ensureDeferred
async def test_a_wrong_key_is_said_and_the_lines_wait(site: Site) -> None:
    site.log.append(*hits(3))
    with pytest.raises(UploadFailed, match=r"check device ID tdid_\w+ and its key"):
        await site.uploader(device_key=Secret("wrong")).upload_now(lambda _: None)
    outcome = await site.uploader().upload_now(lambda _: None)
    assert outcome.lines == 3
    assert site.stored() == b"".join(hits(3))


@pytest_twisted.ensureDeferred
async def test_a_service_that_takes_little_gets_parts(site: Site) -> None:
    import random

    noise = random.Random(7)
    lines = [one[:-1] + noise.randbytes(200).hex().encode() + b"\n" for one in hits(200)]
    site.logs.max_content = 30_000
    site.log.append(*lines)
    outcome = await site.uploader().upload_now(lambda _: None)
    assert outcome.lines == 200
    assert outcome.batches > 1
    assert sorted(site.stored().splitlines()) == sorted(b"".join(lines).splitlines())
