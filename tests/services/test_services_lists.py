"""
The listener from which firewalls pull: over TLS, with clients that nobody here wrote.
"""

import gzip
import hashlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import LogEvent

from tests.forward.receivers import until
from tests.upload.proxies import PASSWORD, USER, nginx_before, squid
from tests.upload.scripted import reactor
from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.kinds.lists.address import path_of
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.lists.render import Lists
from tscm.policy.cidr import CidrSet
from tscm.services.entries import add_entry, list_file
from tscm.services.list_service import ListService
from tscm.services.portal_lists import PortalLists
from tscm.services.publication import CURRENT, plain_path, publish, read_publication
from tscm.services.pulls import PullBook
from tscm.services.registry import Registry
from tscm.services.zone_files import ZoneFiles
from tscm.settings.node import Listen
from tscm.settings.pulled import PullSettings, pulling
from tscm.settings.schema import read_table
from tscm.settings.sealed import _MASKED
from tscm.store.database import Store
from tscm.store.pulls import StoredPulls

pytestmark = [
    pytest.mark.filterwarnings("ignore:Passing pyOpenSSL"),  # by Twisted
    pytest.mark.peer("curl"),
]
MANY = [
    f"100.{64 + high}.{low}.{host}"
    for high in range(4)
    for low in range(256)
    for host in range(1, 64, 3)
]


def device(kind: str = "generic", **more: Any) -> PullSettings:
    given = {
        "type": kind,
        "name": "edge",
        "device_id": "tdid_abcd1234",
        "device": "192.0.2.10",
        "block_list": "block.example",
        "allow_list": "allow.example",
        "pull_secret": "s" * 40,
    }
    settings, faults = read_table(CONSUMERS[kind].settings, {**given, **more})
    assert settings is not None, faults
    return pulling(settings)


class Site:
    """The listener with one device, and what is published for it."""

    def __init__(self, folder: Path, threads: Threads, service: ListService, store: Store) -> None:
        self.folder, self.threads, self.service, self.store = folder, threads, service, store
        self.settings = device()
        self.at = 1000.0

    def set(self, settings: PullSettings) -> None:
        self.settings = settings
        self.service.set_device(settings)

    def publish(
        self, block: list[str], allow: list[str] | None = None, generation: int = 1
    ) -> None:
        lists = Lists.of(CidrSet.of_texts(block), CidrSet.of_texts(allow or []), "ThreatSTOP", 60)
        bodies = CONSUMERS[self.settings.type].render(lists)
        self.at += 100
        publish(self.folder / "lists" / "edge", bodies, generation=generation, now=self.at)
        shown = self.service.published.devices["edge"]
        shown.looked_at = None

    def url(self, file: str = "block.txt", settings: PullSettings | None = None) -> str:
        return f"{self.place}{path_of(settings or self.settings, file)}"

    @property
    def port(self) -> int:
        return int(self.service.addresses()[0].rpartition(":")[2])

    @property
    def place(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def run(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        done: subprocess.CompletedProcess[bytes] = await self.threads.run(
            subprocess.run, list(command), capture_output=True, timeout=60, check=False
        )
        return done

    async def curl(self, url: str, *options: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content."""
        ca = str(self.folder / "lists" / "lists.crt")
        done = await self.run("curl", "-s", "-i", "--cacert", ca, *options, url)
        assert done.returncode == 0, done.stderr
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 200 Connection established"):
            head, _, content = content.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        return int(first.split()[1]), headers, content


@pytest_twisted.async_yield_fixture()
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    before = set(reactor.getDelayedCalls())
    threads = Threads(reactor, 4, "test")
    threads.startService()
    store = Store(tmp_path / "tscm.db")
    store.open()
    listen = Listen(lists=(HostPort("127.0.0.1", 0),))
    folder = tmp_path / "lists"
    service = ListService(reactor, threads, folder, folder, listen, PullBook(StoredPulls(store)))
    service.privilegedStartService()
    service.startService()
    made = Site(tmp_path, threads, service, store)
    service.set_device(made.settings)
    yield made
    await service.stopService()
    await threads.stopService()
    store.close()
    await until(lambda: set(reactor.getDelayedCalls()) <= before)


@pytest_twisted.ensureDeferred
async def test_a_list_is_served_whole_and_then_as_unchanged(site: Site) -> None:
    site.publish(["198.51.100.7", "203.0.113.0/24"])
    status, headers, content = await site.curl(site.url())
    assert (status, content) == (200, b"198.51.100.7\n203.0.113.0/24\n")
    assert headers["content-length"] == str(len(content))
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["cache-control"] == "no-cache"

    for name, value in (
        ("If-None-Match", headers["etag"]),
        ("If-None-Match", f'"other", W/{headers["etag"]}'),
        ("If-Modified-Since", headers["last-modified"]),
    ):
        status, held, content = await site.curl(site.url(), "-H", f"{name}: {value}")
        assert (status, content, held["etag"]) == (304, b"", headers["etag"]), name

    site.publish(["198.51.100.8"], generation=2)
    status, fresh, content = await site.curl(site.url(), "-H", f"If-None-Match: {headers['etag']}")
    assert (status, content) == (200, b"198.51.100.8\n")
    assert fresh["last-modified"] != headers["last-modified"]

    (one,) = site.service.book.latest("edge")
    assert (one.peer, one.file, one.generation, one.count) == ("127.0.0.1", "block.txt", 2, 1)
    site.service.book.write()
    kept = {(one.generation, one.count) for one in StoredPulls(site.store).all()}
    assert kept == {(1, 4), (2, 1)}


@pytest_twisted.ensureDeferred
async def test_a_large_list_comes_compressed_where_that_is_asked_for(site: Site) -> None:
    site.publish(MANY)
    status, headers, plain = await site.curl(site.url())
    assert status == 200
    assert len(plain) > 1 << 17
    status, packed, content = await site.curl(site.url(), "-H", "Accept-Encoding: gzip")
    assert (status, packed["content-encoding"]) == (200, "gzip")
    assert packed["content-length"] == str(len(content))
    assert gzip.decompress(content) == plain
    assert packed["etag"] != headers["etag"]
    status, _, _ = await site.curl(site.url(), "-H", f"If-None-Match: {packed['etag']}")
    assert status == 304
    status, refused, content = await site.curl(site.url(), "-H", "Accept-Encoding: gzip;q=0")
    assert "content-encoding" not in refused
    assert content == plain


@pytest_twisted.ensureDeferred
async def test_head_tells_the_length_and_proves_no_pull(site: Site) -> None:
    site.publish(["198.51.100.7"])
    status, headers, content = await site.curl(site.url(), "-I")
    assert (status, headers["content-length"], content) == (200, "13", b"")
    status, _, _ = await site.curl(site.url(), "-I", "-H", f"If-None-Match: {headers['etag']}")
    assert status == 304
    assert site.service.book.latest("edge") == ()


@pytest_twisted.ensureDeferred
async def test_the_checksum_beside_a_list_is_that_of_its_plain_content(site: Site) -> None:
    site.set(device("firepower"))
    site.publish(["198.51.100.7"])
    _, _, content = await site.curl(site.url())
    status, _, checksum = await site.curl(site.url("block.txt.md5"))
    assert (status, checksum.decode()) == (200, hashlib.md5(content).hexdigest())


@pytest.mark.parametrize("look", ["checksum", "head"])
@pytest_twisted.ensureDeferred
async def test_who_fetches_only_what_has_changed_has_come_and_has_what_it_fetched(
    site: Site, look: str
) -> None:
    async def ask() -> None:
        url, how = (site.url("block.txt.md5"), "-4") if look == "checksum" else (site.url(), "-I")
        assert (await site.curl(url, how))[0] == 200

    site.publish(["198.51.100.7"])
    await ask()
    assert not site.service.book.latest("edge")  # it has not fetched anything yet
    await site.curl(site.url())
    await ask()
    site.publish(["198.51.100.7"], ["203.0.113.0/24"], generation=2)  # the same block list
    await ask()
    (one,) = site.service.book.latest("edge")
    assert (one.file, one.generation) == ("block.txt", 2)
    site.publish(["198.51.100.8"], generation=3)
    await ask()
    (one,) = site.service.book.latest("edge")
    assert one.generation == 2


@pytest_twisted.ensureDeferred
async def test_whoever_does_not_know_the_secret_is_told_nothing(site: Site) -> None:
    site.publish(["198.51.100.7"])
    stranger = device(pull_secret="0" * 40)
    answers = [
        await site.curl(url)
        for url in (
            site.url(settings=stranger),
            site.url("other.txt"),
            f"{site.place}/nobody/{'0' * 40}/block.txt",
            f"{site.place}/",
            f"{site.place}/edge/%c3%a4/block.txt",
            f"{site.place}/edge/../block.txt",
        )
    ]
    assert {(status, content) for status, _, content in answers} == {
        (404, b"there is no such list\n")
    }
    assert all("www-authenticate" not in headers for _, headers, _ in answers)
    assert site.service.book.latest("edge") == ()


@pytest_twisted.ensureDeferred
async def test_an_account_and_networks_are_asked_for_where_they_are_set(site: Site) -> None:
    site.set(device(pull_user="fw", pull_password="s3cret"))
    site.publish(["198.51.100.7"])
    status, headers, _ = await site.curl(site.url(), "-u", "fw:wrong")
    assert (status, headers["www-authenticate"][:5]) == (401, "Basic")
    status, _, _ = await site.curl(site.url(), "-u", "fw:s3cret")
    assert status == 200
    site.set(device(pull_sources="192.0.2.0/24"))
    status, _, content = await site.curl(site.url())
    assert (status, content) == (403, b"this address is not among the pull_sources of the device\n")
    site.set(device(pull_sources="127.0.0.0/8 192.0.2.0/24"))
    status, _, _ = await site.curl(site.url())
    assert status == 200


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_is_503_and_never_401(
    site: Site, logged_failures: list[LogEvent]
) -> None:
    site.set(device("panos", pull_user="fw", pull_password="s3cret"))
    status, headers, _ = await site.curl(site.url(), "-u", "fw:s3cret")
    assert (status, headers["retry-after"]) == (503, "60")  # nothing is published yet

    site.publish(["198.51.100.7"])
    sealed = device("panos", pull_user="fw", pull_password=_MASKED, pull_secret=_MASKED)
    site.service.set_device(sealed)
    status, headers, _ = await site.curl(site.url(), "-u", "fw:s3cret")
    assert (status, headers["retry-after"]) == (503, "60")
    assert "www-authenticate" not in headers
    site.set(site.settings)

    published = read_publication(site.folder / "lists" / "edge")
    assert published is not None
    body = plain_path(site.folder / "lists" / "edge", published.files["block.txt"])
    content = body.read_bytes()
    body.write_bytes(content[:-1])
    status, _, _ = await site.curl(site.url(), "-u", "fw:s3cret")
    assert status == 503
    figures = site.service.figures("edge")
    assert figures is not None
    assert "bytes and not" in figures.fault
    body.write_bytes(content)
    site.service.published.devices["edge"].looked_at = None
    status, _, found = await site.curl(site.url(), "-u", "fw:s3cret")
    assert (status, found) == (200, content)

    current = site.folder / "lists" / "edge" / CURRENT
    current.write_bytes(b"{")
    body.unlink()
    site.service.published.devices["edge"].looked_at = None
    status, _, found = await site.curl(site.url(), "-u", "fw:s3cret")
    assert (status, found) == (200, content)  # the cached bytes
    current.unlink()
    site.service.published.devices["edge"].looked_at = None
    status, _, found = await site.curl(site.url(), "-u", "fw:s3cret")
    assert (status, found) == (200, content)
    figures = site.service.figures("edge")
    assert figures is not None
    assert "is gone" in figures.fault
    assert not logged_failures


@pytest_twisted.ensureDeferred
async def test_only_reading_is_taken(site: Site) -> None:
    site.publish(["198.51.100.7"])
    status, headers, _ = await site.curl(site.url(), "-X", "DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, _, _ = await site.curl(site.url(), "-d", "body")
    assert status == 413


@pytest.mark.peer("wget")
@pytest_twisted.ensureDeferred
async def test_wget_fetches_only_what_is_newer(site: Site) -> None:
    site.publish(["198.51.100.7"])
    ca = str(site.folder / "lists" / "lists.crt")
    command = ["wget", "-nv", "-N", "--ca-certificate", ca, "-P", str(site.folder), site.url()]
    done = await site.run(*command)
    assert done.returncode == 0, done.stderr
    assert (site.folder / "block.txt").read_bytes() == b"198.51.100.7\n"
    done = await site.run(*command)
    assert done.returncode == 0, done.stderr
    (one,) = site.service.book.latest("edge")
    assert one.count == 2


@pytest.mark.peer("squid")
@pytest.mark.peer("openssl")
@pytest_twisted.ensureDeferred
async def test_a_list_is_pulled_through_a_proxy(site: Site, tmp_path: Path) -> None:
    site.publish(MANY)
    proxy = await site.threads.run(squid, tmp_path / "proxy", site.port)
    try:
        status, headers, content = await site.curl(
            site.url(), "-x", proxy.url, "-U", f"{USER}:{PASSWORD}"
        )
        assert (status, headers["content-length"]) == (200, str(len(content)))
        status, _, _ = await site.curl(
            site.url(),
            *("-x", proxy.url, "-U", f"{USER}:{PASSWORD}"),
            *("-H", f"If-None-Match: {headers['etag']}"),
        )
        assert status == 304
    finally:
        await site.threads.run(proxy.stop)


@pytest.mark.peer("nginx")
@pytest_twisted.ensureDeferred
async def test_a_gateway_that_ends_tls_and_keeps_answers_serves_what_is_published_now(
    site: Site,
) -> None:
    site.set(device(pull_user="edge", pull_password="a password"))
    site.publish(MANY)
    ca = site.folder / "lists" / "lists.crt"
    proxy = await site.threads.run(nginx_before, site.port, ca)
    url = f"http://127.0.0.1:{proxy.port}{path_of(site.settings, 'block.txt')}"
    account = ("-u", "edge:a password")
    try:
        status, first, content = await site.curl(url, *account)
        assert (status, first["content-length"]) == (200, str(len(content)))
        packed = await site.curl(url, *account, "-H", "Accept-Encoding: gzip")
        assert gzip.decompress(packed[2]) == content
        assert (await site.curl(url, *account))[2] == content  # not the packed one
        assert (await site.curl(url, "-u", "edge:another"))[0] == 401
        assert (await site.curl(url))[0] == 401

        site.publish(["198.51.100.7"], generation=2)
        assert (await site.curl(url, *account))[2] == b"198.51.100.7\n"
        changed = await site.curl(url, *account, "-H", f"If-None-Match: {first['etag']}")
        assert (changed[0], changed[2]) == (200, b"198.51.100.7\n")
        site.service.forget_device("edge")
        assert (await site.curl(url, *account))[0] == 404
    finally:
        await site.threads.run(proxy.stop)


@pytest_twisted.ensureDeferred
async def test_a_device_that_is_gone_is_served_no_more(site: Site) -> None:
    site.publish(["198.51.100.7"])
    assert (await site.curl(site.url()))[0] == 200
    site.service.forget_device("edge")
    assert (await site.curl(site.url()))[0] == 404
    assert site.service.figures("edge") is None


@pytest_twisted.ensureDeferred
async def test_an_entry_has_its_own_lists_by_name_and_key(site: Site) -> None:
    portal = site.folder / "portal"
    one = add_entry(portal, nickname="one", address="192.0.2.1")
    add_entry(portal, nickname="far", address="192.0.2.7")
    file = list_file(portal, one.block_list)
    file.write_text("# ticket 4711\n198.51.100.7 ; mine\n203.0.113.0/24\n2001:db8::/32\n")
    registry = Registry(portal, reactor, site.threads)
    zones = ZoneFiles(portal, reactor, site.threads)
    registry.startService()
    await registry.look_again()
    site.service.portal = PortalLists(registry, zones)
    assert one.device_key is not None
    me = ("-u", f"{one.device_id}:{one.device_key.reveal()}")
    url = f"{site.place}/lists/{one.block_list}"
    try:
        status, headers, content = await site.curl(url, *me)
        assert (status, content) == (200, b"198.51.100.7/32\n203.0.113.0/24\n2001:db8::/32\n")
        assert headers["content-length"] == str(len(content))
        tag = ("-H", f"If-None-Match: {headers['etag']}")
        assert (await site.curl(url, *me, *tag))[0] == 304
        status, headers, content = await site.curl(url, *me, "-I")
        assert (status, content, headers["content-length"]) == (200, b"", "45")
        assert (await site.curl(url, *me, "-X", "DELETE"))[0] == 405
        for words in ((), ("-u", f"{one.device_id}:wrong"), ("-u", "tdid_none:x"), ("-u", "x:")):
            status, headers, _ = await site.curl(url, *words)
            assert status == 401
            assert "basic" in headers["www-authenticate"].lower()
        for name in ("block.far.tscm.internal", "absent.example"):
            assert (await site.curl(f"{site.place}/lists/{name}", *me))[0] == 404
        file.write_text("198.51.100.8\n")
        status, _, content = await site.curl(url, *me, *tag)
        assert (status, content) == (200, b"198.51.100.8/32\n")
    finally:
        await registry.stopService()
        await zones.stopService()


@pytest_twisted.ensureDeferred
async def test_without_a_policy_service_there_is_no_list_by_name(site: Site) -> None:
    assert (await site.curl(f"{site.place}/lists/block.example", "-u", "a:b"))[0] == 404
