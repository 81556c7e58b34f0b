"""
Ports for servers that are started later, or again: nobody else gets them meanwhile.

A port that the kernel chose for a socket which is closed at once may be anybody's a moment later:
each connection on the machine takes one out of the same range.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

_FIRST, _END = 10_000, 65_536
FIXED = frozenset({15_140, 15_141, 15_353, 15_514, 16_443, 18_443})
"""Ports that stand in the settings of roots that earlier versions made: given to nobody else."""
_kept: list[int] = []
_turn = count()


def chosen_by_the_kernel() -> range:
    """The ports that the kernel hands out by itself."""
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return range(32_768, 61_000)
    return range(int(low), int(high) + 1)


def _candidates() -> Iterator[int]:
    taken = chosen_by_the_kernel()
    ports = [port for port in range(_FIRST, _END) if port not in taken]
    if len(ports) < 100:  # the kernel may choose nearly all: better than none
        ports = list(range(_FIRST, _END))
    ports = [port for port in ports if port not in FIXED]
    begin = os.getpid() * 97 + next(_turn)  # processes look in different places first
    return (ports[(begin + n) % len(ports)] for n in range(len(ports)))


def _is_free(port: int) -> bool:
    """Whether nobody has it, over TCP or UDP, on any address of either family."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as one:
                    if family == socket.AF_INET6:
                        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    one.bind((address, port))
            except OSError as error:
                if family == socket.AF_INET or error.errno == 98:  # EADDRINUSE; else no IPv6 here
                    return False
    return True


def _lock_of(port: int) -> int:
    folder = Path(tempfile.gettempdir(), f"tscm-test-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    return os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)


@contextmanager
def fixed_ports_held() -> Iterator[None]:
    """
    Keep the fixed ports meanwhile; waits while another test process has them, which is for one test.
    """
    with ExitStack() as locks:
        for port in sorted(FIXED):
            lock = _lock_of(port)
            locks.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def held_port() -> int:
    """
    A free port that stays this process's until it ends, among all test processes of this user.

    The kernel chooses it for nobody.  Whatever the test starts may bind it, several times over.
    """
    for port in _candidates():
        lock = _lock_of(port)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if _is_free(port):
            _kept.append(lock)
            return port
        os.close(lock)
    raise AssertionError("no port is free")
