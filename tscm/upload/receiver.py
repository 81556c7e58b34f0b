"""
The log service as the uploader meets it: one blocking call, through a CONNECT proxy where one is set.
"""

import gzip
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tscm import upload_format
from tscm.secrets import Secret
from tscm.settings.device import DeviceSettings
from tscm.settings.node import UploadSettings
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed, proxy_words

if TYPE_CHECKING:
    import httpx

_CHUNK = 64 << 10
_MOST_ANSWER = 64 << 10
_MOST_RETRY_AFTER = 3600.0
_ZSTD_LEVEL = 3
_GZIP_LEVEL = 6


@frozen(kw_only=True)
class Content:
    """
    What one request carries: *selected* lines, packed.
    """

    data: bytes = field(repr=False)
    lines: int
    plain_bytes: int


class Receiver(Protocol):
    """
    Where batches go.
    """

    def send(self, part: Part, content: Content) -> bool:
        """
        Hand over one batch; true when the receiver had it already.

        Blocking, with time-outs of its own, from any thread.  Raises `UploadFailed`.
        """


def pack(selected: bytes, lines: int, encoding: str) -> Content:
    """Blocking: *selected*, compressed in the same way whenever it is repeated."""
    if encoding == "zstd":
        import zstandard

        data = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(selected)
    elif encoding == "gzip":
        data = gzip.compress(selected, _GZIP_LEVEL, mtime=0)
    else:
        data = selected
    return Content(data=data, lines=lines, plain_bytes=len(selected))


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
class LogServiceReceiver:
    """
    The log service of one device (`tscm.upload_format`).
    """

    url: str
    device: str
    device_id: str
    device_key: Secret
    ca_file: str | None = None
    proxy: str | None = None
    proxy_user: str | None = None
    proxy_password: Secret | None = None
    timeout_seconds: float = 60.0

    def send(self, part: Part, content: Content) -> bool:
        """See `Receiver`."""
        import httpx

        headers = upload_format.request_headers(
            device_id=self.device_id,
            batch=part.key,
            start=part.start,
            end=part.end,
            lines=content.lines,
            content=content.data,
            encoding=part.encoding,
        )
        headers[upload_format.AUTHORIZATION] = upload_format.basic_credentials(
            self.device_id, self.device_key.reveal()
        )
        headers["Content-Length"] = str(len(content.data))
        headers["Accept-Encoding"] = "identity"
        body = _Body(content.data)
        try:
            with (
                self._client() as client,
                client.stream(
                    "POST", self.url + upload_format.PATH, headers=headers, content=body
                ) as response,
            ):
                found = _read_some(response)
                status, later = response.status_code, response.headers.get("Retry-After")
        except httpx.HTTPError as error:
            raise self._failed(error, body) from error
        answer = upload_format.read_answer(status, found, part.key)
        if answer.stored:
            return answer.known
        raise self._refused(status, answer.sentence, later)

    def _client(self) -> "httpx.Client":
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

    def _failed(self, error: "httpx.HTTPError", body: _Body) -> UploadFailed:
        import httpx

        if isinstance(error, httpx.ProxyError):
            return UploadFailed(self.device, *proxy_words(str(error)))
        way = f"through the proxy {self.proxy}" if self.proxy else f"at {self._host}"
        untrusted = _cause(error, ssl.SSLCertVerificationError)
        if isinstance(untrusted, ssl.SSLCertVerificationError):
            return UploadFailed(
                self.device,
                f"the certificate of the log service is not trusted: {untrusted.verify_message}",
                "check [upload] url and ca_file; something between may answer in its place",
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            if self.proxy is None:
                what = f"the log service {self._host} cannot be reached"
                remedy = "see whether it is up, and whether a proxy is needed"
            elif _cause(error, ssl.SSLError) or isinstance(error, httpx.ConnectTimeout):
                what = f"no TLS with the log service {self._host} {way}"
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
                "the batch was sent but no answer came: the log service may have stored it",
                "nothing to do: it goes again under the same key, so it cannot count twice",
            )
        if isinstance(error, httpx.TimeoutException):
            return UploadFailed(
                self.device,
                f"the connection {way} went silent for {self.timeout_seconds:.0f} s",
                "see the proxy's and the log service's logs",
            )
        return UploadFailed(
            self.device,
            f"the connection {way} was closed while the batch was being sent",
            "nothing to do unless it lasts: then see the proxy's and the log service's logs",
        )

    @property
    def _host(self) -> str:
        return urlsplit(self.url).netloc

    def _refused(self, status: int, sentence: str, later: str | None) -> UploadFailed:
        said = f"the log service said: {sentence} ({status})"
        if status == 413:
            return UploadFailed(self.device, said, "the batch is split", kind=Kind.SPLIT)
        if status == 415:
            return UploadFailed(self.device, said, "another is tried", kind=Kind.ENCODING)
        if status == upload_format.CONFLICT:
            return UploadFailed(self.device, said, "see the log service", kind=Kind.CONFLICT)
        if status in {401, 403}:
            return UploadFailed(
                self.device, said, "check the device ID and the device key (--upload_key)"
            )
        if status in {408, 425, 429} or status >= 500:
            return UploadFailed(
                self.device,
                said,
                "nothing to do unless it lasts",
                retry_after=upload_format.retry_after(later, _MOST_RETRY_AFTER),
            )
        if status in {400, 422}:
            return UploadFailed(
                self.device, said, "the batch is set aside if this lasts", kind=Kind.REFUSED
            )
        return UploadFailed(
            self.device, said, "this is no log service: check [upload] url and the proxy"
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


def receiver_of(device: DeviceSettings, upload: UploadSettings) -> LogServiceReceiver | None:
    """The log service of a device's settings; None where it sends no logs or none is set."""
    if not device.send_logs or upload.url is None:
        return None
    return LogServiceReceiver(
        url=upload.url,
        device=device.name,
        device_id=device.device_id,
        device_key=device.upload_key or Secret(""),
        ca_file=upload.ca_file,
        proxy=device.log_proxy,
        proxy_user=device.log_proxy_user,
        proxy_password=device.log_proxy_password,
        timeout_seconds=upload.timeout_seconds,
    )
