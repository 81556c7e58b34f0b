"""
A peer that makes TLS answer without end, at a listener of ours that answers by itself.
"""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource

from tests.intake.intake_parts import until
from tscm.base.http_site import BoundedSite, HttpBounds
from tscm.base.listening import tls_factory
from tscm.services.certificate import ensure_certificate, tls_options

COMMANDS = 2000
"""Each a KeyUpdate that wants one back: 54,000 octets of answers."""


def _flood(ours: socket.socket) -> int:
    for sent in range(COMMANDS):
        try:
            ours.send(b"K\n")
        except OSError:
            return sent
    return COMMANDS


@pytest.mark.peer("openssl")
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")
@pytest_twisted.ensureDeferred
async def test_a_flood_of_key_updates_is_hung_up_on(tmp_path: Path) -> None:
    chain = tls_options(*ensure_certificate(tmp_path, [], 1_800_000_000))
    patient = HttpBounds(request_seconds=600.0)
    site = BoundedSite(Resource(), patient, reactor, purpose="test")
    some: Any = reactor
    port = some.listenTCP(0, tls_factory(chain, site), interface="127.0.0.1")
    where = f"127.0.0.1:{port.getHost().port}"
    command = ["openssl", "s_client", "-quiet", "-no_ign_eof", "-tls1_3", "-connect", where]
    # Each read of s_client's stdin must bring one command alone.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=theirs.fileno(), stdout=quiet, stderr=quiet) as client:  # noqa: ASYNC220
        theirs.close()
        ours.send(b"GET / HTTP/1.1\r\n")
        await until(lambda: site._open)
        flooding = deferToThread(_flood, ours)
        try:
            await until(lambda: not site._open)
        finally:
            client.kill()
            ours.shutdown(socket.SHUT_RDWR)
            sent = await flooding
            ours.close()
            await port.stopListening()
    assert sent > 20
