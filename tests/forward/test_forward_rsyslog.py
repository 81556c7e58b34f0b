"""
rsyslog as the SIEM: what is stored is what arrives, byte for byte.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.forward.receivers import Rsyslog, reactor, until
from tests.memory_log import MemoryLog
from tscm.base.threads import Threads
from tscm.forward.service import ForwardService
from tscm.forward.target import Target

pytestmark = pytest.mark.peer("rsyslogd")


@pytest_twisted.async_yield_fixture()
async def threads() -> AsyncIterator[Threads]:
    pool = Threads(reactor, 2, "test")
    pool.startService()
    yield pool
    await pool.stopService()


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    receiver = Rsyslog(tmp_path / "rsyslog")
    receiver.start()
    yield receiver
    receiver.stop()


def asa_lines(count: int, first: int = 0) -> list[bytes]:
    return [
        b"<166>Apr 15 2013 09:36:50: %%ASA-6-106100: access-list a denied tcp "
        b"inside/192.0.2.%d(1%04d) -> outside/198.51.100.7(53) hit-cnt 1 \xc3\xa9 \\ \t #%d\n"
        % (at % 250, at % 10000, at)
        for at in range(first, first + count)
    ]


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest_twisted.ensureDeferred
async def test_rsyslog_receives_the_very_bytes(
    threads: Threads, rsyslog: Rsyslog, protocol: str
) -> None:
    log = MemoryLog()
    log.append(*asa_lines(5000))
    target = Target(address="127.0.0.1", port=rsyslog.number, protocol=protocol)
    service = ForwardService(reactor, threads, log, target)
    service.startService()
    await until(lambda: log.position.sent == 5000)
    wanted = b"".join(asa_lines(5000))
    await until(lambda: len(rsyslog.data) >= len(wanted))
    stopped = service.stopService()
    if stopped is not None:
        await stopped
    assert rsyslog.data == wanted


@pytest_twisted.ensureDeferred
async def test_rsyslog_reads_octet_counts_and_line_feeds_inside(
    threads: Threads, rsyslog: Rsyslog
) -> None:
    log = MemoryLog()
    log.append(*asa_lines(200), b"<14>two\x10nlines\n", *asa_lines(200))
    target = Target(address="127.0.0.1", port=rsyslog.number, protocol="TCP", framing="octets")
    service = ForwardService(reactor, threads, log, target)
    service.startService()
    await until(lambda: log.position.sent == 401)
    wanted = b"".join(asa_lines(200)) + b"<14>two\nlines\n" + b"".join(asa_lines(200))
    await until(lambda: len(rsyslog.data) >= len(wanted))
    stopped = service.stopService()
    assert stopped is not None
    await stopped
    assert rsyslog.data == wanted


@pytest.mark.parametrize(("protocol", "framing"), [("UDP", "lf"), ("TCP", "octets")])
@pytest_twisted.ensureDeferred
async def test_rsyslog_understands_rfc5424_of_ours(
    threads: Threads, tmp_path: Path, protocol: str, framing: str
) -> None:
    receiver = Rsyslog(tmp_path / "parsed")
    receiver.template = "%pri%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%"
    receiver.start()
    try:
        log = MemoryLog()
        log.append(*asa_lines(20))
        target = Target(
            address="127.0.0.1",
            port=receiver.number,
            protocol=protocol,
            framing=framing,
            mode="rfc5424",
        )
        service = ForwardService(reactor, threads, log, target)
        service.startService()
        await until(lambda: receiver.data.count(b"\n") == 20)
        stopped = service.stopService()
        assert stopped is not None
        await stopped
    finally:
        receiver.stop()
    first = receiver.data.splitlines()[0]
    assert first.startswith(
        b'166|192.0.2.1|ASA|106100|[origin ip="192.0.2.1"]'
        b'[received@32473 at="1970-01-01T00:16:40.000Z"]|'
    )
    assert first.endswith(asa_lines(1)[0][len("<166>") : -1])


@pytest_twisted.ensureDeferred
async def test_nothing_is_missing_when_rsyslog_is_killed_and_comes_back(
    threads: Threads, rsyslog: Rsyslog
) -> None:
    log = MemoryLog()
    target = Target(address="127.0.0.1", port=rsyslog.number, protocol="TCP")
    service = ForwardService(reactor, threads, log, target, chance=lambda: 0.0)
    service.startService()
    for round_ in range(3):
        log.append(*asa_lines(3000, round_ * 3000))
        await until(lambda: service.figures().sent > 0)
        rsyslog.stop(hard=True)
        await until(lambda: service.figures().state == "waiting")
        rsyslog.start()
    await until(lambda: log.position.sent == 9000)
    wanted = asa_lines(9000)
    await until(lambda: wanted[-1] in rsyslog.data)
    stopped = service.stopService()
    if stopped is not None:
        await stopped
    received = rsyslog.data.splitlines(keepends=True)
    assert set(wanted) <= set(received)
    strange = set(received) - set(wanted)
    assert len(strange) <= 3, "at most one cut line for each broken connection"
