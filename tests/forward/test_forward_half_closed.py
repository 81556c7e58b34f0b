"""
A receiver that ends its own side and reads on; and one that is gone, which must be told from it.
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.forward.receivers import TcpReceiver, reactor, until
from tests.forward.test_forward_service import forward, lines, stop, tcp
from tests.intake.certificates import Authority
from tests.memory_log import MemoryLog
from tscm.base.threads import Threads
from tscm.forward.target import Target


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


class HalfCloser:
    """
    Ends its side of each connection as soon as it has it, and reads what comes.

    *wrap* makes TLS of a connection; while *reads* is clear nothing is read.
    """

    def __init__(self, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.number: int = self.listener.getsockname()[1]
        self.streams: list[bytearray] = []
        self.reads = threading.Event()
        self.reads.set()
        self._wrap = wrap
        self._open: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                self.streams.append(bytearray())
                threading.Thread(
                    target=self._read, args=(connection, self.streams[-1]), daemon=True
                ).start()

    def _read(self, connection: socket.socket, stream: bytearray) -> None:
        with contextlib.suppress(OSError):
            if self._wrap is not None:
                connection = self._wrap(connection)
            self._open.append(connection)
            socket.socket.shutdown(connection, socket.SHUT_WR)
            while True:
                self.reads.wait()
                data = connection.recv(16384)
                if not data:
                    return
                stream += data

    @property
    def data(self) -> bytes:
        return b"".join(map(bytes, self.streams))

    def close(self) -> None:
        self.reads.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self._open:
            one.close()


@pytest.fixture
def half_closer() -> Iterator[HalfCloser]:
    one = HalfCloser()
    yield one
    one.close()


@pytest_twisted.ensureDeferred
async def test_a_backlog_goes_once_to_a_receiver_that_sends_nothing_any_more(
    threads: Threads, half_closer: HalfCloser
) -> None:
    log = MemoryLog()
    for at in range(300):
        log.append_block(b"".join(lines(1000, at * 1000)))
    service = forward(threads, log, tcp(half_closer.number))
    await until(lambda: log.position.sent == 300_000, 60)
    await until(lambda: len(half_closer.data) == log.end, 30)
    assert half_closer.data == b"".join(lines(300_000))
    figures = service.figures()
    assert figures.repeated == 0
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_lines_that_come_one_by_one_go_once_too(
    threads: Threads, half_closer: HalfCloser
) -> None:
    log = MemoryLog()
    service = forward(threads, log, tcp(half_closer.number))
    for at in range(30):
        log.append(*lines(1, at))
        await until(lambda at=at: log.position.sent == at + 1, 20)  # type: ignore[misc]
    await until(lambda: half_closer.data == b"".join(lines(30)), 20)
    assert len(half_closer.streams) <= 3
    await stop(service)


@pytest_twisted.ensureDeferred
async def test_over_tls_too(threads: Threads, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("siem", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    siem = HalfCloser(lambda plain: context.wrap_socket(plain, server_side=True))
    log = MemoryLog()
    for at in range(50):
        log.append_block(b"".join(lines(1000, at * 1000)))
    target = Target(
        address="127.0.0.1",
        port=siem.number,
        protocol="TLS",
        ca_file=str(authority.issued.certificate_file),
    )
    service = forward(threads, log, target)
    await until(lambda: log.position.sent == 50_000, 60)
    await until(lambda: len(siem.data) == log.end, 30)
    assert siem.data == b"".join(lines(50_000))
    await stop(service)
    siem.close()


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_half_closed_and_then_died_gets_its_window_again(
    threads: Threads, half_closer: HalfCloser
) -> None:
    """What its kernel had taken after the end of its side, and nobody read."""
    log = MemoryLog()
    service = forward(threads, log, tcp(half_closer.number))
    await until(lambda: len(half_closer.streams) == 1)
    log.append(*lines(10))
    await until(lambda: len(half_closer.data) == log.end)
    half_closer.reads.clear()
    log.append(*lines(50, 10))
    await until(lambda: log.position.sent == 60)
    half_closer.close()
    siem = TcpReceiver(number=half_closer.number)
    await until(lambda: listening(siem), 20)
    log.append(*lines(10, 60))
    await until(lambda: log.position.sent == 70, 30)
    assert set(lines(70)) <= set((half_closer.data + siem.data).splitlines(keepends=True))
    await stop(service)
    await siem.stop()


def listening(siem: TcpReceiver) -> bool:
    with contextlib.suppress(Exception):
        siem.listen()
        return True
    return False


@pytest_twisted.ensureDeferred
async def test_a_receiver_that_is_gone_is_found_without_a_line(threads: Threads) -> None:
    siem = TcpReceiver()
    siem.listen()
    log = MemoryLog()
    service = forward(threads, log, tcp(siem.number))
    log.append(*lines(3))
    await until(lambda: log.position.sent == 3)
    siem.close_all()
    await siem.stop()
    await until(lambda: "refused the connection" in service.figures().sentence, 30)
    assert service.figures().state in {"waiting", "connecting", "resolving"}
    await stop(service)


SINK = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection = listener.accept()[0]
listener.close()
connection.shutdown(socket.SHUT_WR)
while connection.recv(65536):
    pass
"""


def sink() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE)


@pytest_twisted.ensureDeferred
async def test_a_receiver_killed_in_the_midst_of_a_backlog_is_found(threads: Threads) -> None:
    with sink() as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        log = MemoryLog()
        service = forward(threads, log, tcp(port))
        for at in range(50):
            log.append_block(b"".join(lines(1000, at * 1000)))
        await until(lambda: log.position.sent > 0, 20)
        os.kill(process.pid, signal.SIGKILL)
        for at in range(50, 60):
            log.append_block(b"".join(lines(1000, at * 1000)))
        await until(lambda: "refused the connection" in service.figures().sentence, 30)
        assert log.position.sent < 60_000 or service.figures().state != "connected"
        await stop(service)


@pytest_twisted.ensureDeferred
async def test_only_a_connection_that_carried_lines_starts_the_back_off_afresh(
    threads: Threads,
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    closing = threading.Event()
    closing.set()
    streams: list[bytearray] = []

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                stream = bytearray()
                streams.append(stream)
                while not closing.is_set() and (data := connection.recv(65536)):
                    stream += data
                # A reset, so that nothing that it took counts as read.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()

    threading.Thread(target=take, daemon=True).start()
    log = MemoryLog()
    service = forward(threads, log, tcp(port))
    await until(lambda: service.figures().failures >= 3, 30)
    grown = service.figures().failures
    closing.clear()
    await until(lambda: service.figures().state == "connected", 30)
    log.append(*lines(5))
    await until(lambda: log.position.sent == 5, 30)
    closing.set()
    log.append(*lines(1, 5))
    await until(lambda: service._reading.trouble.failures == 1, 30)
    assert grown >= 3
    await stop(service)
    listener.close()
