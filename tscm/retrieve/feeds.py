"""
Lists from files and over HTTPS: one generation or nothing, within bounds.

Blocking, with deadlines: for a thread of the pool.  What tells an unchanged list (which place, which
content, and how it is read) stands in the fragment of the list's source, and so lasts as long as the
list does.  Of a URL nothing is told behind its path: a key may stand there.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, thread_time
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tscm.base.memory import give_back
from tscm.base.safe_files import open_regular
from tscm.errors import ListUnavailable
from tscm.policy.collect import Collector, ListTooLong, ReadingTooLong
from tscm.policy.feed_formats import FeedDamaged, Shape, read_feed
from tscm.policy.lists import PolicyList
from tscm.retrieve.answers import Answers, digest_of
from tscm.retrieve.content import FeedFault, bounded
from tscm.retrieve.credentials import headers_for
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.shared import latest
from tscm.settings.layout import Layout

_PIECE = 1 << 16
_READING = 1
"""To be counted up when a format is read otherwise than before: lists are then read again."""
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


def fetch_feed(
    source: FeedSource,
    known: PolicyList | None,
    now: float,
    *,
    clock: Callable[[], float] = monotonic,
    answers: Answers | None = None,
    layout: Layout | None = None,
    transport: Any = None,
) -> PolicyList | None:
    """
    The list as its publisher had it when it was asked last, or None when it is unchanged since *known*.

    The publisher is asked where the least interval is over, and what it said is kept in *answers*.
    *layout* has the key that opens sealed secrets.  Raises `FeedUnavailable`.  *transport* is httpx's, for
    tests.
    """
    deadline = clock() + source.limits.whole_seconds
    try:
        return _fetched(
            source,
            known,
            now,
            answers or Answers(None),
            layout,
            left=lambda: deadline - clock(),
            transport=transport,
        )
    except FeedUnavailable as fault:
        failed = fault.with_traceback(None)  # its frames hold the content
        failed.__context__ = None
    finally:
        give_back()
    raise failed


def _fetched(
    source: FeedSource,
    known: PolicyList | None,
    now: float,
    answers: Answers,
    layout: Layout | None,
    *,
    left: Callable[[], float],
    transport: Any,
) -> PolicyList | None:
    try:
        shown = headers_for(source, layout)  # before the digest: it may seal the file
        before = _marks(source, known, now)
        if source.url.startswith("file:"):
            got = _read_file(source, before)
            fetched_at = now
        else:
            answer, content = latest(
                source,
                answers,
                now,
                secrets=shown,
                left=left,
                transport=transport,
            )
            fetched_at = answer.got_at
            marks = {"content": answer.content or "", "via": answer.marks.get("via", "")}
            same = all(before.get(key, "") == mark for key, mark in marks.items())
            got = None if same else (content, marks)
        if got is None:
            return None
        return _read(source, got[0], got[1], fetched_at, now)
    except FeedFault as fault:
        raise FeedUnavailable(source.name, source.shown, str(fault), fault.remedy) from None


def asked_at(source: FeedSource, answers: Answers) -> float | None:
    """When the publisher last confirmed what is kept of the feed; None where nothing is."""
    answer = answers.known(source.key)
    return answer.got_at if answer.content is not None else None


def _read(
    source: FeedSource, content: bytes, marks: Mapping[str, str], fetched_at: float, now: float
) -> PolicyList:
    """*content* as a list.  Raises `FeedFault`."""
    until = thread_time() + source.limits.reading_seconds
    collector = Collector(source.limits.max_entries, lambda: thread_time() > until, now=now)
    try:
        read_feed(content, source.shape, collector)
    except FeedDamaged as error:
        raise FeedFault(str(error), "check the file, and the feed's format setting") from None
    except ReadingTooLong as error:
        raise FeedFault(str(error), "check that it is the right list") from None
    except ListTooLong as error:
        raise FeedFault(
            f"it has {error}", "if it is correct, raise [policy] max_list_entries"
        ) from None
    told = {"place": source.key, "shape": _shape_mark(source.shape), **marks}
    if collector.next_change is not None:
        told["until"] = f"{collector.next_change:.3f}"
    fragment = "&".join(f"{key}={quote(mark)}" for key, mark in told.items() if mark)
    return collector.to_list(
        source.name, serial=None, fetched_at=fetched_at, source=f"{source.shown}#{fragment}"
    )


def _shape_mark(shape: Shape) -> str:
    """Another way of reading makes another list of the same content."""
    return digest_of(repr((_READING, shape)).encode())[:16]


def _marks(source: FeedSource, known: PolicyList | None, now: float) -> dict[str, str]:
    """
    What tells the content that *known* was read from; nothing where it was read otherwise, or where an
    entry of it began or ended since.
    """
    if known is None or known.name != source.name:
        return {}
    marks = {key: found[0] for key, found in parse_qs(known.source.partition("#")[2]).items()}
    same = marks.get("place") == source.key and marks.get("shape") == _shape_mark(source.shape)
    return marks if same and not 0.0 < float(marks.get("until", "0")) <= now else {}


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
        raise FeedFault(error.strerror or str(error), f"check that {path} can be read") from None
