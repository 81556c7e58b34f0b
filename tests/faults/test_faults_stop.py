"""
A stop while somebody lets an upload or an update wait: the manager ends, and lines come in until it does.
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.faults.fault_world import LISTEN, World
from tests.faults.probes import thorough
from tests.faults.test_faults_upload import hits
from tests.kinds.asa.rest.test_rest_trickle import Serve, serving, trickle
from tests.manager.manager_process import Manager, wait_for
from tscm.base.secrets import Secret
from tscm.services.certificate import ensure_certificate

NAME = "fw-one"
WHOLE_SECONDS = 120.0
"""For an end that comes within the manager's own bound of 60 s, on a machine that does other things."""


@define(eq=False)
class Trickler:
    """
    What an octet a second is made of, and whether somebody waits for one.
    """

    first: bytes
    piece: bytes
    asked: threading.Event = field(factory=threading.Event)

    def serve(self, one: socket.socket) -> None:
        heard = one.recv(65536)
        if heard:
            self.asked.set()
            trickle(one, self.first, self.piece)

    def over_tls(self, context: ssl.SSLContext) -> Serve:
        def serve(one: socket.socket) -> None:
            with context.wrap_socket(one, server_side=True) as tls:
                self.serve(tls)

        return serve


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    found, key = ensure_certificate(tmp_path / "portal", [], time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found, key)
    return found, context


@pytest.fixture
def service(
    request: pytest.FixtureRequest, certificate: tuple[Path, ssl.SSLContext]
) -> Iterator[tuple[Trickler, dict[str, Any], str]]:
    """The one that trickles, the device's settings for it, and the log service's URL."""
    where: str = request.param
    if where in {"log service", "store"}:
        one = Trickler(b"HTTP/1.1 2", b"0")
        with serving(one.over_tls(certificate[1])) as root:
            yield one, {}, root.removesuffix("/api")
        return
    first = {
        "proxy": b"HTTP/1.1 2",
        "behind the proxy": b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\x40\x00",
    }[where]
    one = Trickler(first, b"0")
    with serving(one.serve) as root:
        proxy = root.removesuffix("/api").replace("https:", "http:")
        yield one, {"log_proxy": proxy}, "https://logs.example"


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("log service", "log_service"),
        ("store", "s3"),
        ("proxy", "log_service"),
        ("behind the proxy", "log_service"),
    ],
    indirect=["service"],
)
def test_an_upload_that_trickles_does_not_keep_the_manager(
    tmp_path: Path,
    certificate: tuple[Path, ssl.SSLContext],
    service: tuple[Trickler, dict[str, Any], str],
    kind: str,
) -> None:
    trickler, settings, url = service
    manager = Manager(
        tmp_path / "node",
        LISTEN
        + f'[upload]\nurl = "{url}"\nca_file = "{certificate[0]}"\n'
        + f'kind = "{kind}"\nbucket = "logs"\ncredentials_file = "{keys_in(tmp_path)}"\n',
    )
    world = World(manager)
    world.add(NAME, None, device_id="tdid_abcd1234", upload_key=Secret("key"), **settings)
    try:
        manager.start()
        lines = hits(50, 0)
        with world.connect(NAME) as out:
            out.sendall(b"".join(one + b"\n" for one in lines))
        manager.when_lines(NAME, len(lines))
        asking = threading.Thread(target=rotate, args=(manager,), daemon=True)
        asking.start()
        assert trickler.asked.wait(WHOLE_SECONDS), manager.said()
        assert manager.process is not None
        ended = end(manager.process)
        assert ended != -signal.SIGKILL, manager.said()
        assert "did not stop" not in manager.said()
        assert "abandoned" not in manager.said()
        assert "Traceback" not in manager.said()
        manager.process = None
        manager.start()
        assert manager.ask(f"/v1/devices/{NAME}")["state"]["upload"]["backlog_bytes"]
        assert world.ledger()["balanced"]
    finally:
        manager.stop(signal.SIGKILL)


def keys_in(folder: Path) -> Path:
    """A store's keys, as nobody else may read them."""
    keys = folder / "keys"
    keys.touch(0o600)
    keys.write_text("aws_access_key_id = A\naws_secret_access_key = B\n")
    return keys


def rotate(manager: Manager) -> None:
    with contextlib.suppress(Exception):  # the manager goes away meanwhile
        manager.command("POST", f"/v1/devices/{NAME}/logs")


def end(process: "subprocess.Popen[bytes]") -> int:
    """Ask it to go; -SIGKILL where it does not."""
    process.terminate()
    return gone(process)


def gone(process: "subprocess.Popen[bytes]") -> int:
    """How it went; -SIGKILL where it did not."""
    try:
        return process.wait(WHOLE_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return process.wait()


@thorough
def test_lines_come_in_until_a_stop_that_has_to_wait_is_over(
    tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    """A firewall in the middle of an answer is waited for; the lines of that time are stored."""
    lists = tmp_path / "list.txt"
    lists.write_text("203.0.113.0/24\n")
    feeds = "".join(
        f'[[policy.feeds]]\nname = "{one}.example"\nurl = "{lists.as_uri()}"\n'
        for one in ("b", "a")
    )
    trickler = Trickler(b"HTTP/1.1 2", b"0")
    with serving(trickler.over_tls(certificate[1])) as root:
        manager = Manager(tmp_path / "node", LISTEN + "[policy]\nallow_special = true\n" + feeds)
        world = World(manager)
        world.add(
            NAME,
            None,
            block_list="b.example",
            allow_list="a.example",
            rest_url=root,
            ca_file=str(certificate[0]),
            token_auth=False,
        )
        try:
            manager.start()
            asking = threading.Thread(target=update, args=(manager,), daemon=True)
            asking.start()
            assert trickler.asked.wait(WHOLE_SECONDS), manager.said()
            port = manager.port("udp")
            with world.connect(NAME) as out:
                assert manager.process is not None
                manager.process.send_signal(signal.SIGTERM)
                wait_for(lambda: "SIGTERM" in manager.said(), manager.said)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.bind(("127.0.0.2", 0))
                    for number in range(100):
                        udp.sendto(b"<166>late %d" % number, ("127.0.0.1", port))
                out.sendall(b"".join(b"<166>later %d\n" % number for number in range(100)))
                manager.when_lines(NAME, 200)
                ended = gone(manager.process)
                manager.process = None
            assert ended != -signal.SIGKILL, manager.said()
            assert "Traceback" not in manager.said()
        finally:
            manager.stop(signal.SIGKILL)


def update(manager: Manager) -> None:
    with contextlib.suppress(Exception):  # the manager goes away meanwhile
        manager.command("POST", f"/v1/devices/{NAME}/update", {"force": False})


STUCK = """
import sys, threading
from twisted.internet import reactor
from twisted.python import log
from tscm.base.threads import Threads
log.startLogging(sys.stdout)
threads = Threads(reactor, 2, "slow", leave_seconds=0.2)
threads.startService()
threads.run(threading.Event().wait)
reactor.addSystemEventTrigger("before", "shutdown", threads.stopService)
reactor.callLater(0.2, reactor.stop)
reactor.run()
print("over")
"""


def test_a_thread_that_never_ends_does_not_keep_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "still busy after 0 s and abandoned: threading.Event.wait" in done.stdout
    assert done.stdout.endswith("over\n")


STUCK_POOL = """
import threading
from tscm.plugins import startup
startup.GO_SECONDS = 0.2
threading.Thread(target=threading.Event().wait).start()  # as a look-up in the reactor's own pool
startup.go_for_sure(None)
"""


def test_a_process_that_has_stopped_everything_ends_whatever_thread_it_still_has() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK_POOL], timeout=120, check=False)
    assert done.returncode == 0
