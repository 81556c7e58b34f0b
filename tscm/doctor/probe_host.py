"""
What the host tells: disk, clock, limits of the kernel, sockets that can be bound.  Blocking.
"""

import ctypes
import ipaddress
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from attrs import frozen

from tscm.doctor.judge_node import Space
from tscm.doctor.probe_database import damage
from tscm.errors import ListenerUnavailable
from tscm.intake import sockets
from tscm.settings.node import Listen
from tscm.settings.owner import as_caller

_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
_TIMEX_BYTES = 208  # struct timex of Linux on 64 bits (adjtimex(2))
_STATUS_AT = 40
_UNSYNCHRONISED = 0x40


def free_space(folder: Path) -> Space:
    """Room under *folder*, or under what is there above it.  Raises `OSError`."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    found = os.statvfs(there)
    return Space(
        folder=str(folder),
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        files=found.f_favail if found.f_files else None,
    )


def synchronised() -> bool | None:
    """Does the kernel believe that its clock is kept right?  Asking needs no right."""
    try:
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
            return None
    except (OSError, AttributeError):
        return None
    status = ctypes.c_int.from_buffer(buffer, _STATUS_AT).value
    return not status & _UNSYNCHRONISED


def rmem_max() -> int | None:
    """`net.core.rmem_max`; None where there is no such thing."""
    try:
        return int(_RMEM_MAX.read_text("ascii"))
    except (OSError, ValueError):
        return None


@frozen(kw_only=True)
class Host:
    """
    The host as the doctor asks it; tests hand in other answers.
    """

    free_space: Callable[[Path], Space] = free_space
    synchronised: Callable[[], bool | None] = synchronised
    rmem_max: Callable[[], int | None] = rmem_max
    damage: Callable[[Path], str | None] = damage
    now: Callable[[], float] = time.time


HOST = Host()


def binding_faults(listen: Listen) -> list[str]:
    """
    Why a manager could not bind what *listen* names.  Only for while none runs: it binds and closes.
    """
    with as_caller():  # by root's rights, as a manager that root starts
        return list(_binding_faults(listen))


def _binding_faults(listen: Listen) -> Iterator[str]:
    for kind, places, bind in (
        ("udp", listen.udp, sockets.bind_udp),
        ("tcp", listen.tcp, sockets.bind_tcp),
        ("tls", listen.tls, sockets.bind_tcp),
    ):
        for place in places:
            try:
                bind(kind, place).close()
            except ListenerUnavailable as fault:
                if not sockets.no_such_family(fault):
                    yield f"{kind} {place}: {fault.cause}"


def plain_addresses(places: Iterable[str]) -> frozenset[str]:
    """Addresses out of `ADDRESS:PORT`, those that mean any address left out."""
    found = set()
    for place in places:
        text = place.rpartition(":")[0].strip("[]")
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if not address.is_unspecified:
            found.add(str(address))
    return frozenset(found)
