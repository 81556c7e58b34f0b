"""
Batches as objects of an S3-compatible store, signed by hand (no SDK).

An object's name is made from the batch's key, so a repeat writes the same object again, with the
same content: nothing counts twice.  Each request names the SHA-256 of its content, which
the store checks.
"""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from attrs import field, frozen

from tscm.base.safe_files import read_private
from tscm.base.secrets import Secret
from tscm.upload.batch import Part
from tscm.upload.failure import Kind, UploadFailed
from tscm.upload.receiver import Content
from tscm.upload.signature import Credentials, signed
from tscm.upload.transport import Client, Reply, Way
from tscm.upload_format import retry_after

MIN_PART_BYTES = 5 << 20
"""S3 takes no smaller part but the last one."""
_SUFFIX = {"zstd": ".log.zst", "gzip": ".log.gz", "": ".log"}
_NO_SHA256 = hashlib.sha256(b"").hexdigest()
_MOST_RETRY_AFTER = 3600.0
_CLOCK_CODES = {"RequestTimeTooSkewed", "RequestExpired"}
_ACCESS_CODES = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


@frozen(kw_only=True)
class S3Receiver:
    """
    A bucket of an S3-compatible store, for one device: `PREFIX/DEVICE_ID/BATCH.log.zst`.

    *way.url* is the store's endpoint; the bucket stands in the path.  Above *multipart_bytes* an
    object goes in parts.  Without *credentials* they are read from *credentials_file* each time, so
    that keys may be changed under a running manager.
    """

    way: Way
    device_id: str
    bucket: str
    region: str = "us-east-1"
    credentials: Credentials | None = None
    credentials_file: str | None = None
    prefix: str = ""
    multipart_bytes: int = 16 << 20
    part_bytes: int = field(default=8 << 20)
    now: Callable[[], float] = field(default=time.time, eq=False)

    @part_bytes.validator
    def _part(self, _: object, value: int) -> None:
        if value < MIN_PART_BYTES:
            raise ValueError(f"{value} is too small for a part; allowed: {MIN_PART_BYTES} or more")

    def url_of(self, part: Part) -> str:
        """Where a batch lies."""
        name = "/".join(one for one in (self.prefix.strip("/"), self.device_id, part.key) if one)
        path = quote(f"/{self.bucket}/{name}{_SUFFIX[part.encoding]}", safe="/-_.~")
        return self.way.url.rstrip("/") + path

    def keys(self) -> Credentials:
        """Blocking: what requests are signed with.  Raises `UploadFailed`."""
        if self.credentials is not None:
            return self.credentials
        try:
            return read_credentials(Path(self.credentials_file or ""), self.region)
        except (OSError, ValueError) as error:
            raise UploadFailed(
                self.way.device,
                f"cannot read the keys of the store: {error}",
                "correct [upload] credentials_file",
            ) from None

    def send(self, part: Part, content: Content) -> bool:
        """See `Receiver`; a store does not say whether it had the object."""
        about = {
            "Content-Type": "application/octet-stream",
            "X-Amz-Meta-Lines": str(content.lines),
            "X-Amz-Meta-Range": f"{part.start}-{part.end}",
            "X-Amz-Meta-Device-Id": self.device_id,
        }
        url = self.url_of(part)
        with self.way.client() as client:
            if len(content.data) <= self.multipart_bytes:
                self._ask(client, "PUT", url, about, content.data)
            else:
                self._in_parts(client, url, about, content.data)
        return False

    def _in_parts(self, client: Client, url: str, about: dict[str, str], data: bytes) -> None:
        """Multipart upload; an upload that fails is given up, so that its parts cost nothing."""
        begun = self._ask(client, "POST", f"{url}?uploads=", about)
        upload = _element(begun.body, "UploadId")
        if not upload:
            raise self._odd("no UploadId in the response")
        name = quote(upload, safe="-_.~")
        try:
            tags: list[str] = []
            for at in range(0, len(data), self.part_bytes):
                number = len(tags) + 1
                reply = self._ask(
                    client,
                    "PUT",
                    f"{url}?partNumber={number}&uploadId={name}",
                    {},
                    data[at : at + self.part_bytes],
                )
                tags.append(reply.headers.get("ETag", ""))
            parts = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
                for number, tag in enumerate(tags, 1)
            )
            whole = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            done = self._ask(client, "POST", f"{url}?uploadId={name}", {}, whole)
            # The store may fail after it has answered 200 already.
            if b"<Error>" in done.body or b"<ETag>" not in done.body:
                raise self._odd(
                    _element(done.body, "Message") or "the multipart upload was not completed"
                )
        except UploadFailed:
            self._give_up(client, f"{url}?uploadId={name}")
            raise

    def _give_up(self, client: Client, url: str) -> None:
        try:
            self._ask(client, "DELETE", url, {})
        except UploadFailed:
            return  # the store's own rule for unfinished uploads has to do it

    def _ask(
        self,
        client: Client,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes = b"",
    ) -> Reply:
        digest = hashlib.sha256(data).hexdigest() if data else _NO_SHA256
        whole = signed(method, url, headers, digest, credentials=self.keys(), now=self.now())
        reply = self.way.exchange(client, method, url, whole, data)
        if 200 <= reply.status < 300:
            return reply
        raise self._refused(reply)

    def _odd(self, what: str) -> UploadFailed:
        return UploadFailed(
            self.way.device,
            f"the store returned: {what[:300]}",
            "check that [upload] url is a store",
        )

    def _refused(self, reply: Reply) -> UploadFailed:
        """What an answer means (Amazon S3 API reference, error responses)."""
        device, status = self.way.device, reply.status
        code = _element(reply.body, "Code")
        said = _element(reply.body, "Message") or code or "no details"
        cause = f"the store returned: {said[:300]} ({status}{f' {code}' if code else ''})"
        if code == "EntityTooLarge" or status == 413:
            return UploadFailed(device, cause, "the batch is split automatically", kind=Kind.SPLIT)
        if code in _CLOCK_CODES:
            return UploadFailed(device, cause, "set this host's clock: see `timedatectl`")
        if code in _ACCESS_CODES or status in {401, 403}:
            return UploadFailed(
                device,
                cause,
                "check access key, secret key and region, and the bucket's policy",
                kind=Kind.ACCOUNT,
            )
        if code == "NoSuchBucket":
            return UploadFailed(device, cause, f"create bucket {self.bucket}, or set another")
        if status in {301, 307}:
            return UploadFailed(device, cause, "the bucket is in another region; set that region")
        if status in {408, 429} or status >= 500:
            later = retry_after(reply.headers.get("Retry-After"), _MOST_RETRY_AFTER)
            return UploadFailed(
                device,
                cause,
                (
                    "no action unless this persists for hours; then contact the operators of "
                    "the store"
                ),
                retry_after=later,
            )
        if status == 400:
            return UploadFailed(
                device, cause, "if this persists, the batch is rejected", kind=Kind.REFUSED
            )
        return UploadFailed(device, cause, "check that [upload] url is a store")


def read_credentials(path: Path, region: str) -> Credentials:
    """
    Blocking: keys out of a file in the form that the tools of Amazon use.

    Raises `OSError`, also for a file that others can read, and `ValueError` where it holds no keys.
    """
    text = read_private(path).decode("utf-8", "replace")
    found = dict(re.findall(r"(?m)^\s*(aws_\w+)\s*=\s*(\S+)\s*$", text))
    try:
        return Credentials(
            access_key=found["aws_access_key_id"],
            secret_key=Secret(found["aws_secret_access_key"]),
            region=region,
        )
    except KeyError as missing:
        raise ValueError(f"{path} holds no {missing.args[0]}") from None


def _element(body: bytes, name: str) -> str:
    """The text of the first element *name*: all that is wanted of the store's XML."""
    found = re.search(rf"<{name}>([^<]{{0,2000}})</{name}>".encode(), body)
    return found[1].decode("utf-8", "replace") if found else ""
