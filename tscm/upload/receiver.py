"""
The log service as the uploader meets it: one blocking call, through a CONNECT proxy where one is set.
"""

import gzip
from typing import Protocol

from attrs import field, frozen

from tscm import upload_format
from tscm.base.secrets import Secret
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.transport import Way

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

        Blocking, with a bound on the whole exchange, from any thread; a `Scope` that it is called in may cut
        it off.  Raises `UploadFailed`.
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


@frozen(kw_only=True)
class LogServiceReceiver:
    """
    The log service of one device (`tscm.upload_format`).
    """

    way: Way
    device_id: str
    device_key: Secret
    own: bool = False
    """The service in the manager's own process, which knows the manager by its key."""

    @property
    def account_remedy(self) -> str:
        """What to do where the service does not know the device."""
        device = self.way.device
        if self.own:
            return (
                f"the embedded services have no entry with device ID {self.device_id}: "
                "list the IDs with `tsadmin portal list`, set one with `tsadmin configure "
                f"{device} --device_id`, or create an entry with `tsadmin portal add`"
            )
        if not self.device_key:
            return (
                "no device key is set: set the one issued with device ID "
                f"{self.device_id} with `tsadmin configure {device} --upload_key -`"
            )
        return (
            f"check device ID {self.device_id} and its key; set another key with `tsadmin "
            f"configure {device} --upload_key -`"
        )

    def send(self, part: Part, content: Content) -> bool:
        """See `Receiver`."""
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
        with self.way.client() as client:
            url = self.way.url + upload_format.PATH
            reply = self.way.exchange(client, "POST", url, headers, content.data)
        answer = upload_format.read_answer(reply.status, reply.body, part.key)
        if answer.stored:
            return answer.known
        later = reply.headers.get(upload_format.RETRY_AFTER)
        raise self._refused(reply.status, answer.sentence, later)

    def _refused(self, status: int, sentence: str, later: str | None) -> UploadFailed:
        said = f"the log service returned: {sentence} ({status})"
        if status == 413:
            return UploadFailed(
                self.way.device, said, "the batch is split automatically", kind=Kind.SPLIT
            )
        if status == 415:
            return UploadFailed(
                self.way.device, said, "trying another encoding", kind=Kind.ENCODING
            )
        if status == upload_format.CONFLICT:
            return UploadFailed(self.way.device, said, "check the log service", kind=Kind.CONFLICT)
        if status in {401, 403}:
            return UploadFailed(self.way.device, said, self.account_remedy, kind=Kind.ACCOUNT)
        if status in {408, 425, 429} or status >= 500:
            return UploadFailed(
                self.way.device,
                said,
                (
                    "no action unless this persists for hours; then contact the operators of "
                    "the log service"
                ),
                retry_after=upload_format.retry_after(later, _MOST_RETRY_AFTER),
            )
        if status in {400, 422}:
            return UploadFailed(
                self.way.device, said, "if this persists, the batch is rejected", kind=Kind.REFUSED
            )
        return UploadFailed(
            self.way.device,
            said,
            "the server is not a log service; check [upload] url and the proxy",
        )
