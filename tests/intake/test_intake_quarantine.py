"""Strangers within their bounds: what is kept of them, and how fast they are read."""

import socket
from pathlib import Path

import pytest_twisted

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    from_loopback,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tscm.intake.quarantine import QuarantineLog
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.strangers import Strangers
from tscm.syslog.framing import Lines


def quarantine(path: Path, quota: int, allowed: bool = True) -> QuarantineLog:
    return QuarantineLog(path / "unknown", quota, lambda *_: allowed)


def test_each_line_stands_behind_time_and_address(tmp_path: Path) -> None:
    log = quarantine(tmp_path / "new", 1 << 20)
    log("192.0.2.1", Lines(b"<1>a\n<1>b\n", 2), 0.0)
    log("2001:db8::1", Lines(b"<1>c\n", 1), 60.0)
    log.close()
    assert (tmp_path / "new/unknown").read_bytes() == (
        b"1970-01-01T00:00:00Z 192.0.2.1 <1>a\n"
        b"1970-01-01T00:00:00Z 192.0.2.1 <1>b\n"
        b"1970-01-01T00:01:00Z 2001:db8::1 <1>c\n"
    )
    assert log.kept == 3


def test_the_quota_holds_over_both_files_and_over_a_restart(tmp_path: Path) -> None:
    for start in range(2):
        log = quarantine(tmp_path, 50_000)
        for n in range(2000):
            log("192.0.2.1", Lines(b"<1>%d %d\n" % (start, n), 1), 0.0)
        log.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["unknown", "unknown.1"]
    assert 25_000 < sum(one.stat().st_size for one in files) <= 50_000
    assert files[0].read_bytes().endswith(b"<1>1 1999\n")


def test_what_does_not_get_in_is_counted(tmp_path: Path) -> None:
    log = quarantine(tmp_path, 50_000, allowed=False)
    log("192.0.2.1", Lines(b"<1>a\n", 1), 0.0)
    assert (log.kept, log.refused) == (0, 1)
    (tmp_path / "file").write_text("no folder")
    broken = quarantine(tmp_path / "file", 50_000)
    broken("192.0.2.1", Lines(b"<1>a\n" * 3, 3), 0.0)
    assert (broken.kept, broken.refused) == (0, 3)


def test_an_allowance_lets_a_second_pass_at_once_and_then_its_rate() -> None:
    strangers = Strangers(bytes_per_second=1000)
    strangers.note("192.0.2.1", 1, b"x", 50.0)
    assert strangers.wait_for("192.0.2.1", 1000, 50.0) == 0
    assert strangers.wait_for("192.0.2.1", 500, 50.0) == 0.5
    assert strangers.wait_for("192.0.2.1", 0, 51.0) == 0
    assert strangers.wait_for("192.0.2.1", 0, 40.0) == 0
    kept = [strangers.may_keep("192.0.2.1", 400, 60.0 + n / 10) for n in range(100)]
    assert 20 <= sum(kept) <= 30  # ten seconds of 1,000 bytes, and the first one
    assert strangers.may_keep("192.0.2.2", 10, 60.0)


@pytest_twisted.ensureDeferred
async def test_strangers_are_kept_aside_and_still_counted_as_dropped(tmp_path: Path) -> None:
    service = IntakeService(
        reactor,
        listen(udp=(ANY,)),
        bounds(unknown_senders="quarantine"),
        MemorySpool(),
        SenderTable(),
        quarantine_file=tmp_path / "unknown",
    )
    service.startService()
    with from_loopback(9) as stranger:
        stranger.sendto(b"<1>who\nforged", target(service.addresses()["udp"][0]))
    await until(lambda: service.figures().unknown_senders.lines == 1)
    assert balanced(service.figures())
    quarantine = service.figures().unknown_senders.quarantine
    assert quarantine is not None
    assert quarantine.kept == 1
    await service.stopService()
    assert (tmp_path / "unknown").read_bytes().endswith(b" 127.0.0.9 <1>who\x10nforged\n")


@pytest_twisted.ensureDeferred
async def test_a_stranger_that_sends_flat_out_is_read_at_its_rate() -> None:
    senders = SenderTable()
    senders.claim("fw1", ["127.0.0.2"])
    spool = MemorySpool()
    service = IntakeService(
        reactor, listen(tcp=(ANY,)), bounds(unknown_kb_per_second=64), spool, senders
    )
    service.startService()
    place = target(service.addresses()["tcp"][0])
    chunk = b"<1>%s\n" % (b"x" * 200) * 300
    with (
        from_loopback(9, socket.SOCK_STREAM) as stranger,
        from_loopback(2, socket.SOCK_STREAM) as known,
    ):
        for one in (stranger, known):
            one.connect(place)
            one.setblocking(False)
        taken = {stranger: 0, known: 0}
        for _ in range(60):
            for one in taken:
                try:
                    taken[one] += one.send(chunk)
                except BlockingIOError:
                    continue
            await pause(0.005)
        (figures,) = service.figures().listeners.values()
        dropped = figures.dropped["unknown sender"]
        stored = figures.stored
        assert stored > 2 * dropped
        assert dropped * 200 < 64 * 1024 * 3 + 131072
    await service.stopService()
