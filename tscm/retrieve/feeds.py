"""
Lists from files and over HTTPS: one generation or nothing, within bounds.

Blocking, with deadlines: for a thread of the pool.  What tells an unchanged feed (ETag, date; size and
time of a file) stands in the fragment of the list's source, and so lasts as long as the list does.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, thread_time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from attrs import field, frozen

from tscm.errors import ListUnavailable
from tscm.policy.collect import Collector, ListTooLong, ReadingTooLong
from tscm.policy.feed_formats import FeedDamaged, Shape, read_feed
from tscm.policy.lists import PolicyList
from tscm.retrieve.content import FeedFault, bounded
from tscm.retrieve.stream import Limits
from tscm.retrieve.web import read_web
from tscm.safe_files import open_regular

_PIECE = 1 << 16
READ_SECONDS = 30.0
"""Of the processor, for reading what was fetched: a list at all limits takes a tenth of it."""


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
            got = read_web(
                source.url,
                ca_file=source.ca_file,
                limits=source.limits,
                validators=validators,
                left=lambda: deadline - clock(),
                transport=transport,
            )
        if got is None:
            return None
        content, marks = got
        until = thread_time() + READ_SECONDS
        collector = Collector(source.limits.max_entries, lambda: thread_time() > until)
        read_feed(content, source.shape, collector)
    except FeedFault as fault:
        raise FeedUnavailable(source.name, source.url, str(fault), fault.remedy) from None
    except FeedDamaged as error:
        raise FeedUnavailable(
            source.name, source.url, str(error), "look at it, and at the feed's format setting"
        ) from None
    except ReadingTooLong as error:
        raise FeedUnavailable(
            source.name, source.url, str(error), "see whether it is the right one"
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


def hosts_of(source: str) -> tuple[str, ...]:
    """The hosts that a list with this source text came from or by way of; none where it is no `https://`."""
    url, _, fragment = source.partition("#")
    if not url.startswith("https://"):
        return ()
    via = parse_qs(fragment).get("via", [""])[0].split()
    return tuple(dict.fromkeys((urlsplit(url).hostname or "", *via)))


def _read_file(
    source: FeedSource, validators: Mapping[str, str]
) -> tuple[bytes, dict[str, str]] | None:
    path = Path(unquote(urlsplit(source.url).path))
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            state = os.fstat(file.fileno())
            mark = f"{state.st_mtime_ns}-{state.st_size}"
            if validators.get("state") == mark:
                return None
            pieces = iter(lambda: file.read(_PIECE), b"")
            return bounded(pieces, source.limits.max_bytes), {"state": mark}
    except OSError as error:
        raise FeedFault(error.strerror or str(error), f"see that {path} can be read") from None
