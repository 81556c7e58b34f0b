"""
A feed over HTTPS: asked for only where it changed, redirections followed, within its limits.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import field, frozen

from tscm.base.deadline import CutOff
from tscm.base.safe_files import trusting
from tscm.base.server_addresses import PermittedServers
from tscm.printable import visible
from tscm.retrieve.content import FeedFault, bounded
from tscm.retrieve.patience import LATER, pause_wanted
from tscm.retrieve.stream import Limits

_REDIRECTS = 5
_WHO = frozenset({401, 403, 407})
_VALIDATOR_MAX = 500
_AGENT = "tscm"
_MARKS = {"etag": "etag", "modified": "last-modified", "added": "x-taxii-date-added-last"}
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PROGRAMMERS = re.compile(r"^\[[^]]*\] | ?\(_ssl\.c:[0-9]+\)|:? bytearray\(.*", re.DOTALL)
"""What the libraries put around their causes."""


@frozen(kw_only=True)
class WebAnswer:
    """
    *content* is None where it is what the validators tell; *marks* are the next validators, with `via` for
    the hosts that redirections led to; *pause* is how long the server does not want to be asked again.
    """

    content: bytes | None
    marks: Mapping[str, str] = field(factory=dict)
    pause: float = 0.0


def read_web(
    url: str,
    *,
    now: float,
    ca_file: str | None,
    limits: Limits,
    validators: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    left: Callable[[], float],
    accept: str | None = None,
    context: Any = None,
    permitted: PermittedServers | None = None,
    transport: Any = None,
) -> WebAnswer:
    """
    The content, unless it is what *validators* tell.

    Headers that are *secrets* go to the server that *url* names, and to no other that it leads to.
    *context* is what `trusting_for` made, where many are asked for.  *left* gives the seconds that are left for all
    of it, *now* is the time of day.  With *permitted*, every server on the way must be one of those.  Raises
    `FeedFault`.
    """
    import httpx

    from tscm.base.checked_wire import AddressRefused, CheckedWire
    from tscm.base.watched_http import WatchedTransport, Wire

    headers = {"User-Agent": _AGENT, "Accept-Encoding": "gzip"}
    if accept is not None:
        headers["Accept"] = accept
    for mark, name in (("etag", "If-None-Match"), ("modified", "If-Modified-Since")):
        if validators.get(mark):
            headers[name] = validators[mark]
    timeout = httpx.Timeout(limits.idle_seconds, connect=limits.connect_seconds)
    cut = CutOff()
    pause: float | None = None
    via: dict[str, None] = {}
    origin = _origin(url)
    try:
        wire = Wire(cut) if permitted is None else CheckedWire(cut, permitted.refusal)
        made = transport or WatchedTransport(wire, verify=context or trusting(ca_file))
        with (
            cut.within(left()),
            httpx.Client(timeout=timeout, trust_env=False, transport=made) as client,
        ):
            for _ in range(_REDIRECTS):
                told = {**headers, **(secrets or {})} if _origin(url) == origin else headers
                with client.stream("GET", url, headers=told) as answer:
                    pause = pause_wanted(answer.status_code, answer.headers, now)
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        if not url.startswith("https://"):
                            raise FeedFault(
                                "it redirects to a URL without TLS", "set the final URL"
                            )
                        via[urlsplit(url).hostname or ""] = None
                        if _origin(url)[1] == _NO_PORT:
                            raise FeedFault("the URL has no port that exists", "tell the publisher")
                        continue
                    content = _taken(answer, limits.max_bytes, left)
                    if (
                        cut.stopped
                    ):  # this side closed the connection, which may look like the end of a body
                        raise _stopped()
                    marks = _validators(answer, validators if content is None else {})
                    via_text = " ".join(via)
                    return WebAnswer(content=content, marks={**marks, "via": via_text}, pause=pause)
        raise FeedFault(f"more than {_REDIRECTS} redirects", "set the final URL")
    except FeedFault as fault:
        broken = fault
    except AddressRefused as refused:
        broken = FeedFault(str(refused), "correct the URL, or name the server in that setting")
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        broken = _in_words(error, limits)
        if cut.stopped:
            broken = _stopped()
        elif left() <= 0:
            broken = _late()
    broken.pause = pause
    if _origin(url) != origin:
        there = visible(_origin(url)[0] or "another server")
        broken.args = (f"after a redirect to {there}: {broken}",)
    try:
        raise broken from None
    finally:
        del broken  # it holds the frames, which hold the content, until the garbage is collected


def trusting_for(ca_file: str | None) -> Any:
    """What checks the certificate of a feed's server.  Raises `FeedFault`."""
    try:
        return trusting(ca_file)
    except (OSError, ValueError) as error:
        raise FeedFault(
            f"its ca_file cannot be used: {error}", "check that it holds a certificate"
        ) from None


_NO_PORT = -1


def _origin(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:  # a redirection may say anything
        port = _NO_PORT
    return parts.hostname, port


def _in_words(error: Exception, limits: Limits) -> FeedFault:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return FeedFault(
            f"no connection within {limits.connect_seconds:g} s",
            "check that this host can reach it",
        )
    if isinstance(error, httpx.TimeoutException):
        return FeedFault(f"it sent nothing for {limits.idle_seconds:g} s", "try again later")
    cause = _PROGRAMMERS.sub("", str(error)) or "the connection was lost"
    cause = cause[0].lower() + cause[1:]
    if "certificate" in cause:
        return FeedFault(cause, "if you trust it, set its CA as ca_file of the feed")
    return FeedFault(cause, "check the URL, or try again later")


def _late() -> FeedFault:
    return FeedFault("it took too long", "try again later")


def _stopped() -> FeedFault:
    return FeedFault("it was interrupted because the manager is stopping", "no action is needed")


def _taken(answer: Any, max_bytes: int, left: Callable[[], float]) -> bytes | None:
    """The content; None where it is unchanged."""
    if answer.status_code == 304:
        return None
    if answer.status_code != 200:
        fault = FeedFault(f"HTTP status {answer.status_code}", "open it in a browser")
        if answer.status_code in _WHO:
            fault.remedy = "check the feed's secret_file, header and user, and your account there"
        if answer.status_code in LATER:
            fault = FeedFault(
                f"HTTP status {answer.status_code}: the server asks for fewer or later requests",
                "if this continues, raise the feed's least_interval",
            )
            fault.waits = True
        raise fault
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _PAGES:
        raise FeedFault(
            f"the server sent a page ({kind}) instead of a list", "set the URL of the list"
        )
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise FeedFault(f"unexpected content encoding {encoding!r}")
    return bounded(_in_time(answer.iter_raw(), left), max_bytes, ends=_tells_its_end(answer))


def _validators(answer: Any, before: Mapping[str, str]) -> dict[str, str]:
    """What tells this content from another; a 304 may name only what changed."""
    return {
        mark: answer.headers.get(name, "")[:_VALIDATOR_MAX] or before.get(mark, "")
        for mark, name in _MARKS.items()
    }


def _tells_its_end(answer: Any) -> bool:
    """Does the answer say how long it is?  Else a connection that broke looks like its end."""
    return "content-length" in answer.headers or "transfer-encoding" in answer.headers


def _in_time(pieces: Iterable[bytes], left: Callable[[], float]) -> Iterator[bytes]:
    for piece in pieces:
        if left() <= 0:
            raise _late()
        yield piece
    if left() <= 0:  # this side closed the connection, which may look like the end of a body
        raise _late()
