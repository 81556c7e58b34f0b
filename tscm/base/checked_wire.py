"""
Connections of httpx to addresses that were judged, and to those alone.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
from attrs import define

from tscm.base.watched_http import Wire
from tscm.errors import TscmError


@define(eq=False)
class AddressRefused(TscmError):
    """
    A host has an address that may not be asked.
    """

    host: str
    cause: str

    def __str__(self) -> str:
        return self.cause if self.cause.startswith(self.host) else f"{self.host}: {self.cause}"


@define(eq=False)
class CheckedWire(Wire):
    """
    Looks a name up once and connects to one of just those addresses; *refusal* gives why one is not asked.
    """

    refusal: Callable[[str, str], str | None]

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore.  Raises `AddressRefused`."""
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in rows))
        for one in addresses:
            if cause := self.refusal(host, one):
                raise AddressRefused(host, cause)
        fault: Exception = httpcore.ConnectError(f"{host} has no address")
        for one in addresses:
            try:
                return super().connect_tcp(one, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault
