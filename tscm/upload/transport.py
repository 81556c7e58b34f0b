"""
One HTTPS request and its answer, through a CONNECT proxy where one is set: blocking.

Every way in which it can fail on the road has words of its own; what an answer means is for the
receivers to say.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import define, frozen

from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.secrets import Secret
from tscm.upload.failure import (
    UploadFailed,
    proxy_broke,
    proxy_silent,
    proxy_unreached,
    proxy_words,
)

if TYPE_CHECKING:
    import httpx

    from tscm.base.watched_http import Wire

LEAST_RATE = 16 << 10
"""Bytes a second: an exchange whose content goes out more slowly is given up."""
_CHUNK = 64 << 10
_MOST_ANSWER = 64 << 10
_PROGRAMMERS = re.compile(r"^\[[^]]*\] |^_ssl\.c:[0-9]+: | ?\(_ssl\.c:[0-9]+\)")
"""What the libraries put around their causes."""


@define
class _Body:
    """The content in chunks, and whether it was taken to the end."""

    data: bytes
    whole: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self.data), _CHUNK):
            yield self.data[at : at + _CHUNK]
        self.whole = True


@frozen(kw_only=True)
class Reply:
    """
    What came back, its body cut at a bound.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@frozen
class Client:
    """
    A client of httpx, and the layer below that makes its connections.
    """

    http: "httpx.Client"
    wire: "Wire"


@frozen(kw_only=True)
class Way:
    """
    How a receiver is reached for one device.

    *name* is what the receiver is called in sentences.
    """

    url: str
    device: str
    name: str = "log service"
    ca_file: str | None = None
    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password: Secret | None = None
    timeout_seconds: float = 60.0

    @property
    def host(self) -> str:
        """Host and port of the receiver."""
        return urlsplit(self.url).netloc

    def bound(self, size: int) -> float:
        """
        Seconds for one whole exchange that carries *size* bytes: from the connection to the answer's end.
        """
        return 2 * self.timeout_seconds + size / LEAST_RATE

    @contextmanager
    def client(self) -> Iterator["Client"]:
        """A client for a few requests in a row.  Raises `UploadFailed`."""
        import httpx

        from tscm.base.watched_http import WatchedTransport, Wire

        try:
            tls = trusting(self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UploadFailed(
                self.device,
                f"cannot use CA file {self.ca_file}: {error}",
                "correct [upload] ca_file",
            ) from None
        proxy = None
        if self.proxy is not None:
            auth = None
            if self.proxy_user is not None:
                password = self.proxy_password.reveal() if self.proxy_password else ""
                auth = (self.proxy_user, password)
            proxy = httpx.Proxy(self.proxy, auth=auth)
        wire = Wire(CutOff())
        transport = WatchedTransport(wire, verify=tls, proxy=proxy)
        # trust_env off: a proxy or a CA out of the environment is no setting of ours
        with httpx.Client(
            transport=transport, trust_env=False, timeout=self.timeout_seconds
        ) as found:
            yield Client(found, wire)

    def exchange(
        self,
        client: "Client",
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes = b"",
    ) -> Reply:
        """One request and its answer, within `bound`.  Raises `UploadFailed`."""
        import httpx

        body = _Body(data)
        whole = {
            **headers,
            "Content-Length": str(len(data)),
            "Accept-Encoding": "identity",  # an answer that swells is not wanted
        }
        cut, seconds = client.wire.cut, self.bound(len(data))
        try:
            with cut.within(seconds):
                client.wire.begin()
                with client.http.stream(method, url, headers=whole, content=body) as response:
                    reply = Reply(
                        status=response.status_code,
                        headers=response.headers,
                        body=_read_some(response),
                    )
        except httpx.HTTPError as error:
            if cut.over:
                raise self._cut_off(client.wire, body, seconds) from None
            raise self._failed(error, body, client.wire) from error
        if cut.over:  # this side closed the connection, which may look like the end of a body
            raise self._cut_off(client.wire, body, seconds)
        return reply

    def _before_the_answer_to_connect(self, wire: "Wire") -> bool:
        return self.proxy is not None and self.url.startswith("https:") and not wire.secured

    def _cut_off(self, wire: "Wire", body: _Body, seconds: float) -> UploadFailed:
        if wire.cut.stopped:
            return UploadFailed(
                self.device,
                "it was interrupted because the manager is stopping or its settings changed",
                (
                    "no action is needed: the batch is resent under the same key, so it "
                    "cannot count twice"
                ),
            )
        if self._before_the_answer_to_connect(wire):
            return UploadFailed(self.device, *self._proxy_silent(wire, seconds))
        if body.whole:
            return UploadFailed(
                self.device,
                "the batch was sent but no complete response was received within "
                f"{seconds:.0f} s: the {self.name} may have stored it",
                "no action unless this persists: the batch is resent under the same key, "
                f"so it cannot count twice; then check the log of the {self.name}",
            )
        return UploadFailed(
            self.device,
            f"the batch could not be sent {self._way} within {seconds:.0f} s",
            f"check the log of the {self.name}; if the line itself carries less than "
            f"{LEAST_RATE >> 10} KB/s, lower [upload] max_batch_kb and raise "
            "timeout_seconds",
        )

    @property
    def _way(self) -> str:
        return f"through the proxy {self.proxy}" if self.proxy else f"at {self.host}"

    def _failed(self, error: "httpx.HTTPError", body: _Body, wire: "Wire") -> UploadFailed:
        import httpx

        if isinstance(error, httpx.ProxyError):
            return UploadFailed(self.device, *proxy_words(str(error)))
        if self._before_the_answer_to_connect(wire):
            return UploadFailed(self.device, *self._proxy_failed(error, wire))
        way = self._way
        untrusted = _cause(error, ssl.SSLCertVerificationError)
        if isinstance(untrusted, ssl.SSLCertVerificationError):
            return UploadFailed(
                self.device,
                f"the certificate of the {self.name} is not trusted: "
                f"{untrusted.verify_message.rstrip('.')}",  # OpenSSL ends some by a stop
                "check [upload] url and ca_file; another server may be answering in its place",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            if self.proxy is None and not wire.secured:
                what = f"the {self.name} {self.host} cannot be reached"
                remedy = "check that it is up, and whether a proxy is needed"
            else:
                what = f"TLS handshake with the {self.name} {self.host} failed"
                remedy = f"check the log of the {self.name}, and whether [upload] url has its port"
                if self.proxy is not None:
                    what = f"TLS handshake with the {self.name} {self.host} {way} failed"
                    remedy = (
                        "the proxy accepted the request, but returned no valid response from "
                        "the server; see its log"
                    )
            said = _PROGRAMMERS.sub("", str(error))
            return UploadFailed(self.device, f"{what} ({said})", remedy)
        if body.whole:
            return UploadFailed(
                self.device,
                f"no response to the batch was received; the {self.name} may have stored it",
                "no action is needed: it is resent under the same key, so it cannot count twice",
            )
        if isinstance(error, httpx.TimeoutException):
            return UploadFailed(
                self.device,
                f"the connection {way} was idle for {self.timeout_seconds:.0f} s",
                f"check the logs of the proxy and the {self.name}",
            )
        return UploadFailed(
            self.device,
            f"the connection {way} was closed while the batch was being sent",
            f"no action unless this persists; then see the logs of the proxy and the {self.name}",
        )

    def _proxy_failed(self, error: "httpx.HTTPError", wire: "Wire") -> tuple[str, str]:
        import httpx

        proxy = str(self.proxy)
        if isinstance(error, httpx.TimeoutException):
            return self._proxy_silent(wire, self.timeout_seconds)
        if not wire.connected:
            return proxy_unreached(proxy, str(error))
        return proxy_broke(proxy, garbage=not wire.is_http)

    def _proxy_silent(self, wire: "Wire", seconds: float) -> tuple[str, str]:
        proxy = str(self.proxy)
        if wire.connected and not wire.is_http:
            return proxy_broke(proxy, garbage=True)
        return proxy_silent(proxy, seconds, connected=wire.connected)


def _read_some(response: "httpx.Response") -> bytes:
    found = bytearray()
    for piece in response.iter_raw():
        found += piece
        if len(found) > _MOST_ANSWER:
            break
    return bytes(found)


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, kind):
            return at
        at = at.__cause__ or at.__context__
    return None
