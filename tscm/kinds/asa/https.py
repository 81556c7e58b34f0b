"""
One HTTPS session with a device: its certificate checked, one request in flight, every wait and every answer bounded.

Blocking.  What comes back is a status, headers and the pieces of a body, or a `DeviceFault`; no redirect is followed.
"""

import contextlib
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import requests
import urllib3
from attrs import define, field, frozen

from tscm.base.deadline import CutOff
from tscm.errors import DeviceFault
from tscm.kinds.asa import tls
from tscm.kinds.faults import Overloaded

_CHUNK = 65536
_GZIP_WINDOW = 31  # gzip with its header and checksum

Take = Callable[[bytes], None]
Head = Callable[[int, Mapping[str, str]], Take]
"""Told status and headers, it says who takes the body."""


@frozen(kw_only=True)
class Asked:
    """
    One request.

    *seconds* are those until the first byte, or between two; an answer may take twice as long to its end, and
    whatever trickles in before it, TLS and headers, ends with them: the connection is cut off then.
    """

    method: str
    url: str
    what: str
    """In the sentence of a fault."""
    seconds: float
    most_bytes: int
    """What the answer may come to, gzip undone."""
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | None = None
    remedy: str = ""
    """Of a device that does not answer as it should."""


@define(eq=False)
class HttpsSession:
    """
    The web server at *root*, as the device *name* that shows a certificate by *trust*.
    """

    name: str
    root: str
    trust: tls.Trust
    connect_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    patient: bool = True
    """Is what is in progress waited for a while when the manager stops?"""
    fingerprint: str | None = field(default=None, init=False)
    stood: bool = field(default=False, init=False)
    """Has it answered anything?"""
    _cut: CutOff = field(factory=CutOff, init=False)
    _session: requests.Session | None = field(default=None, init=False)

    @property
    def is_open(self) -> bool:
        """Is there anything to end?"""
        return self._session is not None

    def exchange(self, asked: Asked, head: Head) -> tuple[int, Mapping[str, str]]:
        """Ask once; *head* is told of the answer before its body comes."""
        self._cut.patient = self.patient
        session = self._open()
        try:
            with (
                self._cut.within(self.connect_seconds + 3 * asked.seconds),
                session.request(
                    asked.method,
                    asked.url,
                    data=asked.body,
                    headers=dict(asked.headers),
                    timeout=(self.connect_seconds, asked.seconds),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                deadline = self.monotonic() + 2 * asked.seconds
                self.stood = True
                take = head(response.status_code, response.headers)
                self._read(response, asked, take, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if self._cut.over:
                raise self._late(asked) from None
            raise self._fault(asked, error) from None
        if self._cut.over:  # this side closed the connection, which may look like the end of a body
            raise self._late(asked)
        return response.status_code, response.headers

    def cookie(self, name: str) -> bool:
        """Did it give a cookie of that name, which is sent with all that is asked?"""
        jar = () if self._session is None else self._session.cookies
        return any(one.name == name and bool(one.value) for one in jar)

    def forget_cookies(self) -> None:
        """As at the start."""
        if self._session is not None:
            self._session.cookies.clear()

    def close(self) -> None:
        """End its connections."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> requests.Session:
        if self._session is None:
            session = requests.Session()
            session.trust_env = False
            try:
                self.fingerprint = tls.prepare(
                    session,
                    self.trust,
                    device=self.name,
                    root=self.root,
                    connect_seconds=self.connect_seconds,
                    cut=self._cut,
                )
            except BaseException:
                session.close()
                raise
            self._session = session
        return self._session

    def _read(self, response: requests.Response, asked: Asked, take: Take, deadline: float) -> None:
        inflate = self._inflater(response.headers.get("Content-Encoding", ""))
        body = _Body(self.name, take, asked.most_bytes)
        # What one read of the socket brings: a body that trickles must come back to the deadline.
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            while chunk:
                if inflate is None:
                    piece, chunk = chunk, b""
                else:
                    try:
                        piece = inflate.decompress(chunk, _CHUNK)  # 64 KB of gzip can hold 64 MB
                    except zlib.error:
                        raise Overloaded(
                            self.name, "a response is not valid gzip, although its header says so"
                        ) from None
                    chunk = inflate.unconsumed_tail
                body.hand(piece)
            if self.monotonic() > deadline:
                raise self._late(asked)
        if inflate is not None:
            body.hand(inflate.decompress(b"", _CHUNK))
        if inflate is not None and not inflate.eof:
            raise Overloaded(self.name, "a response in gzip is truncated")

    def _inflater(self, encoding: str) -> Any:
        match encoding.strip().lower():
            case "" | "identity":
                return None
            case "gzip" | "x-gzip":
                return zlib.decompressobj(_GZIP_WINDOW)
        raise Overloaded(self.name, f"a response has the unexpected encoding {encoding}")

    def _late(self, asked: Asked) -> Overloaded:
        return Overloaded(
            self.name, "a response was not completed within the time limit", asked.remedy
        )

    def _fault(self, asked: Asked, error: BaseException) -> DeviceFault:
        if tls.is_distrust(error) or tls.is_no_connection(error):
            return self._no_way(error)
        if isinstance(error, requests.exceptions.SSLError) and not self.stood:
            return self._no_way(error)  # never was TLS
        if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
            cause = f"no response to {asked.what} within the time limit"
        else:
            cause = f"the connection was lost during {asked.what}"
        return Overloaded(self.name, cause, asked.remedy)

    def _no_way(self, error: BaseException) -> DeviceFault:
        """Why there is no connection; of a certificate that is not believed also which one that is."""
        shown = None
        if tls.is_distrust(error):
            with contextlib.suppress(DeviceFault):
                shown = tls.shown_fingerprint(self.name, self.root, self.connect_seconds, CutOff())
        return tls.connection_fault(self.name, self.root, error, shown)


@define(eq=False)
class _Body:
    """What came of one answer."""

    name: str
    take: Take
    most: int
    size: int = 0

    def hand(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.most:
            raise Overloaded(self.name, f"a response exceeds {self.most:,} bytes")
        self.take(piece)
