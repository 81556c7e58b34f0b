"""
One HTTPS request and its answer, through a CONNECT proxy where one is set: blocking.

Every way in which it can fail on the road has words of its own; what an answer means is for the
receivers to say.
"""

import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import define, frozen

from tscm.secrets import Secret
from tscm.upload.failure import UploadFailed, proxy_words

if TYPE_CHECKING:
    import httpx

_CHUNK = 64 << 10
_MOST_ANSWER = 64 << 10


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

    def client(self) -> "httpx.Client":
        """A client for a few requests in a row.  Raises `UploadFailed`."""
        import httpx

        try:
            tls = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UploadFailed(
                self.device,
                f"the CA file {self.ca_file} cannot be used: {error}",
                "correct [upload] ca_file",
            ) from None
        proxy = None
        if self.proxy is not None:
            auth = None
            if self.proxy_user is not None:
                password = self.proxy_password.reveal() if self.proxy_password else ""
                auth = (self.proxy_user, password)
            proxy = httpx.Proxy(self.proxy, auth=auth)
        # trust_env off: a proxy or a CA out of the environment is no setting of ours
        return httpx.Client(verify=tls, proxy=proxy, trust_env=False, timeout=self.timeout_seconds)

    def exchange(
        self,
        client: "httpx.Client",
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes = b"",
    ) -> Reply:
        """One request and its answer.  Raises `UploadFailed`."""
        import httpx

        body = _Body(data)
        whole = {
            **headers,
            "Content-Length": str(len(data)),
            "Accept-Encoding": "identity",  # an answer that swells is not wanted
        }
        try:
            with client.stream(method, url, headers=whole, content=body) as response:
                return Reply(
                    status=response.status_code,
                    headers=response.headers,
                    body=_read_some(response),
                )
        except httpx.HTTPError as error:
            raise self._failed(error, body) from error

    def _failed(self, error: "httpx.HTTPError", body: _Body) -> UploadFailed:
        import httpx

        if isinstance(error, httpx.ProxyError):
            return UploadFailed(self.device, *proxy_words(str(error)))
        way = f"through the proxy {self.proxy}" if self.proxy else f"at {self.host}"
        untrusted = _cause(error, ssl.SSLCertVerificationError)
        if isinstance(untrusted, ssl.SSLCertVerificationError):
            return UploadFailed(
                self.device,
                f"the certificate of the {self.name} is not trusted: "
                f"{untrusted.verify_message.rstrip('.')}",  # OpenSSL ends some by a stop
                "check [upload] url and ca_file; something between may answer in its place",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            if self.proxy is None:
                what = f"the {self.name} {self.host} cannot be reached"
                remedy = "see whether it is up, and whether a proxy is needed"
            elif _cause(error, ssl.SSLError) or isinstance(error, httpx.ConnectTimeout):
                what = f"no TLS with the {self.name} {self.host} {way}"
                remedy = (
                    "the proxy took the request, but nothing sensible came behind it: see its log"
                )
            else:
                what = f"the log upload proxy {self.proxy} cannot be reached"
                remedy = "see whether it is up, and check --log_proxy"
            return UploadFailed(self.device, f"{what} ({error})", remedy)
        if body.whole:
            return UploadFailed(
                self.device,
                f"the batch was sent but no answer came: the {self.name} may have stored it",
                "nothing to do: it goes again under the same key, so it cannot count twice",
            )
        if isinstance(error, httpx.TimeoutException):
            return UploadFailed(
                self.device,
                f"the connection {way} went silent for {self.timeout_seconds:.0f} s",
                f"see the proxy's and the {self.name}'s logs",
            )
        return UploadFailed(
            self.device,
            f"the connection {way} was closed while the batch was being sent",
            f"nothing to do unless it lasts: then see the proxy's and the {self.name}'s logs",
        )


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
