"""
A crowd of slow connections from one stranger: the devices must not feel it.

At full scale (TSCM_FAULTS=1, `make faults`) ten thousand connections send a byte a minute for
three minutes; otherwise a few hundred do so faster.
"""

import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_twisted

from tests.intake.intake_parts import (
    ANY,
    MemorySpool,
    balanced,
    bounds,
    listen,
    pause,
    reactor,
    target,
    until,
)
from tscm.intake.senders import SenderTable
from tscm.intake.service import IntakeService

FULL = os.environ.get("TSCM_FAULTS") == "1"
CROWD = 10_000 if FULL else 400
BYTE_SECONDS = 60.0 if FULL else 0.5
ROUNDS = 3
KNOWN = 20

CROWD_SCRIPT = """
import resource, socket, sys, time
host, port, crowd, seconds, rounds = sys.argv[1:]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
streams = []
for n in range(int(crowd)):
    one = socket.socket()
    one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    one.bind(("127.0.0.9", 0))
    one.connect((host, int(port)))
    streams.append(one)
for text in b"<1>"[:int(rounds)]:
    began = time.monotonic()
    for n, one in enumerate(streams):
        try:
            one.send(bytes([text]))
        except OSError:
            pass
        ahead = n / len(streams) * float(seconds) - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
sys.stdin.read()
"""


def crowd_of(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", CROWD_SCRIPT, *words], stdin=subprocess.PIPE)


def resident_mb() -> float:
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.parametrize("let_in", [True, False], ids=["let in", "within the default bounds"])
@pytest_twisted.ensureDeferred
async def test_ten_thousand_slow_connections_of_a_stranger_hold_up_nobody(*, let_in: bool) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < CROWD + 2000:
        pytest.skip(f"needs {CROWD + 2000} open files")
    senders, spool = SenderTable(), MemorySpool()
    for number in range(KNOWN):
        senders.claim(f"fw{number}", [f"127.0.2.{number + 1}"])
    # Strangers may hold a quarter of all connections.
    wide = {"max_connections": 4 * CROWD + 100, "max_connections_per_unknown_sender": CROWD}
    service = IntakeService(
        reactor, listen(tcp=(ANY,)), bounds(**(wide if let_in else {})), spool, senders
    )
    service.startService()
    place = target(service.addresses()["tcp"][0])
    words = [*map(str, place), str(CROWD), str(BYTE_SECONDS), str(ROUNDS)]
    with (
        ExitStack() as stack,
        crowd_of(*words) as crowd,
    ):
        assert crowd.stdin is not None
        streams = []
        for number in range(KNOWN):
            stream = stack.enter_context(socket.socket())
            stream.bind((f"127.0.2.{number + 1}", 0))
            stream.connect(place)
            streams.append(stream)
        expected = CROWD if let_in else min(CROWD, bounds().max_connections_per_unknown_sender)
        await until(lambda: service.figures().connections.of_unknown_senders == expected)
        before, began, sent = resident_mb(), reactor.seconds(), 0
        while reactor.seconds() - began < BYTE_SECONDS * ROUNDS:
            for stream in streams:
                stream.sendall(b"<1>line %d\n" % sent)
                sent += 1
            await until(lambda: spool.count() == sent)  # noqa: B023
            await pause(0.05)
        # Another device gets in while the crowd is there.
        senders.claim("late", ["127.0.2.99"])
        late = stack.enter_context(socket.socket())
        late.bind(("127.0.2.99", 0))
        late.connect(place)
        late.sendall(b"<1>late\n")
        await until(lambda: spool.lines("late") == [b"<1>late"])
        figures = service.figures()
        assert figures.connections.of_unknown_senders == expected
        assert resident_mb() - before < 20
        crowd.stdin.close()
    await until(lambda: service.figures().connections.of_unknown_senders == 0)
    await service.stopService()
    assert balanced(service.figures())
    assert spool.count() == sent + 1
    if let_in:  # each left its one unfinished line behind, counted as a stranger's
        (listener,) = service.figures().listeners.values()
        assert listener.dropped == {"unknown sender": CROWD}
    else:
        assert sum(service.figures().connections.refused.values()) == CROWD - expected
