"""
What policies are made of: targets, bundles, and policies that put them and user lists together.

Pure values, read like settings, with every fault in one report.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs
from attrs import define, frozen

from tscm.errors import Fault, TscmError
from tscm.printable import visible
from tscm.settings import values
from tscm.settings.feed import Feed, feeds, header_name
from tscm.settings.schema import read_table, setting

T = TypeVar("T")

SEVERITY_MOST = 5
THREATS = (
    "hijacked", "c2", "malware", "attacker", "scanner", "bruteforce", "anonymiser", "other",
)  # fmt: skip
TRAFFIC = ("in", "out", "both")
_PARTS_MOST = 100
_FEEDS_MOST = 16
_TEXT_MOST = 500
_LIST_NAME_MOST = 240
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
ALL_ON = "all-on"
"""The bundle that is always there: every target that is turned on."""


class Kind(StrEnum):
    """
    What a name stands for.
    """

    TARGET = "target"
    BUNDLE = "bundle"
    LIST = "list"
    POLICY = "policy"


@define(eq=False)
class ItemFaulty(TscmError):
    """
    A target, bundle or policy cannot be as it was asked for.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause


@frozen(order=True)
class Ref:
    """
    One part of a policy: `target:drop`, `bundle:severe`, `list:partners`.
    """

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def item_name(text: str) -> str:
    """A name in its one spelling.  Raises `ItemFaulty`."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise ItemFaulty(
            f"{visible(text[:60])!r} is not a name; use 1 to 63 letters, digits, - and _"
        )
    return name


def read_ref(text: str) -> Ref:
    """A part as it is written.  Raises `ItemFaulty`."""
    kind, _, name = text.strip().lower().partition(":")
    if kind not in {Kind.TARGET, Kind.BUNDLE, Kind.LIST}:
        raise ItemFaulty(
            f"{visible(text[:60])!r} is not a part of a policy; allowed: target:NAME, "
            "bundle:NAME, list:NAME"
        )
    return Ref(Kind(kind), item_name(name))


def _line(value: Any) -> str:
    told = " ".join(visible(values.text(value)).split())
    if len(told) > _TEXT_MOST:
        raise values.refused(told, "is too long", f"at most {_TEXT_MOST} characters")
    return told


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _PARTS_MOST:
        raise values.refused("what is given", "is not such a list", "a list of words")
    return tuple(_line(one).lower() for one in value)


def _threats(value: Any) -> tuple[str, ...]:
    return tuple(values.choice(*THREATS)(one) for one in _words(value))


def _traffic(value: Any) -> tuple[str, ...]:
    return tuple(values.choice(*TRAFFIC)(one) for one in _words(value))


def _parts(value: Any) -> tuple[str, ...]:
    """References, each once, in their one spelling."""
    found: dict[str, None] = {}
    for one in _words(value):
        try:
            found[str(read_ref(one))] = None
        except ItemFaulty:
            raise values.refused(
                one, "is not a part of a policy", "target:NAME, bundle:NAME, list:NAME"
            ) from None
    return tuple(found)


def _published_name(value: Any) -> str:
    """The name of a list: a DNS name, short enough for the name of a file."""
    name = values.dns_name(value)
    if len(name) > _LIST_NAME_MOST:
        raise values.refused(
            name[:60] + "…", "is too long", f"at most {_LIST_NAME_MOST} characters"
        )
    return name


def _feeds(value: Any) -> tuple[Feed, ...]:
    """Tables of feeds, each with a name of its own; fetched over HTTPS, with no files of this host."""
    if not isinstance(value, list | tuple) or len(value) > _FEEDS_MOST:
        raise values.refused("what is given", "is not such a list", f"up to {_FEEDS_MOST} feeds")
    tables = [
        one if isinstance(one, Feed) else {"name": f"feed-{number}", **one}
        for number, one in enumerate(value, 1)
        if isinstance(one, Feed | Mapping)
    ]
    found = feeds(tables)
    for one in found:
        if one.url.endswith(_UNTOLD):
            raise values.refused(
                one.name, "has a URL without its query, as it is shown", "the whole URL"
            )
        if not one.url.startswith("https:") or one.ca_file or one.secret_file or one.also:
            allowed = "https:// URLs; a key is in the file TARGET@HOST in portal/feed-keys"
            raise values.refused(one.name, "uses a file of the manager's host", allowed)
    return found


def key_name(target: str, url: str, *, shipped: bool) -> str:
    """
    The file in `feed-keys` with the key that a target shows to the server of *url*.

    The URL of a target that operators made may be changed by users who may change targets, and the key must not go
    elsewhere by that: its file is named after the server too, `TARGET@HOST`, and `TARGET@HOST:PORT` where the port
    is not 443.
    """
    if shipped:
        return target
    parts = urlsplit(url)
    port = "" if parts.port in {None, 443} else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{target}@{host}{port}"


@frozen(kw_only=True)
class Target:
    """
    A named set of addresses with what is known of it: fed by feeds, by user lists, or both.
    """

    title: str = setting(_line, "", doc="Title")
    severity: int = setting(values.whole(0, SEVERITY_MOST), 3, doc="Severity, 0 to 5")
    confidence: int = setting(values.whole(0, 100), 50, doc="Confidence in percent")
    threat: str = setting(values.choice(*THREATS), "other", doc="Type of threat")
    traffic: str = setting(values.choice(*TRAFFIC), "both", doc="Direction of the traffic")
    industry: str = setting(_line, "", doc="Industry that it concerns")
    publisher: str = setting(_line, "", doc="Publisher of the feeds")
    terms: str = setting(_line, "", doc="Terms of use and licence")
    false_positives: str = setting(_line, "", doc="Known false positives")
    key_header: str | None = setting(
        values.optional(header_name), None, doc="Header that carries the publisher's key"
    )
    key_user: str | None = setting(
        values.optional(values.account),
        None,
        doc="Username at the publisher; the key is its password",
    )
    interval_seconds: int = setting(
        values.whole(300, 86400 * 7), 3600, doc="Time between two fetches"
    )
    feeds: tuple[Feed, ...] = setting(_feeds, (), doc="Its feeds")
    lists: tuple[str, ...] = setting(_words, (), doc="User lists that belong to it")


@frozen(kw_only=True)
class Bundle:
    """
    A rule over attributes: every target that is turned on and that fits all that is asked for.
    """

    title: str = setting(_line, "", doc="Title")
    min_severity: int = setting(values.whole(0, SEVERITY_MOST), 0, doc="Minimum severity")
    min_confidence: int = setting(values.whole(0, 100), 0, doc="Minimum confidence in percent")
    threats: tuple[str, ...] = setting(_threats, (), doc="Types of threat; none: all")
    traffic: tuple[str, ...] = setting(_traffic, (), doc="Directions; none: all")
    industries: tuple[str, ...] = setting(_words, (), doc="Industries; none: all")
    publishers: tuple[str, ...] = setting(_words, (), doc="Publishers; none: all")

    def takes(self, one: Target) -> bool:
        """Does the rule fit?  A target for both directions fits each."""
        return (
            one.severity >= self.min_severity
            and one.confidence >= self.min_confidence
            and (not self.threats or one.threat in self.threats)
            and (not self.traffic or one.traffic == "both" or one.traffic in self.traffic)
            and (not self.industries or one.industry.lower() in self.industries)
            and (not self.publishers or one.publisher.lower() in self.publishers)
        )


@frozen(kw_only=True)
class PortalPolicy:
    """
    What is blocked and what is permitted, and the names of the two lists that say so.
    """

    title: str = setting(_line, "", doc="Title")
    block: tuple[str, ...] = setting(_parts, (), doc="What is blocked")
    allow: tuple[str, ...] = setting(_parts, (), doc="What is permitted: user lists only")
    refuse: tuple[str, ...] = setting(
        _words, (), doc="Warning lists whose networks are never blocked"
    )
    block_name: str = setting(_published_name, "", doc="Name of the block list")
    allow_name: str = setting(_published_name, "", doc="Name of the allow list")
    fits: str = setting(_line, "", doc="Which firewalls it fits")
    on: bool = setting(values.yes_no, True, doc="Whether it is published")

    def refs(self) -> tuple[Ref, ...]:
        """Every part."""
        return tuple(read_ref(one) for one in (*self.block, *self.allow))


def read_item(cls: type[T], table: Mapping[str, Any], source: str) -> T:
    """*table* as a value of *cls*.  Raises `ItemFaulty` with everything that is wrong."""
    found, faults = read_table(cls, table)
    if found is None:
        raise ItemFaulty(f"{source}: {_told(faults)}")
    return found


def _told(faults: Iterable[Fault]) -> str:
    return "; ".join(str(one) for one in faults)


def as_table(item: Any) -> dict[str, Any]:
    """As JSON and TOML hold it: what is as by default is left out."""
    table: dict[str, Any] = {}
    for one in attrs.fields(type(item)):
        value = getattr(item, one.name)
        if value == one.default:
            continue
        if one.name == "feeds":
            value = [_feed_table(feed) for feed in value]
        table[one.name] = list(value) if isinstance(value, tuple) else value
    return table


_UNTOLD = "?…"
"""Stands for the query of a URL, where a key may be."""


def shown_table(target: Target) -> dict[str, Any]:
    """As `as_table`, without the queries of URLs."""
    return _with_urls(as_table(target), lambda url, _: _shown_url(url))


def _shown_url(url: str) -> str:
    place, mark, _ = url.partition("?")
    return place + _UNTOLD if mark else url


def with_queries(content: Mapping[str, Any], present: Target | None) -> dict[str, Any]:
    """*content* as a user was shown it and sends it back, with the queries of the target's *present* URLs."""
    feeds = () if present is None else present.feeds
    known: dict[tuple[str | None, str], str] = {
        (one.name, _shown_url(one.url)): one.url for one in feeds
    }
    for url in {
        _shown_url(one.url) for one in feeds
    }:  # a feed with another name, where that is clear
        several = {one.url for one in feeds if _shown_url(one.url) == url}
        if len(several) == 1:
            known[None, url] = several.pop()
    return _with_urls(
        content, lambda url, name: known.get((name, url), known.get((None, url), url))
    )


def without_queries(content: Mapping[str, Any]) -> dict[str, Any]:
    """A target's *content* with the bare places of its feeds."""
    return _with_urls(content, lambda url, _: url.partition("?")[0])


def queries_mark(content: Mapping[str, Any]) -> str:
    """
    Tells other queries of a target's URLs from those in *content*; empty where there are none.

    24 bits of a SHA-256: too few to find a key by trying.
    """
    found: list[str] = []

    def note(url: str, _: str | None) -> str:
        found.append(url.partition("?")[2])
        return url

    _with_urls(content, note)
    text = "\0".join(found)
    return hashlib.sha256(text.encode()).hexdigest()[:6] if text.strip("\0") else ""


def _with_urls(
    content: Mapping[str, Any], change: Callable[[str, str | None], str]
) -> dict[str, Any]:
    """*content* with what *change* makes of each feed's URL, given with the feed's name."""
    tables = content.get("feeds", ())
    if not isinstance(tables, list):
        return dict(content)
    return {
        **content,
        "feeds": [
            {**one, "url": change(one["url"], _name_in(one))}
            if isinstance(one, Mapping) and isinstance(one.get("url"), str)
            else one
            for one in tables
        ],
    }


def _name_in(feed: Mapping[str, Any]) -> str | None:
    name = feed.get("name")
    return name if isinstance(name, str) else None


def _feed_table(feed: Feed) -> dict[str, Any]:
    return {
        one.name: getattr(feed, one.name)
        for one in attrs.fields(Feed)
        if getattr(feed, one.name) != one.default
    }
