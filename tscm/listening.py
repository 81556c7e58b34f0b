"""
Binding on every address of a setting, or on none: for the services that Twisted's ports serve.
"""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from tscm.errors import ListenerUnavailable
from tscm.settings.values import HostPort

MOST_UNSENT = 256 << 10

Listen = Callable[[int, str], Any]
"""Binds on a port (0: the kernel chooses) of an interface; raises `CannotListenError`."""


def bind_all(listen: Listen, addresses: Iterable[HostPort], purpose: str) -> list[IListeningPort]:
    """
    A port for each of *addresses*.  Raises `ListenerUnavailable` for *purpose*, with nothing bound.
    """
    ports: list[IListeningPort] = []
    for where in addresses:
        try:
            ports.append(listen(where.port or 0, where.host))
        except CannotListenError as error:
            for bound in ports:
                bound.stopListening()
            cause = error.socketError.strerror or str(error.socketError)
            raise ListenerUnavailable(purpose, str(where), cause) from None
    return ports


def places_of(ports: Iterable[IListeningPort]) -> list[str]:
    """The bound addresses, with the ports that the kernel chose."""
    bound = (port.getHost() for port in ports)
    return [str(HostPort(at.host, at.port)) for at in bound]  # type: ignore[attr-defined]


def tls_factory(options: Any, factory: Any) -> Any:
    """
    What listens over TLS and hands *factory* what comes; *options* as Twisted's `listenSSL` takes them.

    Where *factory* turns a connection away, Twisted's own would wrap nothing and fail.  A peer that goes on
    sending while it leaves `MOST_UNSENT` of ours unread is cut off: TLS answers each KeyUpdate (RFC 8446,
    4.6.3), and would keep the answers without bound.
    """
    from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

    class WrappedProtocol(TLSMemoryBIOProtocol):
        def dataReceived(self, data: bytes) -> None:
            if unsent_octets(self.transport) > MOST_UNSENT:
                self.abortConnection()
            else:
                super().dataReceived(data)

    class Wrapped(TLSMemoryBIOFactory):
        noisy = False
        protocol = WrappedProtocol

        def buildProtocol(self, addr: Any) -> Any:
            inner = self.wrappedFactory.buildProtocol(addr)
            return None if inner is None else self.protocol(self, inner)

    return Wrapped(options, False, factory)


def unsent_octets(transport: Any) -> int:
    """What waits in one of Twisted's TCP connections for the peer to read."""
    waiting = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return waiting + int(getattr(transport, "_tempDataLen", 0))
