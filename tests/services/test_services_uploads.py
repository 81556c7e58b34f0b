"""
The log service asked over TLS: what it says it has, it has.
"""

import gzip
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard
from attrs import evolve, frozen

from tests.services.services_process import start, stop
from tscm import upload_format
from tscm.base.host_port import HostPort
from tscm.base.secrets import Secret
from tscm.kinds.asa.rest.settings import AsaRestSettings
from tscm.services.certificate import ensure_certificate, tls_options
from tscm.services.entries import PortalEntry, add_entry
from tscm.services.uploads import read_stored
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings, UploadSettings
from tscm.settings.own_service import is_own, manager_key_file, own_service
from tscm.settings.portal import PortalSettings
from tscm.settings.values import listen_address
from tscm.upload.probe import ask_service
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.receivers import receiver_of

LINES = b"".join(b"%%ASA-4-106100: line %d\n" % n for n in range(1000))


@frozen
class LogPeer:
    """A running log service, and an uploader with an entry."""

    root: Path
    portal: Path
    url: str
    certificate: str
    entry: PortalEntry

    def post(
        self,
        content: bytes = LINES,
        *,
        batch: str,
        lines: int = 1000,
        encoding: str = "",
        key: str | None = None,
        user: str | None = None,
        digest: str | None = None,
        path: str = upload_format.PATH,
        **more: str,
    ) -> httpx.Response:
        assert self.entry.device_key is not None
        headers = upload_format.request_headers(
            device_id=self.entry.device_id,
            batch=batch,
            start=0,
            end=len(content),
            lines=lines,
            content=content,
            encoding=encoding,
        )
        if digest is not None:
            headers[upload_format.CONTENT_DIGEST] = digest
        with httpx.Client(
            verify=ssl.create_default_context(cafile=self.certificate), trust_env=False, timeout=60
        ) as client:
            return client.post(
                self.url + path,
                content=content,
                headers=headers | more,
                auth=(user or self.entry.device_id, key or self.entry.device_key.reveal()),
            )

    def files(self) -> list[Path]:
        return sorted((self.portal / "uploads" / self.entry.device_id).glob("*"))


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogPeer]:
    root = tmp_path_factory.mktemp("logs")
    portal = Layout(root).portal
    entry = add_entry(portal, nickname="edge", address="192.0.2.1")
    process, told = start(root, "--logs", "127.0.0.1:0")
    yield LogPeer(root, portal, f"https://{told['logs'][0]}", told["certificate"], entry)
    assert stop(process)
    assert "Traceback" not in (root / "log").read_text()


def test_what_was_answered_201_lies_on_the_disk_as_sent(peer: LogPeer) -> None:
    content = zstandard.compress(LINES)
    answer = peer.post(content, batch="b-zstd", encoding="zstd")
    assert answer.status_code == 201
    assert upload_format.read_answer(201, answer.content, "b-zstd").stored
    (path,) = [one for one in peer.files() if one.name.startswith("b-zstd~")]
    assert path.read_bytes() == content
    assert path.name.endswith(".log.zst")


@pytest.mark.parametrize(
    ("encoding", "content"), [("", LINES), ("gzip", gzip.compress(LINES))], ids=["plain", "gzip"]
)
def test_every_encoding_of_the_agreement_is_read(
    peer: LogPeer, encoding: str, content: bytes
) -> None:
    assert peer.post(content, batch=f"enc-{encoding}", encoding=encoding).status_code == 201


def test_a_repeated_batch_is_known_and_not_stored_twice(peer: LogPeer) -> None:
    assert peer.post(batch="again").status_code == 201
    before = peer.files()
    answer = peer.post(batch="again")
    assert answer.status_code == 200
    assert upload_format.read_answer(200, answer.content, "again").known
    assert peer.files() == before


def test_a_key_used_for_other_content_is_a_conflict(peer: LogPeer) -> None:
    assert peer.post(batch="twice").status_code == 201
    answer = peer.post(b"other\n", batch="twice", lines=1)
    assert answer.status_code == 409
    assert not upload_format.read_answer(409, answer.content, "twice").stored


def test_a_repeated_batch_is_known_after_a_restart_even_a_killed_one(tmp_path: Path) -> None:
    portal = Layout(tmp_path).portal
    entry = add_entry(portal, nickname="edge", address="192.0.2.1")
    process, told = start(tmp_path, "--logs", "127.0.0.1:0")
    first = LogPeer(tmp_path, portal, f"https://{told['logs'][0]}", told["certificate"], entry)
    while (answer := first.post(batch="b1")).status_code == 503:  # it counts what it keeps first
        time.sleep(0.1)
    assert answer.status_code == 201
    process.kill()
    process.wait()
    (portal / "uploads" / entry.device_id / ".new-half").write_bytes(b"half")
    process, told = start(tmp_path, "--logs", "127.0.0.1:0")
    second = LogPeer(tmp_path, portal, f"https://{told['logs'][0]}", told["certificate"], entry)
    while (answer := second.post(batch="b1")).status_code == 503:
        assert answer.headers["retry-after"] == "5"
        time.sleep(0.1)
    assert answer.status_code == 200
    assert [one.name[:3] for one in second.files()] == ["b1~"], "the half upload is gone"
    assert first.certificate == second.certificate
    assert stop(process)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "wrong"},
        {"user": "tdid_nobody"},
        {"Tscm-Device-Id": "tdid_another"},
    ],
    ids=str,
)
def test_a_stranger_gets_nothing_written(peer: LogPeer, wrong: dict[str, str]) -> None:
    before = sorted(peer.portal.rglob("*"))
    answer = peer.post(batch="stranger", **wrong)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert sorted(peer.portal.rglob("*")) == before


def test_a_new_entry_is_never_turned_away_for_good(peer: LogPeer) -> None:
    new = add_entry(peer.portal, nickname="brandnew", address="192.0.2.2")
    late = LogPeer(peer.root, peer.portal, peer.url, peer.certificate, new)
    statuses = [late.post(batch="n1").status_code]
    while statuses[-1] == 503:
        time.sleep(0.1)
        statuses.append(late.post(batch="n1").status_code)
    assert statuses[-1] == 201
    assert set(statuses[:-1]) <= {503}


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        (400, {"digest": upload_format.content_digest(b"something else")}),
        (400, {"lines": 999}),
        (400, {"content": LINES[:-1]}),
        (400, {"content": zstandard.compress(LINES)[:-4], "encoding": "zstd"}),
        (400, {"content": gzip.compress(LINES)[:-9], "encoding": "gzip"}),
        (400, {"content": b"no zstd at all\n", "encoding": "zstd"}),
        (400, {"Tscm-Batch-Range": "5-3"}),
        (415, {"encoding": "br"}),
        (404, {"path": "/v1/other"}),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else str(one),
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    peer: LogPeer, status: int, wrong: dict[str, str]
) -> None:
    before = peer.files()
    answer = peer.post(batch="misfit", **wrong)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert upload_format.read_answer(status, answer.content, "misfit").sentence
    assert peer.files() == before


def chunks_until_cut_off(one: ssl.SSLSocket, size: int) -> int:
    sent = 0
    try:
        while True:
            one.sendall(b"%x\r\n%s\r\n" % (size, b"\n" * size))
            sent += 1
    except OSError:
        return sent


def test_endless_content_is_cut_off_and_leaves_nothing(peer: LogPeer) -> None:
    context = ssl.create_default_context(cafile=peer.certificate)
    host, _, port = peer.url.removeprefix("https://").rpartition(":")
    headers = upload_format.request_headers(
        device_id=peer.entry.device_id, batch="big", start=0, end=1, lines=1,
        content=b"", encoding="",
    )  # fmt: skip
    assert peer.entry.device_key is not None
    headers["Authorization"] = upload_format.basic_credentials(
        peer.entry.device_id, peer.entry.device_key.reveal()
    )
    headers["Transfer-Encoding"] = "chunked"
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    before = peer.files()
    with (
        socket.create_connection((host, int(port)), 20) as raw,
        context.wrap_socket(raw, server_hostname=host) as one,
    ):
        one.sendall(f"POST {upload_format.PATH} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        assert chunks_until_cut_off(one, 1 << 20) < 1000
    deadline = time.monotonic() + 60
    while peer.files() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert peer.files() == before


def test_an_upload_that_breaks_off_leaves_nothing(peer: LogPeer) -> None:
    context = ssl.create_default_context(cafile=peer.certificate)
    host, _, port = peer.url.removeprefix("https://").rpartition(":")
    headers = upload_format.request_headers(
        device_id=peer.entry.device_id, batch="cut", start=0, end=1, lines=1,
        content=b"abc\n", encoding="",
    )  # fmt: skip
    assert peer.entry.device_key is not None
    headers["Authorization"] = upload_format.basic_credentials(
        peer.entry.device_id, peer.entry.device_key.reveal()
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    before = peer.files()
    with (
        socket.create_connection((host, int(port)), 20) as raw,
        context.wrap_socket(raw, server_hostname=host) as one,
    ):
        one.sendall(
            f"POST {upload_format.PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n{head}\r\nab".encode()
        )
        deadline = time.monotonic() + 60
        while peer.files() == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(peer.files()) == len(before) + 1, "the content is being written"
    while peer.files() != before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert peer.files() == before


def test_the_certificate_is_private_and_good_for_the_bound_address(peer: LogPeer) -> None:
    key = peer.portal / "log-service.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(httpx.ConnectError):
        httpx.get(peer.url, trust_env=False)


@pytest.mark.peer("openssl")
def test_openssl_finds_the_certificate_good_by_strict_rules(tmp_path: Path) -> None:
    certificate, _key = ensure_certificate(tmp_path, ["198.51.100.7", "logs.example"], time.time())
    told = subprocess.run(
        [
            "openssl", "verify", "-x509_strict", "-purpose", "sslserver",
            "-verify_hostname", "logs.example", "-CAfile", str(certificate), str(certificate),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # Twisted's way with pyOpenSSL
def test_the_certificate_is_kept_until_it_no_longer_does(tmp_path: Path) -> None:
    now = time.time()
    certificate, key = ensure_certificate(tmp_path, ["192.0.2.1"], now)
    first = certificate.read_bytes()
    assert ensure_certificate(tmp_path, ["192.0.2.1"], now + 86400)[0].read_bytes() == first
    assert ensure_certificate(tmp_path, ["192.0.2.2"], now)[0].read_bytes() != first
    second = certificate.read_bytes()
    late = now + 3640 * 86400
    assert ensure_certificate(tmp_path, ["192.0.2.2"], late)[0].read_bytes() != second
    tls_options(certificate, key)
    other = tmp_path / "other"
    ensure_certificate(other, [], now)
    with pytest.raises(ValueError, match="do not match"):
        tls_options(certificate, other / "log-service.key")


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "tdid_a"
    folder.mkdir(parents=True)
    (folder / "README").write_text("mine")
    assert read_stored(tmp_path) == {}
    assert (folder / "README").exists()


def test_places_are_given_back_whatever_becomes_of_an_upload(peer: LogPeer) -> None:
    """More uploads than may run at once, each ending in another way, and then a good one."""
    for number in range(12):
        peer.post(batch=f"places-{number}", digest=upload_format.content_digest(b"other"))
        peer.post(batch=f"places-{number}", encoding="zstd")
        peer.post(batch=f"places-{number}", lines=3)
    assert peer.post(batch="places-good").status_code == 201


def test_the_manager_of_the_same_root_needs_no_device_key(peer: LogPeer) -> None:
    layout = Layout(peer.root)
    host, _, port = peer.url.removeprefix("https://").rpartition(":")
    portal = PortalSettings(logs=(HostPort(host, int(port)),))
    node = NodeSettings(portal=portal, upload=UploadSettings(url=peer.url))
    own = own_service(layout, node)
    assert own is not None
    assert own.ca_file == peer.certificate
    assert stat.S_IMODE(manager_key_file(layout.portal).stat().st_mode) == 0o600
    assert peer.post(batch="own", key=own.key.reveal()).status_code == 201
    assert peer.post(batch="own-2", key=own.key.reveal(), user="tdid_unknown").status_code == 401
    assert peer.post(batch="own-3", key=own.key.reveal()[:-1] + "x").status_code == 401

    device = AsaRestSettings(
        name="edge",
        device_id=peer.entry.device_id,
        device="192.0.2.1",
        block_list="b.example",
        allow_list="a.example",
        username="api",
        password=Secret("x"),
    )
    receiver = receiver_of(device, node.upload, own)
    assert isinstance(receiver, LogServiceReceiver)
    assert ask_service(receiver).ready
    assert not ask_service(receiver_of(device, node.upload) or receiver).ready


@pytest.mark.parametrize(
    ("url", "logs", "own"),
    [
        ("https://127.0.0.1:6443", "127.0.0.1:6443", True),
        ("https://localhost:6443", "0.0.0.0:6443", True),
        ("https://192.0.2.1", "[::]:443", True),
        ("https://127.0.0.1:6444", "127.0.0.1:6443", False),
        ("https://logs.example:6443", "0.0.0.0:6443", False),
        (None, "127.0.0.1:6443", False),
    ],
)
def test_uploads_go_to_the_own_service_where_the_url_leads_there(
    url: str | None, logs: str, own: bool
) -> None:
    portal = PortalSettings(logs=(listen_address(logs),))
    node = NodeSettings(address="192.0.2.1", portal=portal, upload=UploadSettings(url=url))
    assert is_own(node) == own
    assert not is_own(evolve(node, portal=PortalSettings()))
