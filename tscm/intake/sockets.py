"""
Sockets as intake wants them: bound without a surprise, their buffers raised, their losses read.
"""

import errno
import os
import resource
import socket
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import define, field, frozen

from tscm.base.host_port import HostPort
from tscm.errors import ListenerUnavailable
from tscm.intake.systemd import Inherited

_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_BACKLOG = 4096


def bind_udp(
    listener: str, address: HostPort, *, reuse: bool = False, dual: bool = False
) -> socket.socket:
    """
    A UDP socket on *address*; raises `ListenerUnavailable`.

    *reuse*: it shares the port with others of this process (`claim_udp`).  *dual*: an IPv6 socket
    takes IPv4 too.
    """
    return _bound(listener, address, socket.SOCK_DGRAM, reuse=reuse, dual=dual)


def claim_udp(listener: str, address: HostPort, *, dual: bool = False) -> HostPort:
    """
    See that no process holds a UDP port that several sockets are to share; gives it, chosen where it is 0.

    With SO_REUSEPORT the kernel lets every process of one user join, each then hears a part, and none
    says so.  Raises `ListenerUnavailable`.
    """
    with bind_udp(listener, address, dual=dual) as alone:
        return place_of(alone)


def refuse_sharing(listener: str, place: HostPort, ours: Sequence[int]) -> None:
    """
    See that only *ours* (descriptors) are bound to *place*: two processes may have claimed it in the same moment.

    Raises `ListenerUnavailable`; where the kernel does not tell, it does nothing.
    """
    inodes = {os.fstat(one).st_ino for one in ours}
    local = _as_in_proc(place)
    table = Path("/proc/net/udp6" if ":" in place.host else "/proc/net/udp")
    try:
        rows = [row.split() for row in table.read_text("ascii").splitlines()[1:]]
    except OSError:
        return
    if any(row[1] == local and int(row[9]) not in inodes for row in rows):
        raise ListenerUnavailable(
            listener,
            str(place),
            "another process of this user receives part of the data sent there",
        )


def _as_in_proc(place: HostPort) -> str:
    """How /proc/net/udp writes an address: words of four octets in the host's order."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    packed = socket.inet_pton(family, place.host.partition("%")[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{place.port or 0:04X}"


def bind_tcp(listener: str, address: HostPort, *, dual: bool = False) -> socket.socket:
    """A listening TCP socket on *address*; raises `ListenerUnavailable`."""
    bound = _bound(listener, address, socket.SOCK_STREAM, reuse=False, dual=dual)
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ListenerUnavailable(listener, str(address), _cause(error)) from None
    return bound


def takes_ipv4(address: HostPort, beside: Iterable[HostPort]) -> bool:
    """
    Whether `[::]` may take IPv4 too: only where no IPv4 address *beside* it has its port.
    """
    if address.host != "::":
        return False
    return not any(":" not in one.host and one.port == address.port for one in beside if one.port)


def _bound(
    listener: str, address: HostPort, kind: int, *, reuse: bool, dual: bool
) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound: socket.socket | None = None
    try:
        bound = socket.socket(family, kind)
        bound.setblocking(False)
        if family == socket.AF_INET6:
            # Else net.ipv6.bindv6only decides.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((address.host, address.port or 0))
    except OSError as error:
        if bound is not None:
            bound.close()
        raise ListenerUnavailable(listener, str(address), _cause(error)) from error
    return bound


def _cause(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def take_inherited(
    held: list[Inherited], address: HostPort, kind: socket.SocketKind
) -> socket.socket | None:
    """
    The socket that systemd holds for *address*, taken out of *held*; None where there is none.
    """
    for one in held:
        if is_listener(one) and _is_for(one.fd, address, kind):
            held.remove(one)
            taken = socket.socket(fileno=one.fd)
            taken.setblocking(False)
            return taken
    return None


def is_listener(held: Inherited) -> bool:
    """Whether *held* is a socket to listen on, and no connection or memory file."""
    return not held.name.startswith("tscm-stream")


def _is_for(fd: int, address: HostPort, kind: socket.SocketKind) -> bool:
    try:
        seen = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with seen:
        if seen.family not in (socket.AF_INET, socket.AF_INET6) or seen.type != kind:
            return False
        return place_of(seen) == address


def allow_descriptors(wanted: int) -> int:
    """
    Raise the process's bound on open files towards *wanted*; gives the bound reached.

    The usual soft bound of 1,024 is less than the connections that the settings allow.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < reached:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
        return reached
    return soft


def no_such_family(fault: ListenerUnavailable) -> bool:
    """Whether the machine has no IPv6 at all, so that `[::]` cannot be meant."""
    cause = fault.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def place_of(bound: socket.socket) -> HostPort:
    """Where *bound* listens, the kernel's choice of a port included."""
    host, port = bound.getsockname()[:2]
    return HostPort(host, port)


@frozen
class ReceiveBuffer:
    """What was *asked* for and what was *reached*, in bytes of the setting."""

    asked: int
    reached: int

    @property
    def hint(self) -> str | None:
        """What to do where the kernel gave less."""
        if self.reached >= self.asked:
            return None
        return f"run sysctl -w net.core.rmem_max={self.asked}, or grant the process CAP_NET_ADMIN"


def raise_buffer(bound: socket.socket, asked: int) -> ReceiveBuffer:
    """Ask for a receive buffer, past the system's bound where the process may."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            bound.setsockopt(socket.SOL_SOCKET, option, asked)
            break
        except OSError:
            continue
    # Linux doubles what is asked, to make room for its own book-keeping.
    return ReceiveBuffer(asked, bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2)


@define(eq=False)
class KernelDrops:
    """
    Datagrams that the kernel dropped since the socket was opened: its buffer was full.

    Read from the socket itself (SO_MEMINFO, Linux 4.12); the kernel's count has 32 bits and
    is carried on here.  None where the kernel does not tell.
    """

    _socket: socket.socket
    _total: int | None = field(default=None, init=False)
    _last: int = field(default=0, init=False)

    def count(self) -> int | None:
        """The count by now; after `close`, the last one."""
        if self._socket.fileno() >= 0:
            try:
                raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
                now = struct.unpack_from("I", raw, 4 * _MEMINFO_DROPS)[0]
            except (OSError, struct.error):
                return self._total
            self._total = (self._total or 0) + (now - self._last) % (1 << 32)
            self._last = now
        return self._total

    def close(self) -> None:
        """Take the count a last time, before the socket goes."""
        self.count()
