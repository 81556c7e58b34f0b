"""
Lists from files and over HTTPS: one generation or nothing, within bounds.

Blocking, with deadlines: for a thread of the pool.  What tells an unchanged feed (ETag, date; size and
time of a file) stands in the fragment of the list's source, and so lasts as long as the list does.
"""

import os
import socket
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

from attrs import field, frozen

from tscm.errors import ListUnavailable
from tscm.policy.collect import Collector, ListTooLong
from tscm.policy.feed_formats import FeedDamaged, Shape, read_feed
from tscm.policy.lists import PolicyList
from tscm.retrieve.stream import Limits

_REDIRECTS = 5
_PIECE = 1 << 16
_GZIP = b"\x1f\x8b"
_WINDOW = 31  # zlib: gzip with its header and checksum
_VALIDATOR_MAX = 500
_AGENT = "tscm"


class FeedUnavailable(ListUnavailable):
    """
    A list from a file or over HTTPS could not be had.
    """

    def __init__(self, name: str, url: str, cause: str, remedy: str = "") -> None:
        self.url = url
        super().__init__(name, cause, remedy)

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return (
            f"block or allow list [{self.name}] could not be fetched from {self.url}: "
            f"{self.cause}{tail}"
        )


@frozen(kw_only=True)
class FeedSource:
    """
    One list by name and the one place that has it: `https://…` or `file:///…`.
    """

    name: str
    url: str
    shape: Shape = field(factory=Shape)
    ca_file: str | None = None
    limits: Limits = field(factory=Limits)


class _Fault(Exception):
    def __init__(self, cause: str, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(cause)


def fetch_feed(
    source: FeedSource,
    known: PolicyList | None,
    now: float,
    *,
    clock: Callable[[], float] = monotonic,
    transport: Any = None,
) -> PolicyList | None:
    """
    The list as it is now, or None when it is unchanged since *known*.  Raises `FeedUnavailable`.

    *transport* is httpx's, for tests.
    """
    validators = {}
    if known is not None and known.name == source.name:
        url, _, fragment = known.source.partition("#")
        if url == source.url:
            validators = {key: found[0] for key, found in parse_qs(fragment).items()}
    deadline = clock() + source.limits.whole
    try:
        if source.url.startswith("file:"):
            got = _read_file(source, validators)
        else:
            got = _read_web(source, validators, lambda: deadline - clock(), transport)
        if got is None:
            return None
        content, marks = got
        collector = Collector(source.limits.max_entries)
        read_feed(content, source.shape, collector)
    except _Fault as fault:
        raise FeedUnavailable(source.name, source.url, str(fault), fault.remedy) from None
    except FeedDamaged as error:
        raise FeedUnavailable(
            source.name, source.url, str(error), "look at it, and at the feed's format setting"
        ) from None
    except ListTooLong as error:
        raise FeedUnavailable(
            source.name,
            source.url,
            f"it has {error}",
            "raise [policy] max_list_entries if it is right",
        ) from None
    fragment = "&".join(f"{key}={quote(mark)}" for key, mark in marks.items() if mark)
    return collector.to_list(
        source.name,
        serial=None,
        fetched_at=now,
        source=f"{source.url}#{fragment}" if fragment else source.url,
    )


def _read_file(
    source: FeedSource, validators: Mapping[str, str]
) -> tuple[bytes, dict[str, str]] | None:
    path = Path(unquote(urlsplit(source.url).path))
    try:
        # A pipe that nobody writes to would hold the thread for good.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _Fault("it is no file", f"see what {path} is")
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            mark = f"{state.st_mtime_ns}-{state.st_size}"
            if validators.get("state") == mark:
                return None
            pieces = iter(lambda: file.read(_PIECE), b"")
            return _bounded(pieces, source.limits.max_bytes), {"state": mark}
    except OSError as error:
        raise _Fault(error.strerror or str(error), f"see that {path} can be read") from None


def _read_web(
    source: FeedSource,
    validators: Mapping[str, str],
    left: Callable[[], float],
    transport: Any,
) -> tuple[bytes, dict[str, str]] | None:
    import ssl

    import httpx

    headers = {"User-Agent": _AGENT, "Accept-Encoding": "gzip"}
    for mark, name in (("etag", "If-None-Match"), ("modified", "If-Modified-Since")):
        if mark in validators:
            headers[name] = validators[mark]
    limits = source.limits
    timeout = httpx.Timeout(limits.idle, connect=limits.connect)
    try:
        context = ssl.create_default_context(cafile=source.ca_file)
        with (
            _cut_off(left()) as extensions,
            httpx.Client(
                verify=context, timeout=timeout, trust_env=False, transport=transport
            ) as client,
        ):
            url = source.url
            for _ in range(_REDIRECTS):
                with client.stream("GET", url, headers=headers, extensions=extensions) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        if not url.startswith("https://"):
                            raise _Fault("it leads to a place without TLS", "give the final URL")
                        continue
                    return _taken(answer, limits.max_bytes, left)
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        if left() <= 0:
            raise _late() from None
        cause = str(error) or type(error).__name__
        raise _Fault(cause[0].lower() + cause[1:], "try again later") from None
    raise _Fault(f"more than {_REDIRECTS} redirections", "give the final URL")


@contextmanager
def _cut_off(seconds: float) -> Iterator[dict[str, Any]]:
    """
    What httpx is to be given so that every connection ends after *seconds*, whatever comes on it.

    httpx's own limits count from the last byte: a server that sends one now and then, in the middle of
    its TLS or its headers, would keep the thread for days.
    """
    opened: list[socket.socket] = []
    over = Event()

    def watch(event: str, details: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            # A twin of its own: TLS takes the socket over.
            opened.append(details["return_value"].get_extra_info("socket").dup())
            if over.is_set():
                cut()

    def cut() -> None:
        over.set()
        for one in opened:
            with suppress(OSError):  # closed at the other end
                one.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield {"trace": watch}
    finally:
        timer.cancel()
        timer.join()
        for one in opened:
            one.close()


def _late() -> _Fault:
    return _Fault("it took too long", "try again later")


def _taken(
    answer: Any, max_bytes: int, left: Callable[[], float]
) -> tuple[bytes, dict[str, str]] | None:
    if answer.status_code == 304:
        return None
    if answer.status_code != 200:
        raise _Fault(f"answer {answer.status_code}", "look at it with a browser")
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise _Fault(f"content encoding {encoding!r} was not asked for")
    content = _bounded(_in_time(answer.iter_raw(), left), max_bytes, ends=_tells_its_end(answer))
    marks = {"etag": "etag", "modified": "last-modified"}
    return content, {
        mark: answer.headers.get(name, "")[:_VALIDATOR_MAX] for mark, name in marks.items()
    }


def _tells_its_end(answer: Any) -> bool:
    """Does the answer say how long it is?  Else a connection that broke looks like its end."""
    return "content-length" in answer.headers or "transfer-encoding" in answer.headers


def _in_time(pieces: Iterable[bytes], left: Callable[[], float]) -> Iterator[bytes]:
    for piece in pieces:
        if left() <= 0:
            raise _late()
        yield piece
    if left() <= 0:  # we hung up ourselves, and that may look like the end of a body
        raise _late()


def _bounded(pieces: Iterable[bytes], max_bytes: int, *, ends: bool = True) -> bytes:
    """
    All of *pieces*, gzip undone wherever it shows; never more than the bound in memory.

    Unless it *ends* for certain, only gzip is taken, which tells its own end.
    """
    content = bytearray()
    decoder: Any = None
    for number, piece in enumerate(pieces):
        if number == 0 and piece.startswith(_GZIP):
            decoder = zlib.decompressobj(_WINDOW)
        data = piece
        while data:
            if decoder is None:
                content += data
                break
            try:
                content += decoder.decompress(data, max_bytes + 1 - len(content))
            except zlib.error:
                raise _Fault("it is no whole gzip", "try again later") from None
            if len(content) > max_bytes:
                break
            data = decoder.unconsumed_tail
            if decoder.eof:
                data = decoder.unused_data.lstrip(b"\0")
                decoder = zlib.decompressobj(_WINDOW) if data else decoder
        if len(content) > max_bytes:
            raise _Fault(
                f"it is larger than {max_bytes:,} bytes", "see whether it is the right one"
            )
    if decoder is not None and not decoder.eof:
        raise _Fault("it is no whole gzip", "try again later")
    if decoder is None and not ends:
        raise _Fault(
            "the server does not tell its length, so that it may be cut off",
            "have it sent with a Content-Length, or gzipped",
        )
    return bytes(content)
