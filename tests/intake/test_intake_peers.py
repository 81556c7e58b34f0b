"""Lines from programs that are not ours."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.intake.certificates import Authority
from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    listen,
    reactor,
    target,
    until,
)
from tests.skipping import lacking
from tscm.base.tls_answers import MAX_ANSWERS
from tscm.intake.figures import StreamFigures
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService
from tscm.intake.tls import FLOOD, fingerprint_of

GTLS = any(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so"))
"""rsyslog's TLS is a package of its own."""

MESSAGES = [
    f"<166>Apr 15 2026 09:36:50 fw : %ASA-6-302013: Built outbound TCP connection {n} for "
    f"outside:198.51.100.7/443 \\n {{no}} %s é {'x' * (n % 900)}".encode()
    for n in range(2000)
]


def started(**wanted: Any) -> tuple[IntakeService, MemorySpool]:
    senders, spool = SenderTable(), MemorySpool()
    senders.claim("fw1", ["127.0.0.1"])
    service = IntakeService(reactor, listen(**wanted), bounds(), spool, senders)
    service.startService()
    return service, spool


@contextmanager
def rsyslog(folder: Path, action: str, more: str = "") -> Iterator[None]:
    """An rsyslog that reads a file of MESSAGES and sends them on; *more* are global settings."""
    (folder / "in").write_bytes(b"".join(message + b"\n" for message in MESSAGES))
    config = folder / "rsyslog.conf"
    config.write_text(
        f"""
        global(workDirectory="{folder}" maxMessageSize="64k" {more} parser.escapeControlCharactersOnReceive="off")
        module(load="imfile")
        template(name="same" type="string" string="%msg%")
        input(type="imfile" file="{folder}/in" tag="t" ruleset="all")
        ruleset(name="all") {{ {action} }}
        """
    )
    command = ["rsyslogd", "-n", "-f", str(config), "-i", str(folder / "pid")]
    with (folder / "output").open("wb") as output, subprocess.Popen(command, stderr=output) as peer:
        try:
            yield
        finally:
            peer.terminate()


@pytest.mark.peer("rsyslogd")
@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
@pytest_twisted.ensureDeferred
async def test_rsyslog_sends_over_tcp(tmp_path: Path, framing: str) -> None:
    service, spool = started(tcp=(ANY,))
    host, port = target(service.addresses()["tcp"][0])
    action = (
        f'action(type="omfwd" target="{host}" port="{port}" protocol="tcp" template="same" '
        f'TCP_Framing="{framing}")'
    )
    with rsyslog(tmp_path, action):
        await until(lambda: spool.count() >= len(MESSAGES))
    await service.stopService()
    assert spool.lines("fw1") == MESSAGES
    (figures,) = service.figures().listeners.values()
    assert isinstance(figures, StreamFigures)
    assert figures.framing_faults == 0


@pytest.mark.peer("rsyslogd")
@pytest_twisted.ensureDeferred
async def test_rsyslog_sends_over_udp(tmp_path: Path) -> None:
    service, spool = started(udp=(ANY,))
    host, port = target(service.addresses()["udp"][0])
    action = (
        f'action(type="omfwd" target="{host}" port="{port}" protocol="udp" template="same" '
        'udp.sendBuffer="4m")'
    )
    with rsyslog(tmp_path, action):
        await until(lambda: spool.count() >= len(MESSAGES))
    await service.stopService()
    assert spool.lines("fw1") == MESSAGES


@pytest.mark.peer("rsyslogd")
@pytest.mark.skipif(
    not GTLS and not os.environ.get("CI"),
    reason=lacking("the rsyslog module gnutls", "rsyslog-gnutls"),
)
@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
@pytest_twisted.ensureDeferred
async def test_rsyslog_sends_over_tls_with_a_pinned_certificate(
    tmp_path: Path, framing: str
) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", "collector.example")
    client = authority.issue("client", "fw.example")
    service, spool = started(
        tls=(ANY,), tls_certificate=str(server.certificate_file), tls_key=str(server.key_file)
    )
    service.senders.claim("fw1", ["127.0.0.1"], [fingerprint_of(client.certificate)])
    host, port = target(service.addresses()["tls"][0])
    files = (
        f'defaultNetstreamDriverCAFile="{authority.issued.certificate_file}" '
        f'defaultNetstreamDriverCertFile="{client.certificate_file}" '
        f'defaultNetstreamDriverKeyFile="{client.key_file}"'
    )
    action = (
        f'action(type="omfwd" target="{host}" port="{port}" protocol="tcp" template="same" '
        f'TCP_Framing="{framing}" StreamDriver="gtls" StreamDriverMode="1" '
        'StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="collector.example")'
    )
    with rsyslog(tmp_path, action, files):
        await until(lambda: spool.count() >= len(MESSAGES))
    await service.stopService()
    assert spool.lines("fw1") == MESSAGES
    (figures,) = service.figures().listeners.values()
    assert isinstance(figures, StreamFigures)
    assert figures.framing_faults == 0


@pytest.mark.peer("loggen")
@pytest.mark.parametrize(
    ("kind", "ways"),
    [
        ("tcp", ["--inet", "--stream"]),
        ("tcp", ["--inet", "--stream", "--syslog-proto"]),
        ("udp", ["--inet", "--dgram"]),
        ("tls", ["--use-ssl", "--syslog-proto"]),
    ],
    ids=["lines", "octet-counted", "udp", "tls"],
)
@pytest_twisted.ensureDeferred
async def test_loggen_sends(tmp_path: Path, kind: str, ways: list[str]) -> None:
    server = Authority(tmp_path).issue("server", "127.0.0.1")
    service, spool = started(
        **{kind: (ANY,)},
        tls_certificate=str(server.certificate_file),
        tls_key=str(server.key_file),
    )
    host, port = target(service.addresses()[kind][0])
    count = ["--number", "2000", "--rate", "20000", "--size", "180", "--quiet"]
    await deferToThread(
        subprocess.run, ["loggen", *ways, *count, host, str(port)], check=True, capture_output=True
    )
    await until(lambda: spool.count() >= 2000)
    await service.stopService()
    numbers = [re.search(rb"seq: (\d+)", line) for line in spool.lines("fw1")]
    assert [int(one[1]) for one in numbers if one] == list(range(2000))
    (figures,) = service.figures().listeners.values()
    assert not isinstance(figures, StreamFigures) or figures.framing_faults == 0


@pytest.mark.peer("logger")
@pytest.mark.parametrize("ways", [["--udp"], ["--tcp"], ["--tcp", "--octet-count"]])
@pytest_twisted.ensureDeferred
async def test_logger_sends(ways: list[str]) -> None:
    kind = ways[0].strip("-")
    service, spool = started(**{kind: (ANY,)})
    host, port = target(service.addresses()[kind][0])
    command = ["logger", "--server", host, "--port", str(port), *ways, "--rfc3164", "-t", "asa"]
    for text in ("first message", "second {message} %s"):
        await deferToThread(subprocess.run, [*command, text], check=True)
    await until(lambda: spool.count() == 2)
    await service.stopService()
    assert [line.partition(b"asa: ")[2] for line in spool.lines("fw1")] == [
        b"first message",
        b"second {message} %s",
    ]
    assert balanced(service.figures())


@pytest.mark.peer("openssl")
@pytest_twisted.ensureDeferred
async def test_openssl_sends_over_tls(tmp_path: Path) -> None:
    server = Authority(tmp_path).issue("server", "127.0.0.1")
    service, spool = started(
        tls=(ANY,), tls_certificate=str(server.certificate_file), tls_key=str(server.key_file)
    )
    host, port = target(service.addresses()["tls"][0])
    frames = b"".join(b"%d %b" % (len(message), message) for message in MESSAGES)
    command = ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"{host}:{port}"]
    await deferToThread(subprocess.run, command, input=frames, check=False, capture_output=True)
    await until(lambda: spool.count() == len(MESSAGES))
    await service.stopService()
    assert spool.lines("fw1") == MESSAGES


@pytest.mark.peer("openssl")
@pytest_twisted.ensureDeferred
async def test_a_flood_of_key_updates_ends_the_connection_and_holds_no_memory(
    tmp_path: Path,
) -> None:
    server = Authority(tmp_path).issue("server", "127.0.0.1")
    service, spool = started(
        tls=(ANY,), tls_certificate=str(server.certificate_file), tls_key=str(server.key_file)
    )
    host, port = target(service.addresses()["tls"][0])
    command = [
        "openssl",
        "s_client",
        "-quiet",
        "-no_ign_eof",
        "-tls1_3",
        "-connect",
        f"{host}:{port}",
    ]
    # Each read of s_client's stdin must bring one command alone.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=theirs.fileno(), stdout=quiet, stderr=quiet) as client:  # noqa: ASYNC220
        theirs.close()
        ours.send(b"<1>first\n")
        await until(lambda: spool.count() == 1, 30)
        (stream,) = service._connections.streams()
        transport = cast("Any", stream).transport

        def flood() -> int:
            for sent in range(2000):
                try:
                    ours.send(b"K\n")
                except OSError:
                    return sent
            return 2000

        flooding = deferToThread(flood)
        await until(lambda: service.figures().connections.open == 0, 60)
        client.kill()
        ours.shutdown(socket.SHUT_RDWR)
        assert await flooding > 20
        assert len(transport._held) <= MAX_ANSWERS
        (figures,) = service.figures().listeners.values()
        assert isinstance(figures, StreamFigures)
        assert figures.tls is not None
        assert figures.tls.handshakes_failed == {FLOOD: 1}
    ours.close()
    await service.stopService()
