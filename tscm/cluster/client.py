"""
The library's client of NATS, held to what a manager may do; needs the package nats-py.
"""

import asyncio
from contextlib import suppress

from nats import errors
from nats.aio.client import Client

__all__ = ["SecuredClient", "errors"]

_CLOSE_SECONDS = 1.0


class SecuredClient(Client):
    """
    A client that, where *tls* is wanted, says nothing to a server that offers none.

    The library follows what the server announces before its certificate is seen: who stands between would be told
    the password in the clear.
    """

    def __init__(self, tls: bool) -> None:
        super().__init__()
        self._tls_wanted = tls

    def _connect_command(self) -> bytes:
        if self._tls_wanted and not self._server_info.get("tls_required"):
            raise errors.Error(
                "it offers no TLS; enable tls at the server, or set [cluster] tls = false"
            )
        return super()._connect_command()

    async def let_go(self) -> None:
        """
        Close within a second.

        The library first waits until the server has read what is pending: one that reads nothing would hold
        the socket, and those blocks, for ever.
        """
        with suppress(Exception):
            await asyncio.wait_for(self.close(), _CLOSE_SECONDS)
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()
