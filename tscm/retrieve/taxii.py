"""
A collection of a TAXII 2.1 server: all of its pages as one content, within the limits of one feed.

The content is a JSON list of the envelopes, in their order.  Nothing of a collection is used unless all of it came.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from attrs import frozen

from tscm.base.server_addresses import PermittedServers
from tscm.policy.json_walk import JsonDamaged, JsonWalk
from tscm.retrieve.answers import digest_of
from tscm.retrieve.content import FeedFault, too_large
from tscm.retrieve.stream import Limits
from tscm.retrieve.web import WebAnswer, read_web, trusting_for

ACCEPT = "application/taxii+json;version=2.1"
PAGES_MOST = 1000
_PAGE_OBJECTS = 1000
"""Asked for at once; a server may give fewer."""
_NEXT_MOST = 2000


@frozen
class _Next:
    """How the next page is asked for: by the server's own word, or by when the last object was added."""

    name: str
    value: str


def read_collection(
    url: str,
    *,
    now: float,
    ca_file: str | None,
    limits: Limits,
    secrets: Mapping[str, str],
    left: Callable[[], float],
    permitted: PermittedServers | None = None,
    transport: Any = None,
) -> WebAnswer:
    """
    Every indicator of the collection whose objects are at *url* (TAXII 2.1, 5.4).  Raises `FeedFault`.

    A query of *url* is kept, so that an operator may filter otherwise.
    """
    pages: list[bytes] = []
    size, page, via = 0, None, ""
    came: set[tuple[_Next, str]] = set()
    context = None if transport is not None else trusting_for(ca_file)
    while len(pages) < PAGES_MOST:
        try:
            answer = read_web(
                _page_url(url, page),
                now=now,
                ca_file=ca_file,
                limits=limits,
                validators={},
                secrets=secrets,
                left=left,
                accept=ACCEPT,
                context=context,
                permitted=permitted,
                transport=transport,
            )
            content = answer.content or b""
            size += len(content)
            if size > limits.max_bytes:
                raise too_large(limits.max_bytes)
            page = _next(content, answer.marks.get("added", ""))
        except FeedFault as fault:
            if pages:
                fault.args = (f"page {len(pages) + 1} of the collection: {fault}",)
            raise
        pages.append(content)
        via = answer.marks.get("via", "") or via
        if page is None:
            content = b"[" + b",".join(pages) + b"]"
            return WebAnswer(content=content, marks={"via": via}, pause=answer.pause)
        mark = (
            page,
            digest_of(content),
        )  # a word for all pages is right, the same page again is not
        if mark in came:
            raise FeedFault(
                f"page {len(pages)} of the collection is an earlier one again",
                "tell the publisher; what was fetched before stays",
            )
        came.add(mark)
    raise FeedFault(
        f"the collection has more than {PAGES_MOST:,} pages",
        "narrow it by a filter in the URL, such as ?added_after=2026-01-01T00:00:00Z",
    )


def _page_url(url: str, page: _Next | None) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.setdefault("match[type]", "indicator")
    query.setdefault("limit", str(_PAGE_OBJECTS))
    if page is not None:
        query[page.name] = page.value
    return urlunsplit(parts._replace(query=urlencode(query)))


def _next(content: bytes, added: str) -> _Next | None:
    """What an envelope says of a page after it; None where it is the last one."""
    walk = JsonWalk(content, (), lambda _: None)
    try:
        if not content.lstrip()[:1] == b"{":
            raise FeedFault(
                "it is not a TAXII envelope", "set the URL of a collection's objects: …/objects/"
            )
        if walk.field_of("title") is not None:  # of a server, a collection or an error
            raise FeedFault(
                "it describes a server or a collection",
                "set the URL of a collection's objects: …/objects/",
            )
        more, word = walk.field_of("more"), walk.field_of("next")
    except JsonDamaged:
        raise FeedFault("it is not valid JSON, or is incomplete", "try again later") from None
    if more != "true":
        return None
    found = _Next("next", word) if word else _Next("added_after", added)
    if not found.value or len(found.value) > _NEXT_MOST:
        raise FeedFault(
            "it promises another page and does not say how to ask for it", "tell the publisher"
        )
    return found
