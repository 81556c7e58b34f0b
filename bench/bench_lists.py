"""
The listener for lists: what consumers that pull cost the manager.

CONSUMERS pull a list of ENTRIES entries every INTERVAL seconds, over TLS and a connection each, as they do.  The
listener runs in a process of its own; the figure is its CPU time for PULLS pulls, as the share of one core that all
consumers would take.  The bar is 5 %.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

CONSUMERS, ENTRIES, INTERVAL = 1_000, 100_000, 300.0
PULLS = int(os.environ.get("BENCH_PULLS", "300"))
BAR = 5.0
CHILD = """
import json, resource, sys
from pathlib import Path
from twisted.internet import reactor
from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
from tscm.kinds.lists.consumers import CONSUMERS
from tscm.kinds.lists.render import Lists
from tscm.policy.cidr import CidrSet
from tscm.services.list_service import ListService
from tscm.services.publication import publish
from tscm.services.pulls import PullBook
from tscm.settings.node import Listen
from tscm.settings.schema import read_table
from tscm.store.database import Store
from tscm.store.pulls import StoredPulls
root, entries, secret = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hosts = [f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.1" for n in range(entries)]
lists = Lists.of(CidrSet.of_texts(hosts), CidrSet(), "ThreatSTOP", 5)
publish(root / "lists/edge", CONSUMERS["fortinet"].render(lists), generation=1, now=1.0)
threads, store = Threads(reactor, 4, "bench"), Store(root / "tscm.db")
threads.startService(); store.open()
settings, faults = read_table(CONSUMERS["fortinet"].settings, {
    "type": "fortinet", "name": "edge", "device_id": "tdid_a1", "device": "127.0.0.1",
    "block_list": "b.example", "allow_list": "a.example", "pull_secret": secret})
service = ListService(reactor, threads, root / "lists", root / "lists",
    Listen(lists=(HostPort("127.0.0.1", 0),)), PullBook(StoredPulls(store)))
service.privilegedStartService(); service.startService(); service.set_device(settings)
def told():
    line = sys.stdin.readline()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, flush=True)
    if line:
        threads.run(told)
    else:
        reactor.callFromThread(reactor.stop)
print(service.addresses()[0].rpartition(":")[2], flush=True)
reactor.callWhenRunning(threads.run, told)
reactor.run()
"""


def pull(port: int, secret: str, trusting: ssl.SSLContext, *headers: str) -> tuple[int, str, int]:
    """Status, ETag and bytes of one pull."""
    plain = socket.create_connection(("127.0.0.1", port), 60)
    with plain, trusting.wrap_socket(plain, server_hostname="localhost") as stream:
        lines = (f"GET /edge/{secret}/block.txt HTTP/1.1", "Host: localhost", *headers, "", "")
        stream.sendall("\r\n".join(lines).encode())
        found = bytearray()
        while piece := stream.recv(1 << 18):
            found += piece
    head, _, body = bytes(found).partition(b"\r\n\r\n")
    tag = next((one for one in head.split(b"\r\n") if one.lower().startswith(b"etag: ")), b"")
    return int(head.split(b" ")[1]), tag[6:].decode(), len(body)


def main() -> None:
    """Print the table."""
    secret = "s" * 40
    with tempfile.TemporaryDirectory(prefix="tscm-bench-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, folder, str(ENTRIES), secret],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            port = int(child.stdout.readline())
            trusting = ssl.create_default_context(cafile=str(Path(folder) / "lists/lists.crt"))
            _, tag, size = pull(port, secret, trusting)

            def used() -> tuple[float, float]:
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write("\n")
                child.stdin.flush()
                seconds, kilobytes = child.stdout.readline().split()
                return float(seconds), float(kilobytes) / 1024

            print(
                f"{CONSUMERS:,} consumers, {ENTRIES:,} entries ({size:,} bytes), each {INTERVAL:g} s"
            )
            print(f"{'pull':<22}{'ms CPU':>8}{'% of a core':>13}{'MB':>7}")
            for name, headers, status in (
                ("304, by ETag", (f"If-None-Match: {tag}",), 304),
                ("200, gzip", ("Accept-Encoding: gzip",), 200),
                ("200, plain", (), 200),
            ):
                before, _ = used()
                for _ in range(PULLS):
                    assert pull(port, secret, trusting, *headers)[0] == status
                after, memory = used()
                each = (after - before) / PULLS
                share = 100 * each * CONSUMERS / INTERVAL
                over = "" if share < BAR else "  over the bar"
                print(f"{name:<22}{1000 * each:>8.2f}{share:>13.2f}{memory:>7.0f}{over}")
        finally:
            child.stdin.close()
            child.wait(60)
