"""
The connection of a manager to the servers of its cluster; for the event loop of one thread.

A server that is stopped leaves its connections open, so silence ends one: the next request makes another, to any of
the servers.  Nothing reconnects behind our back.
"""

import asyncio
import ssl
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tscm.base.host_port import HostPort
from tscm.cluster.answers import Found, Held, OutOfStep, Stored, found, published
from tscm.printable import visible
from tscm.settings.cluster import ClusterSettings
from tscm.settings.layout import Layout
from tscm.settings.secret_file import SecretFileFaulty, read_secret

if TYPE_CHECKING:
    from tscm.cluster.client import SecuredClient

STREAM = "LINES"
ANSWER_SECONDS = 2.0
CONNECT_SECONDS = 2
ASK_SECONDS = 0.5
"""For an answer of the JetStream API: while a stream has no leader there is none, and it is asked again."""
_API_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
MISSING = "cannot be used: the package nats-py is missing; install tscm[cluster]"
_SHOWN = 200


def _library() -> ModuleType | None:
    try:
        from tscm.cluster import client
    except ImportError:
        return None
    return client


@define(eq=False)
class Connection:
    """
    Requests to the servers.  Every method is a coroutine of the same event loop, and none raises what is foreseen.
    """

    _cluster: ClusterSettings
    _layout: Layout
    _inbox: str
    _library: ModuleType | None = field(factory=_library, init=False)
    """Loaded with the connection, for an upgrade may replace its files later."""
    _client: "SecuredClient | None" = field(default=None, init=False)
    _connecting: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _held: Held = field(default=Held("was not asked yet"), init=False)
    _again_at: float = field(default=0.0, init=False)
    """Until then the last attempt to connect stands for every log's."""
    _turn: int = field(default=0, init=False)
    _fault: Exception | None = field(default=None, init=False)
    """What the library told of the connection that is being made."""
    _said: str = field(default="", init=False)
    """What the server told last besides answers: it says there that a permission is missing."""
    most_bytes: int = field(default=0, init=False)
    """Of a message, as the server told; 0 before the first connection."""

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str]
    ) -> Stored | OutOfStep | Held:
        """Publish a block and wait for its acknowledgement."""
        answer = await self._request(subject, payload, headers, ANSWER_SECONDS)
        return answer if isinstance(answer, Held) else published(answer.data)

    async def last(self, subject: str) -> Found | Held:
        """The newest message of a log."""
        answer = await self._request(
            f"$JS.API.DIRECT.GET.{STREAM}.{subject}", b"", None, ASK_SECONDS
        )
        return answer if isinstance(answer, Held) else found(answer.headers)

    async def api(self, name: str, request: bytes = b"") -> bytes | Held:
        """An answer of JetStream's API of streams: `INFO`, `CREATE`, `UPDATE`."""
        answer = await self._request(f"$JS.API.STREAM.{name}.{STREAM}", request, None, _API_SECONDS)
        return answer if isinstance(answer, Held) else bytes(answer.data)

    async def close(self) -> None:
        """Let the connection go."""
        client, self._client = self._client, None
        if client is not None:
            await client.let_go()

    async def _request(
        self, subject: str, payload: bytes, headers: dict[str, str] | None, seconds: float
    ) -> Any:
        """The answer, or `Held`."""
        if self._library is None:
            return Held(MISSING)
        errors = self._library.errors
        client = await self._connected()
        if isinstance(client, Held):
            return client
        if self.most_bytes and len(payload) + 1024 > self.most_bytes:
            return Held(
                f"takes messages of {self.most_bytes:,} bytes and a block has {len(payload):,}; "
                "raise max_payload at its servers"
            )
        self._said = ""
        try:
            # The library bounds the wait for the answer, and not the wait until the server reads the request.
            async with asyncio.timeout(seconds):
                return await client.request(subject, payload, timeout=seconds, headers=headers)
        except errors.NoRespondersError:
            return Held(
                f"has no stream {STREAM}, or no leader for it at present; if this lasts, check its servers "
                "and run `tsadmin cluster init`"
            )
        except (TimeoutError, errors.TimeoutError):
            if self._client is client and seconds >= ANSWER_SECONDS:
                await self.close()
            if self._said:
                return Held(f"refuses this manager: {self._said}")
            return Held(f"gave no answer within {seconds:g} s")
        except (errors.Error, OSError) as error:
            if self._client is client:
                await self.close()
            return Held(f"lost the connection: {_told(error)}")

    async def _connected(self) -> "SecuredClient | Held":
        async with self._connecting:
            if self._client is not None and self._client.is_connected:
                return self._client
            if (
                time.monotonic() < self._again_at
            ):  # while this one waited for the attempt of another
                return self._held
            await self.close()
            made = await self._connect()
            if isinstance(made, Held):
                self._held, self._again_at = made, time.monotonic() + _PAUSE_SECONDS
            else:
                self._client = made
                self.most_bytes = made.max_payload
            return made

    async def _connect(self) -> "SecuredClient | Held":
        """To the first server that takes us, beginning behind the one of last time."""
        cluster = self._cluster
        if cluster.user is not None and cluster.secret_file is None:
            return Held("cannot be used: [cluster] user requires secret_file")
        account: dict[str, str] = {}
        try:
            if cluster.secret_file is not None and cluster.user is not None:
                secret = read_secret(
                    Path(cluster.secret_file),
                    "cluster.secret",
                    self._layout,
                    "[cluster] secret_file",
                )
                account = {"user": cluster.user, "password": secret.reveal()}
            context = ssl.create_default_context(cafile=cluster.ca_file) if cluster.tls else None
        except SecretFileFaulty as error:
            return Held(f"cannot be used: {error}")
        except OSError as error:
            cause = error.strerror or "it holds no certificate"
            return Held(f"cannot be used: ca_file {cluster.ca_file}: {cause}")
        held = Held("has no servers; set [cluster] servers")
        for _ in cluster.servers:
            server = cluster.servers[self._turn % len(cluster.servers)]
            self._turn += 1
            made = await self._connect_to(server, context, account)
            if not isinstance(made, Held):
                return made
            held = made
        return held

    async def _connect_to(
        self, server: HostPort, context: ssl.SSLContext | None, account: dict[str, str]
    ) -> "SecuredClient | Held":
        assert self._library is not None
        client: SecuredClient = self._library.SecuredClient(tls=context is not None)
        self._fault = None
        try:
            await asyncio.wait_for(
                client.connect(
                    [f"{'nats' if context is None else 'tls'}://{server}"],
                    name="tscm",
                    tls=context,
                    inbox_prefix=self._inbox,
                    error_cb=self._error,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_SECONDS,
                    ping_interval=2,
                    **account,  # type: ignore[arg-type]
                ),
                2 * CONNECT_SECONDS,
            )
        except Exception as error:  # noqa: BLE001 - a foreign server may say anything; it is told, and tried again
            await client.let_go()
            return Held(f"cannot be reached: {server}: {_told(self._fault or error)}")
        return client

    async def _error(self, error: Exception) -> None:
        self._fault = error
        text = _told(error)
        if "permissions violation" in text.lower():
            self._said = text


def _told(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return visible(" ".join(str(error).split())[:_SHOWN]) or type(error).__name__
