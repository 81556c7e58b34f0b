"""
Binding on every address of a setting, or on none: for the services that Twisted's ports serve.
"""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from tscm.base.host_port import HostPort
from tscm.errors import ListenerUnavailable

_log = Logger()

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

    A peer that makes TLS answer without end is disconnected; the first, the second, the fourth, … are told.
    """
    from tscm.base.tls_answers import TlsFactory, answering

    count = 0

    def flooded(connection: Any) -> None:
        nonlocal count
        count += 1
        if count.bit_count() == 1:
            _log.warn(
                "{listener}: {host} made TLS respond without end (KeyUpdate or "
                "renegotiation) and was disconnected: {count} connections so far",
                listener=type(factory).__name__,
                host=getattr(connection.getPeer(), "host", "this host"),
                count=count,
            )

    made = TlsFactory(options, False, factory)
    made.protocol = answering(flooded)
    return made
