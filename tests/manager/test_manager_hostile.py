"""
What a stranger, or a faulty client, can send to the HTTP listeners of a running manager.
"""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.intake.certificates import Authority
from tests.manager.manager_process import SETTINGS, Manager, wait_for

WATCHED = SETTINGS + 'metrics = ["127.0.0.1:0"]\n'


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """One for all: none of what is sent here may change what it answers next."""
    one = Manager(tmp_path_factory.mktemp("node"), WATCHED)
    one.write_device("fw")
    one.start()
    yield one
    one.stop()


def metrics_port(manager: Manager) -> int:
    place: str = manager.ask("/v1/status")["metrics"][0]
    return int(place.rpartition(":")[2])


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """All that is answered to *data* until the peer hangs up."""
    with connection:
        connection.settimeout(60)
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def to_metrics(manager: Manager, data: bytes) -> bytes:
    return exchange(socket.create_connection(("127.0.0.1", metrics_port(manager))), data)


def to_control(manager: Manager, data: bytes) -> bytes:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(manager.layout.control_socket))
    return exchange(connection, data)


def spooled(manager: Manager) -> list[str]:
    """Temporary files that the manager has open."""
    assert manager.process is not None
    found = []
    for one in Path(f"/proc/{manager.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(one.readlink()))
    return [one for one in found if "(deleted)" in one]


def test_the_metrics_listener_takes_no_body_and_no_foreign_name(manager: Manager) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", metrics_port(manager)))
    with connection:
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            connection.sendall(head + piece * 16)
        assert not spooled(manager)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    evil = b"GET /metrics HTTP/1.1\r\nHost: rebound.example\r\n\r\n"
    assert to_metrics(manager, evil).startswith(b"HTTP/1.1 421 ")
    good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert to_metrics(manager, good * 50).count(b"HTTP/1.1 200 ") == 1


def test_a_stranger_cannot_hold_more_than_his_share_of_connections(manager: Manager) -> None:
    port = metrics_port(manager)
    with contextlib.ExitStack() as held:
        for _ in range(40):
            one = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            with contextlib.suppress(ConnectionError):
                one.sendall(b"GET /metrics HTTP/1.1\r\n")
        other = held.enter_context(
            socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.9", 0))
        )
        answer = exchange(other, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
    said = manager.said()
    assert (
        "connections closed so far to make room for others, because their request was incomplete"
        in said
    )
    assert "connections refused so far" not in said


ROUTES = [
    ("POST", "/v1/devices"),
    ("PUT", "/v1/devices/fw"),
    ("POST", "/v1/devices/fw/update"),
    ("POST", "/v1/devices/fw/purge"),
    ("POST", "/v1/devices/fw/aside/send"),
    ("POST", "/v1/devices/fw/policy/why"),
    ("POST", "/v1/devices/fw/policy/dropped"),
    ("POST", "/v1/devices/fw/policy/diff"),
    ("POST", "/v1/devices/fw/policy/rollback"),
    ("POST", "/v1/devices/fw/report"),
    ("POST", "/v1/senders/192.0.2.1/adopt"),
]
NO_BODIES = [
    b"[" * 1000,
    b"[" * 200_000,
    b'{"settings": ' * 1000 + b"1" + b"}" * 1000,
    b'{"settings": {"note": ' + b"[" * 40 + b"]" * 40 + b"}}",
    b"\xff\xfe",
    b"[]",
    b'"x"',
    b"1",
    b"NaN",
    b'{"settings": NaN}',
    b'{"settings": {"note": "\\ud800"}}',
    b'{"\\udfff": 1}',
    b'{"generation": ' + b"9" * 4000 + b"}",
    b'{"older": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_is_no_body_is_a_sentence_for_every_call(
    manager: Manager, method: str, path: str
) -> None:
    for body in NO_BODIES:
        head = f"{method} {path} HTTP/1.1\r\nHost: manager\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = to_control(manager, head.encode() + body)
        assert answer.startswith(b"HTTP/1.1 400 "), (body[:60], answer)
        assert b'"sentence": "control request: ' in answer, (body[:60], answer)
    assert "Traceback" not in manager.said()


WRONG = [
    "[]",
    "[[1]]",
    "{}",
    '{"a": {}}',
    "null",
    "true",
    "1",
    "1e999",
    "-0.5",
    '"\\u0000"',
    '"' + "x" * 5000 + '"',
]
SETTINGS_OF = (
    *("name", "device", "device_id", "note", "type", "password", "forward_port", "syslog_sources"),
    *("send_logs", "log_proxy", "max_policy_size", "tls_fingerprints", "forward_also", "rest_url"),
)
FIELDS = {
    "/v1/devices": ("settings",),
    "/v1/devices/fw": ("settings",),
    "/v1/devices/fw/update": ("force", "accept"),
    "/v1/devices/fw/purge": ("force", "accept"),
    "/v1/devices/fw/aside/send": ("key",),
    "/v1/devices/fw/policy/why": ("address",),
    "/v1/devices/fw/policy/dropped": ("search",),
    "/v1/devices/fw/policy/diff": ("older", "newer"),
    "/v1/devices/fw/policy/rollback": ("generation",),
    "/v1/devices/fw/report": (
        *("since", "until", "by", "top", "action", "direction", "list", "entry", "inside"),
        *("outside", "port", "not_port"),
    ),
    "/v1/senders/192.0.2.1/adopt": ("name",),
}


def test_wrong_types_anywhere_are_sentences(manager: Manager) -> None:
    asked: list[tuple[str, str, str]] = []
    for method, path in ROUTES:
        for name in FIELDS.get(path, ()):
            values = WRONG if name != "settings" else [*WRONG[:2], *WRONG[4:]]
            asked += [(method, path, f'{{"{name}": {value}}}') for value in values]
            asked.append((method, path, f'{{"{name}": "x"}}'))
    for name in SETTINGS_OF:
        asked += [
            (method, path, f'{{"settings": {{"name": "new", "{name}": {value}}}}}')
            for method, path in ROUTES[:1]
            for value in WRONG
        ]
    for method, path, body in asked:
        head = f"{method} {path} HTTP/1.1\r\nHost: manager\r\nContent-Length: {len(body.encode())}\r\n\r\n"
        answer = to_control(manager, head.encode() + body.encode())
        assert b"the manager failed" not in answer, (path, body, answer)
        assert b'"sentence"' in answer or b'"result"' in answer, (path, body, answer)
    assert "Traceback" not in manager.said()


def test_the_control_socket_keeps_bodies_in_memory_and_within_a_bound(manager: Manager) -> None:
    for head in (
        b"POST /v1/devices HTTP/1.1\r\nHost: m\r\nContent-Length: 8388609\r\n\r\n",
        b"POST /v1/devices HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n900000\r\n",
    ):
        answer = to_control(manager, head + b"x" * 0x810000)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"at most 8,388,608 bytes" in answer
    long = b"POST /v1/doctor HTTP/1.1\r\nHost: m\r\nContent-Length: 8000000\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(5):  # each takes 6.6 of the 32 MB that are for long bodies
            one = held.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(60)
            one.connect(str(manager.layout.control_socket))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(long + b"x" * 7_999_999)
        answer = one.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"other requests take the memory for long bodies" in answer
        assert manager.ask("/v1/status")
        small = to_control(
            manager,
            b"POST /v1/doctor HTTP/1.1\r\nHost: m\r\nContent-Length: 900000\r\n\r\n"
            + b"x" * 900_000,
        )
        assert small.startswith(b"HTTP/1.1 400 ")  # it is read, and no JSON
        assert not spooled(manager)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /v1/status HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/devices/%ff HTTP/1.1\r\nHost: m\r\n\r\n", 400),
        (b"G\xffT /v1/status HTTP/1.1\r\nHost: m\r\n\r\n", 400),
        (b"TRACE /v1/status HTTP/1.1\r\nHost: m\r\n\r\n", 405),
        (b"GET ftp://localhost/v1/status HTTP/1.1\r\nHost: m\r\n\r\n", 400),
        (b"GET http:///v1/status HTTP/1.1\r\nHost: m\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (b"GET /v1/status HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    ],
)
def test_a_head_without_sense_is_a_sentence(manager: Manager, data: bytes, status: int) -> None:
    answer = to_control(manager, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b'"sentence": "control request: ' in answer
    assert "Traceback" not in manager.said()


def test_an_absolute_target_is_taken(manager: Manager) -> None:
    asked = b"GET http://manager/v1/status HTTP/1.1\r\nHost: m\r\n\r\n"
    assert to_control(manager, asked).startswith(b"HTTP/1.1 200 ")


def test_http_1_0_needs_no_host(manager: Manager) -> None:
    assert to_control(manager, b"GET /v1/status HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")


# -- TLS and an account for the metrics listener ---------------------------------


class Guarded:
    """A manager whose metrics listener has a certificate and an account."""

    def __init__(self, root: Path) -> None:
        self.authority = Authority(root)
        self.account = root / "account"
        self.write_account("prometheus:secret")
        issued = self.authority.issue("metrics", "127.0.0.1")
        self.certificate, self.key = issued.certificate_file, issued.key_file
        self.manager = Manager(
            root / "node",
            WATCHED
            + f'metrics_names = ["logs.example"]\nmetrics_certificate = "{self.certificate}"\n'
            + f'metrics_key = "{self.key}"\nmetrics_account_file = "{self.account}"\n',
        )

    def write_account(self, line: str, mode: int = 0o600) -> None:
        self.account.unlink(missing_ok=True)
        self.account.write_text(line + "\n")
        self.account.chmod(mode)

    def get(self, path: str, account: tuple[str, str] | None = None, **more: Any) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.authority.issued.certificate_file))
        url = f"https://127.0.0.1:{metrics_port(self.manager)}{path}"
        return httpx.get(url, verify=context, auth=account, timeout=60, trust_env=False, **more)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    one = Guarded(tmp_path)
    one.manager.start()
    yield one
    one.manager.stop()


def test_metrics_over_tls_for_one_account(guarded: Guarded) -> None:
    assert guarded.get("/metrics").status_code == 401
    assert "Basic" in guarded.get("/healthz").headers["www-authenticate"]
    assert guarded.get("/metrics", ("prometheus", "wrong")).status_code == 401
    answer = guarded.get("/metrics", ("prometheus", "secret"))
    assert answer.status_code == 200
    assert "tscm_ledger_balanced 1.0" in answer.text
    named = guarded.get("/healthz", ("prometheus", "secret"), headers={"host": "logs.example"})
    assert named.text.splitlines()[0] == "ok"
    assert "secret" not in guarded.manager.said()


def test_an_account_and_a_certificate_are_read_again(guarded: Guarded) -> None:
    guarded.write_account("prometheus:other")
    wait_for(
        lambda: guarded.get("/healthz", ("prometheus", "other")).status_code == 200,
        guarded.manager.said,
    )
    guarded.write_account("prometheus:loose", 0o644)
    wait_for(lambda: "lets other users read it" in guarded.manager.said(), guarded.manager.said)
    answer = guarded.get("/healthz", ("prometheus", "other"))
    assert answer.status_code == 503
    assert "chmod 600" in answer.text


def test_a_guard_that_cannot_be_used_keeps_the_manager_from_beginning(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    guarded.account.unlink()
    os.mkfifo(guarded.account, 0o600)
    with pytest.raises(AssertionError):
        guarded.manager.start()
    assert "it is a named pipe, not a regular file; [listen] metrics_account_file" in (
        guarded.manager.said()
    )
    assert "Traceback" not in guarded.manager.said()


def test_the_metrics_listener_follows_its_settings_without_a_restart(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    manager, file = guarded.manager, guarded.manager.layout.settings_file
    closed = file.read_text()
    file.write_text(SETTINGS)
    manager.start()

    def take(settings: str, told: str) -> None:
        before = manager.said().count(told)
        file.write_text(settings)
        assert manager.process is not None
        manager.process.send_signal(signal.SIGHUP)
        wait_for(lambda: manager.said().count(told) > before, manager.said)

    done = "match the settings"
    try:
        assert manager.ask("/v1/status")["metrics"] == []
        take(WATCHED, done)
        port = metrics_port(manager)
        plain = f"http://127.0.0.1:{port}/healthz"
        assert httpx.get(plain, timeout=60, trust_env=False).text.splitlines()[0] == "ok"

        take(closed, done)
        assert metrics_port(manager) == port  # the socket that stays wanted stays
        assert guarded.get("/healthz").status_code == 401
        assert guarded.get("/healthz", ("prometheus", "secret")).text.splitlines()[0] == "ok"
        with pytest.raises(httpx.TransportError):
            httpx.get(plain, timeout=60, trust_env=False)

        take(
            closed.replace(str(guarded.account), "/nowhere/account"),
            "the previous listeners remain",
        )
        assert "/nowhere/account" in guarded.get("/healthz", ("prometheus", "secret")).text

        take(SETTINGS, done)
        assert manager.ask("/v1/status")["metrics"] == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 60)
        assert "Traceback" not in manager.said()
    finally:
        manager.stop()


@pytest.mark.peer("promtool")
def test_prometheus_itself_reads_the_figures_over_tls(guarded: Guarded, tmp_path: Path) -> None:
    prometheus = shutil.which("prometheus")
    assert prometheus is not None
    password = tmp_path / "password"
    password.write_text("secret")
    settings = tmp_path / "prometheus.yml"
    settings.write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: tscm
    scheme: https
    tls_config: {{ca_file: {guarded.authority.issued.certificate_file}}}
    basic_auth: {{username: prometheus, password_file: {password}}}
    static_configs: [{{targets: ["127.0.0.1:{metrics_port(guarded.manager)}"]}}]
"""
    )
    log = tmp_path / "prometheus.log"
    data = tmp_path / "data"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [
                prometheus,
                f"--config.file={settings}",
                f"--storage.tsdb.path={data}",
                "--web.listen-address=127.0.0.1:0",
                "--log.level=debug",
            ],
            stdout=said,
            stderr=said,
        )
    try:
        wait_for(lambda: bool(listening_ports(process.pid)), log.read_text)
        api = f"http://127.0.0.1:{listening_ports(process.pid)[0]}/api/v1/query"

        def scraped() -> bool:
            with contextlib.suppress(httpx.TransportError):
                asked = {"query": "tscm_ledger_balanced"}
                found = httpx.get(api, params=asked, trust_env=False, timeout=60).json()
                results = found.get("data", {}).get("result", [])
                return [one["value"][1] for one in results] == ["1"]
            return False

        wait_for(scraped, log.read_text)
    finally:
        process.terminate()
        process.wait(60)


def listening_ports(pid: int) -> list[int]:
    """Ports on which a process of ours listens, by the kernel's table."""
    inodes = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(one.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                found.append(int(columns[1].rpartition(":")[2], 16))
    return found
