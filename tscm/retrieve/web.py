"""
A feed over HTTPS: asked for only where it changed, redirections followed, within its limits.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from tscm.cut_off import CutOff
from tscm.retrieve.content import FeedFault, bounded
from tscm.retrieve.stream import Limits
from tscm.safe_files import trusting

_REDIRECTS = 5
_VALIDATOR_MAX = 500
_AGENT = "tscm"
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_PROGRAMMERS = re.compile(r"^\[[^]]*\] | ?\(_ssl\.c:[0-9]+\)")
"""What the libraries put around their causes."""


def read_web(
    url: str,
    *,
    ca_file: str | None,
    limits: Limits,
    validators: Mapping[str, str],
    left: Callable[[], float],
    transport: Any = None,
) -> tuple[bytes, dict[str, str]] | None:
    """
    The content and what tells it from another; None where it is what *validators* tell.

    `via` among the marks names the hosts that redirections led to.  *left* gives the seconds that are left for all of it.  Raises `FeedFault`.
    """
    import httpx

    from tscm.watched_http import WatchedTransport, Wire

    headers = {"User-Agent": _AGENT, "Accept-Encoding": "gzip"}
    for mark, name in (("etag", "If-None-Match"), ("modified", "If-Modified-Since")):
        if mark in validators:
            headers[name] = validators[mark]
    timeout = httpx.Timeout(limits.idle, connect=limits.connect)
    cut = CutOff()
    try:
        context = trusting(ca_file)
        made = transport or WatchedTransport(Wire(cut), verify=context)
        with (
            cut.within(left()),
            httpx.Client(timeout=timeout, trust_env=False, transport=made) as client,
        ):
            via: dict[str, None] = {}
            for _ in range(_REDIRECTS):
                with client.stream("GET", url, headers=headers) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        if not url.startswith("https://"):
                            raise FeedFault("it leads to a place without TLS", "give the final URL")
                        via[urlsplit(url).hostname or ""] = None
                        continue
                    taken = _taken(answer, limits.max_bytes, left)
                    if (
                        cut.stopped
                    ):  # we hung up ourselves, and that may look like the end of a body
                        raise _stopped()
                    if taken is None:
                        return None
                    return taken[0], {**taken[1], "via": " ".join(via)}
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        if cut.stopped:
            raise _stopped() from None
        if left() <= 0:
            raise _late() from None
        raise _in_words(error, limits) from None
    raise FeedFault(f"more than {_REDIRECTS} redirections", "give the final URL")


def _in_words(error: Exception, limits: Limits) -> FeedFault:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return FeedFault(
            f"no connection within {limits.connect:g} s", "see that this host may reach it"
        )
    if isinstance(error, httpx.TimeoutException):
        return FeedFault(f"it fell silent for {limits.idle:g} s", "try again later")
    cause = _PROGRAMMERS.sub("", str(error)) or "the connection broke"
    cause = cause[0].lower() + cause[1:]
    if "certificate" in cause:
        return FeedFault(cause, "name its CA as ca_file of the feed, if you trust it")
    return FeedFault(cause, "check the URL, or try again later")


def _late() -> FeedFault:
    return FeedFault("it took too long", "try again later")


def _stopped() -> FeedFault:
    return FeedFault("it was cut off because the manager stops", "nothing to do")


def _taken(
    answer: Any, max_bytes: int, left: Callable[[], float]
) -> tuple[bytes, dict[str, str]] | None:
    if answer.status_code == 304:
        return None
    if answer.status_code != 200:
        raise FeedFault(f"answer {answer.status_code}", "look at it with a browser")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _PAGES:
        raise FeedFault(f"the server says that it is a page ({kind})", "give the URL of the list")
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise FeedFault(f"content encoding {encoding!r} was not asked for")
    content = bounded(_in_time(answer.iter_raw(), left), max_bytes, ends=_tells_its_end(answer))
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
