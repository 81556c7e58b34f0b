"""
One upload on its way in: judged by its headers, its content written to a file as it comes.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request

from tscm import upload_format
from tscm.base import http_gate
from tscm.services.upload_channel import UploadChannel
from tscm.services.uploads import TEMPORARY, uploads_folder
from tscm.upload_format import BatchHead

_RETRY_SECONDS = "5"


@define
class Refusal:
    """
    Why an upload is not taken, as the answer tells it.
    """

    status: int
    sentence: str
    later: bool = False


class Keeper(Protocol):
    """
    What a request needs of the log service.
    """

    log: Logger
    portal: Path
    max_content: int

    def judge(self, request: "UploadRequest", length: int | None) -> BatchHead | Refusal:
        """By the headers alone: what will be uploaded, or why not."""

    async def consider(self, request: "UploadRequest", refusal: Refusal) -> Refusal:
        """*refusal* as it is to be told."""

    def begin(self, device_id: str, length: int) -> None:
        """A content of so many bytes at most is being taken."""

    def end(self, device_id: str, length: int) -> None:
        """No more of it is."""

    async def answer(self, request: "UploadRequest") -> None:
        """Decide about a request whose content has come."""

    def disk_failed(self, error: OSError) -> None:
        """Say that the disk did not take something."""


class UploadRequest(Request):
    """
    One request: judged by its headers, its content written to a file as it comes.

    A refusal is told at once; what comes of the content after it is not looked at.
    """

    channel: UploadChannel
    _parsePOSTFormSubmission = False

    def __init__(self, service: Keeper, channel: Any, *rest: Any) -> None:
        super().__init__(channel, *rest)
        self.service = service
        self.refusal: Refusal | None = None
        self.head: BatchHead | None = None
        self.path_written: Path | None = None
        self.hash = hashlib.sha256()
        self.taken = 0
        self.most = 0
        self._file: BinaryIO | None = None
        self._counted = False

    def gotLength(self, length: int | None) -> None:
        """The headers are in: decide whether the content is worth taking."""
        super().gotLength(0)
        self.channel.chunked = length is None
        if self.channel.refused:
            return
        found = self.service.judge(self, length)
        if isinstance(found, Refusal):
            self._refuse(found)
            return
        self.head = found
        self._counted = True
        self.most = self.service.max_content if length is None else length
        self.service.begin(found.device_id, self.most)
        folder = uploads_folder(self.service.portal, found.device_id)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            self.path_written = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
            handle = os.open(self.path_written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            self._file = os.fdopen(handle, "wb")
        except OSError as error:
            self._disk_failed(error)
        else:
            self.channel.take_content(lambda: self.taken)

    def handleContentChunk(self, data: bytes) -> None:
        """Write on, up to the bound."""
        if not self.channel.wants(data) or self._file is None:
            return
        self.taken += len(data)
        if self.taken > self.service.max_content:
            self._refuse(Refusal(413, f"over {self.service.max_content:,} bytes; split the batch"))
            return
        self.hash.update(data)
        try:
            self._file.write(data)
        except OSError as error:
            self._disk_failed(error)

    def _disk_failed(self, error: OSError) -> None:
        self.service.disk_failed(error)
        self._refuse(Refusal(503, "the log service cannot write to its disk", later=True))

    def _refuse(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self.channel.given_up = True
        self.release()
        done = Deferred.fromCoroutine(self._tell(refusal))
        done.addErrback(self._broken)

    async def _tell(self, refusal: Refusal) -> None:
        told = await self.service.consider(self, refusal)
        if self._disconnected:
            return
        headers: list[tuple[bytes, bytes]] = []
        if told.status == 401:
            headers.append((b"WWW-Authenticate", b'Basic realm="log service"'))
        if told.later:
            headers.append((upload_format.RETRY_AFTER.encode(), _RETRY_SECONDS.encode()))
        self.channel.refuse(
            http_gate.Refusal(status=told.status, sentence=told.sentence, headers=tuple(headers))
        )

    def process(self) -> None:
        """The content is in."""
        self.close_file()
        if self.refusal is not None or self.channel.refused:
            return
        done = Deferred.fromCoroutine(self.service.answer(self))
        done.addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        self.service.log.failure("cannot respond to an upload", failure)
        self.release()
        self.answer(500, upload_format.error_body("internal error in the log service"))

    def close_file(self) -> None:
        """No more content; what is buffered goes to the file."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                self._disk_failed(error)

    def release(self) -> None:
        """Done with what was taken: nothing of it stays but what was stored."""
        self.close_file()
        if self._counted:
            self._counted = False
            assert self.head is not None
            self.service.end(self.head.device_id, self.most)
        if self.path_written is not None:
            self.path_written.unlink(missing_ok=True)

    def connectionLost(self, reason: Failure) -> None:
        """The uploader is gone: a content that is not whole is thrown away."""
        if self._file is not None:
            self.release()
        super().connectionLost(reason)

    def answer(self, status: int, body: bytes, *, later: bool = False) -> None:
        """Send the answer, if the client is still there."""
        if self._disconnected or self.finished:
            return
        self.setResponseCode(status)
        self.setHeader("Content-Type", "application/json")
        self.setHeader("Content-Length", str(len(body)))
        if status == 401:
            self.setHeader("WWW-Authenticate", 'Basic realm="log service"')
        if later:
            self.setHeader(upload_format.RETRY_AFTER, _RETRY_SECONDS)
        self.write(body)
        self.finish()
