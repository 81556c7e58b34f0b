"""
Feeds at their limits: what reading the worst of them costs the manager.

Each shape is 62 MiB, or as many entries as are taken, and comes packed in a file, as a publisher
would send it.  A fresh process fetches it in a thread of the pool; memory is what that process takes
more than it had before, and lateness is how late a timer of its reactor came meanwhile.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SIZE = 62 << 20
ENTRIES = 990_000
MEMORY_MB, SECONDS = 200, 10.0
CHILD = """
import json, sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from tscm.errors import ListUnavailable
from tscm.policy.feed_formats import Shape
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import fetch_feed
from tscm.retrieve.sources import FEED_BYTES
from tscm.retrieve.stream import Limits
from tscm.base.threads import Threads
import httpx, zlib
url, form, pick = sys.argv[1:]
limits = Limits(max_bytes=FEED_BYTES, max_entries=1_000_000, whole_seconds=300)
source = FeedSource(name="f.example", url=url, shape=Shape(format=form, pick=pick), limits=limits)
threads, seen = Threads(reactor, 1, "bench"), []
def status(key):
    with open("/proc/self/status", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith(key)) / 1024
def fetch():
    before = time.thread_time()
    try:
        said = f"{len(fetch_feed(source, None, 0.0).entries):,} entries"
    except ListUnavailable as error:
        said = error.cause
    return time.thread_time() - before, said
async def run():
    threads.startService()
    LoopingCall(lambda: seen.append(time.perf_counter())).start(0.01)
    before = status("VmRSS:")
    seconds, said = await threads.run(fetch)
    late = max([b - a - 0.01 for a, b in zip(seen, seen[1:])], default=0.0)
    print(json.dumps([seconds, status("VmHWM:") - before, late, said]))
    await threads.stopService()
    reactor.stop()
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()).addErrback(lambda f: (f.printTraceback(), reactor.stop())))
reactor.run()
"""


def _hosts() -> bytes:
    return b"".join(
        b"%d.%d.%d.1\n" % (20 + (n >> 16), n >> 8 & 255, n & 255) for n in range(ENTRIES)
    )


def _networks() -> bytes:
    return b"".join(b"2001:%x:%x::/48\n" % (n >> 16, n & 65535) for n in range(ENTRIES))


def _prefixes() -> bytes:
    records = b",".join(
        b'{"ip_prefix": "%d.%d.%d.0/24", "region": "ap-northeast-2", "service": "X", "group": "a"}'
        % (20 + (n >> 16), n >> 8 & 255, n & 255)
        for n in range(600_000)
    )
    return b'{"token": "1", "prefixes": [' + records + b"]}"


def _repeated(begin: bytes, piece: bytes, end: bytes = b"") -> Callable[[], bytes]:
    return lambda: begin + piece * ((SIZE - len(begin) - len(end)) // len(piece)) + end


SHAPES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "hosts": (_hosts, "cidr", ""),
    "IPv6 networks": (_networks, "cidr", ""),
    "600,000 objects": (_prefixes, "json", "prefixes.*.ip_prefix"),
    "lines that are none": (_repeated(b"", b"1.\n"), "cidr", ""),
    "one line": (_repeated(b"", b"1."), "cidr", ""),
    "blank lines": (_repeated(b"", b"\n"), "cidr", ""),
    "columns": (_repeated(b"ip", b",a"), "csv", "ip"),
    "a quote left open": (_repeated(b'ip\n"', b"a\n"), "csv", "ip"),
    "JSON nested deep": (_repeated(b"", b"["), "json", "a"),
    "empty lists": (_repeated(b"[", b"[],", b"1]"), "json", "*"),
    "lists beside the path": (_repeated(b'{"b":[', b"[[]],", b'1],"a":1}'), "json", "a"),
    "numbers": (_repeated(b"[", b"1,", b"1]"), "json", "*"),
    "one number": (_repeated(b"[", b"1", b"]"), "json", "*"),
    "one key": (_repeated(b"{", b'"a":1,', b'"a":1}'), "json", "a"),
    "another key": (_repeated(b"{", b'"a":1,', b'"a":1}'), "json", "b"),
}


def main() -> None:
    """Print the table; end with status 1 where a bar is broken."""
    broken = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feed.gz"
        for name, (content, form, pick) in SHAPES.items():
            file.write_bytes(gzip.compress(content(), 1))
            told = subprocess.run(
                [sys.executable, "-c", CHILD, file.as_uri(), form, pick],
                capture_output=True,
                check=True,
            ).stdout
            seconds, memory, late, said = json.loads(told)
            print(
                f"{name:22} CPU {seconds:5.2f} s  {memory:4.0f} MB more  "
                f"a timer {late * 1000:4.0f} ms late at most  {said}"
            )
            if memory >= MEMORY_MB or seconds >= SECONDS:
                broken.append(name)
    held = f"under {MEMORY_MB} MB more and {SECONDS:g} s of the processor for each"
    print(f"BROKEN {held}: {', '.join(broken)}" if broken else f"held   {held}")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
