"""
Fetching and reading 100,000 entries: CPU of our fetcher against `dig AXFR` in the same run.

Both take the same zone from the same Knot server in turns; what counts is user and system time
of the process that fetches, less what it costs to start it.  The bars: 3 times dig, with TSIG 5 times.
And since fetching shares the process with intake: how late timers come while it goes on in a thread.
"""

import base64
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 5
TICK = 0.002
LAG = """
import json, sys, time
from twisted.internet import reactor
from twisted.internet.task import LoopingCall, deferLater
import dns.message, dns.tsig
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.base.host_port import HostPort
from tscm.base.threads import Threads
name, port, tick = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
source = ListSource(name=name, servers=(HostPort("127.0.0.1", port),))
seen, threads = [], Threads(reactor, 1, "bench")
def note():
    seen.append(time.perf_counter())
def late():
    gaps = sorted(b - a - tick for a, b in zip(seen, seen[1:]))
    seen.clear()
    return [gaps[len(gaps) // 2], gaps[len(gaps) * 99 // 100], gaps[-1]]
async def run():
    threads.startService()
    LoopingCall(note).start(tick)
    await threads.run(fetch_list, source, None, 0.0)
    seen.clear()
    await deferLater(reactor, 1, lambda: None)
    idle = late()
    for _ in range(5):
        await threads.run(fetch_list, source, None, 0.0)
    print(json.dumps([idle, late()]))
    await threads.stopService()
    reactor.stop()
from twisted.internet.defer import Deferred
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()).addErrback(lambda f: (f.printTraceback(), reactor.stop())))
reactor.run()
"""
ENTRIES = 100_000
KEY = base64.b64encode(b"a key for the benchmark, 32 byte").decode()
SETUP = """
import json, resource, sys
from tscm.retrieve.sources import ListSource, fetch_list
from tscm.retrieve.tsig import TsigKey
from tscm.base.secrets import Secret
from tscm.base.host_port import HostPort
name, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
import dns.message, dns.tsig, dns.rdtypes.ANY.TSIG
source = ListSource(name=name, servers=(HostPort("127.0.0.1", port),),
                    tsig=TsigKey("list-key", Secret(key)) if key else None)
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before = spent()
found = fetch_list(source, None, 0.0)
used = spent() - before
# Not ru_maxrss: that one remembers the process which this one was forked from.
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(json.dumps([used, len(found.entries), peak]))
"""


def zones() -> dict[str, str]:
    """100,000 names with an A record each, and the same as APL records of 2,000."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.retrieve.name_servers import zone_text

    def address(n: int) -> str:
        return f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}"

    hosts = "".join(f"h{n} A {address(n)}\n" for n in range(ENTRIES))
    items = [f"1:{address(n)}/32" for n in range(ENTRIES)]
    packed = "".join(
        f"p{at} APL {' '.join(items[at : at + 2000])}\n" for at in range(0, ENTRIES, 2000)
    )
    return {
        "a.example": zone_text("a.example", 1, hosts),
        "apl.example": zone_text("apl.example", 1, packed),
    }


def child_cpu(run: Callable[[], object]) -> float:
    """CPU seconds of the child processes that *run* waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def dig(name: str, port: int, key: str) -> float:
    """CPU of `dig AXFR`, records thrown away."""
    signed = ["-y", f"hmac-sha256:list-key:{key}"] if key else []
    command = ["dig", "@127.0.0.1", "-p", str(port), name, "AXFR", *signed]
    return child_cpu(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def ours(name: str, port: int, key: str) -> tuple[float, int]:
    """CPU of fetching and reading in a process of its own, and its peak memory in KB."""
    told = subprocess.run(
        [sys.executable, "-c", SETUP, name, str(port), key], capture_output=True, check=True
    ).stdout
    seconds, entries, peak = json.loads(told)
    assert entries == ENTRIES
    return seconds, peak


def main() -> None:
    """Print the table; says so where the peers are absent."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for program in ("knotd", "dig"):
        if shutil.which(program) is None:
            print(f"needs {program}")
            return
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.retrieve.name_servers import knot

    print(f"CPU seconds, minimum / median of {ROUNDS} rounds; ratio of the minima")
    for key in ("", KEY):
        with (
            tempfile.TemporaryDirectory() as folder,
            knot(Path(folder), zones(), key=key) as port,
        ):
            time.sleep(1)
            for name, what in (("a.example", "A records"), ("apl.example", "APL of 2,000")):
                theirs, mine, peaks = [], [], []
                for _ in range(ROUNDS):
                    theirs.append(dig(name, port, key))
                    seconds, peak = ours(name, port, key)
                    mine.append(seconds)
                    peaks.append(peak)
                label = f"{what}{', TSIG' if key else ''}"
                print(
                    f"{label:22} dig {_two(theirs)}  tscm {_two(mine)}  ratio "
                    f"{min(mine) / min(theirs):.2f} (bar {5 if key else 3})  peak {max(peaks) // 1024} MB"
                )
            if not key:
                idle, busy = lateness("a.example", port)
                print(
                    f"a timer of {TICK * 1000:g} ms comes late by ms, median / 99 % / most, least of 3:"
                    f"  idle {_three(idle)}  while fetching {_three(busy)}"
                )


def lateness(name: str, port: int) -> list[list[float]]:
    """How late a timer of the reactor comes, idle and while lists are fetched in a thread."""
    rounds = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", LAG, name, str(port), str(TICK)],
                capture_output=True,
                check=True,
            ).stdout
        )
        for _ in range(3)
    ]
    return [
        [min(one[part][which] for one in rounds) * 1000 for which in range(3)] for part in (0, 1)
    ]


def _two(values: list[float]) -> str:
    return f"{min(values):.3f} / {sorted(values)[len(values) // 2]:.3f}"


def _three(values: list[float]) -> str:
    return " / ".join(f"{one:.1f}" for one in values)


if __name__ == "__main__":
    main()
