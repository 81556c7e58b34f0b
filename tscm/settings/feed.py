"""
Lists that come from files or over HTTPS instead of the policy servers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import asdict, evolve, frozen

from tscm.policy.feed_rows import Condition
from tscm.policy.feed_values import VALUES
from tscm.policy.json_walk import steps_in_record
from tscm.settings import values
from tscm.settings.schema import read_table, setting

FILE_FORMATS = (
    "cidr", "drop-json", "dshield", "csv", "json", "exit-addresses", "stix", "misp",
)  # fmt: skip
FORMATS = (*FILE_FORMATS, "taxii")
"""As in `tscm.policy.feed_formats`, which would bring numpy along."""

_MOST_PLACES = 15
_WITH_ROWS = ("csv", "drop-json", "json", "stix", "taxii", "misp")
_ALLOWED = (
    "tables of name, url (https://… or file:///…), and where needed "
    f"also (tables of url, pick), format ({', '.join(FORMATS)}), pick, delimiter, "
    f"value ({', '.join(VALUES)}), padded, where, may_be_empty, min_entries, "
    "max_entries, max_shrink_percent, max_growth_percent, min_readable_percent, "
    "header, user, secret_file, ca_file, least_interval"
)


def feed_url(value: Any) -> str:
    """`https://…`, a query allowed, or `file:///…`."""
    allowed = "https://address[:port]/path or file:///path"
    text = values.text(value).strip() if isinstance(value, str) else ""
    # A key may stand behind the path, and a password before the host.
    told = re.sub(r"//[^/]*@", "//…@", text.partition("?")[0]) if text else value
    try:
        parts = urlsplit(text)
        values.address(parts.hostname or "localhost")
        right = parts.port != 0 and not parts.fragment and " " not in text
    except ValueError:
        raise values.refused(told, "is not a URL", allowed) from None
    if parts.scheme == "http":
        raise values.refused(told, "is a URL without TLS, which can be spoofed", allowed)
    if parts.username is not None or not right:
        raise values.refused(told, "contains more than an address, a path and a query", allowed)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return text
    if parts.scheme != "https" or not parts.hostname:
        raise values.refused(told, "is not such a URL", allowed)
    return text


def delimiter_character(value: Any) -> str:
    """One character between columns."""
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise values.refused(value, "is not a delimiter", "one character")
    return value


_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_NO_KEY = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)


def header_name(value: Any) -> str:
    """A header of a request, as `Auth-Key`."""
    text = values.text(value).strip()
    if not _HEADER.fullmatch(text) or text.lower() in _NO_KEY:
        raise values.refused(value, "is not a header for a key", "a header name, such as Auth-Key")
    return text


def who_fault(feed: "Feed") -> str | None:
    """What is wrong with how a feed shows who asks."""
    if feed.secret_file is None:
        alone = feed.header or feed.user
        return "header and user require secret_file" if alone else None
    if (feed.header is None) == (feed.user is None):
        return "secret_file requires either a header or a user"
    return None if feed.url.startswith("https:") else "a file needs no secret"


def row_filter(value: Any) -> str:
    """Conditions on columns, `COLUMN = VALUE and COLUMN >= NUMBER`."""
    text = values.text(value).strip()
    try:
        Condition.all_of(text)
    except ValueError as error:
        allowed = "COLUMN = VALUE, also with !=, <, <=, >, >= and with `and` between"
        raise values.refused(value, f"is not a filter ({error})", allowed) from None
    return text


def place_fault(feed: "Feed") -> str | None:
    """What is wrong with the places of a feed."""
    elsewhere = [feed.url, *(place.url for place in feed.also)]
    if len({url.partition(":")[0] for url in elsewhere}) > 1:
        return "its locations must be all files or all https"
    if feed.format == "taxii" and not feed.url.startswith("https:"):
        return "TAXII is spoken over https only; a file with a bundle has the format stix"
    return None


def pick_fault(form: str, pick: str) -> str | None:
    """What is wrong with the column of a CSV; None for every other format."""
    if form != "csv":
        return None
    if not pick:
        return "a CSV requires pick"
    return "columns are counted from 1" if pick.isdecimal() and not int(pick) else None


def where_fault(feed: "Feed") -> str | None:
    """What is wrong with a row filter for what its feed is."""
    if not feed.where:
        return None
    if feed.format not in _WITH_ROWS:
        return f"where is only for {', '.join(_WITH_ROWS)}"
    picks = [feed.pick, *(place.pick or feed.pick for place in feed.also)]
    if feed.format == "json" and None in [steps_in_record(one.split(".")) for one in picks]:
        return "where in a JSON requires a pick with records, such as prefixes.*.ip_prefix"
    return None


@frozen(kw_only=True)
class Place:
    """
    One more place that has a part of a feed.
    """

    url: str = setting(feed_url, doc="Location of the list")
    pick: str = setting(values.text, "", doc="Column or path, if different there")


def places(value: Any) -> tuple[Place, ...]:
    """Tables of url and pick."""
    allowed = f"up to {_MOST_PLACES} tables of url and pick"
    if not isinstance(value, list | tuple) or len(value) > _MOST_PLACES:
        raise values.refused("what is given", "is not such a list", allowed)
    found = []
    for number, one in enumerate(value, 1):
        place, faults = (one, ()) if isinstance(one, Place) else read_table(Place, one)
        if place is None:
            raise values.refused(f"place {number}", str(faults[0]), allowed)
        found.append(place)
    return tuple(found)


@frozen(kw_only=True)
class Feed:
    """
    One list by the name that devices call it by, and where it is.
    """

    name: str = setting(values.dns_name, doc="Name of the list, as used by devices")
    url: str = setting(feed_url, doc="Location of the list")
    also: tuple[Place, ...] = setting(places, (), doc="Additional locations with parts of the list")
    format: str = setting(values.choice(*FORMATS), "cidr", doc="Format of the list")
    pick: str = setting(values.text, "", doc="Column of a CSV, path in a JSON")
    delimiter: str = setting(delimiter_character, ",", doc="Delimiter of a CSV")
    value: str = setting(values.choice(*VALUES), "network", doc="Notation of a network")
    padded: bool = setting(values.yes_no, False, doc="Read octets with leading zeros as decimal")
    where: str = setting(
        row_filter, "", doc="Filter for the rows or records of a CSV, DROP or JSON"
    )
    may_be_empty: bool = setting(
        values.yes_no, False, doc="Accept the list even if it is empty or shrank"
    )
    min_entries: int | None = setting(
        values.optional(values.whole(0, 10_000_000)),
        None,
        doc="Minimum number of entries; fewer require --accept_shrink",
    )
    max_entries: int | None = setting(
        values.optional(values.whole(1, 10_000_000)),
        None,
        doc="Maximum number of entries; more require --accept_growth",
    )
    max_shrink_percent: int | None = setting(
        values.optional(values.whole(0, 100)), None, doc="Instead of the value in [policy]"
    )
    max_growth_percent: int | None = setting(
        values.optional(values.whole(1, 1_000_000)), None, doc="Instead of the value in [policy]"
    )
    min_readable_percent: int | None = setting(
        values.optional(values.whole(0, 100)), None, doc="Instead of the value in [policy]"
    )
    header: str | None = setting(
        values.optional(header_name), None, doc="Header that contains the secret"
    )
    user: str | None = setting(
        values.optional(values.account),
        None,
        doc="Username at the publisher; the secret is its password",
    )
    secret_file: str | None = setting(
        values.optional(values.path), None, doc="File of mode 0600 with the key or password"
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA of the server if it is not a public one"
    )

    least_interval: int | None = setting(
        values.optional(values.whole(0, 86400 * 7)),
        None,
        doc="Minimum interval between two requests for it, in seconds, over all devices",
    )

    @property
    def shrink_percent(self) -> int | None:
        """How much it may shrink: what may be empty may also be nearly empty."""
        if self.max_shrink_percent is None and self.may_be_empty:
            return 100
        return self.max_shrink_percent

    def as_table(self) -> dict[str, Any]:
        """As the settings file holds it."""
        return asdict(self, filter=lambda _, value: value is not None)


def _named(table: Any) -> str:
    """What a fault says of a table: its name and no more, for a key may stand in the URL."""
    found = table.name if isinstance(table, Feed) else None
    if isinstance(table, Mapping):
        found = table.get("name")
    return found if isinstance(found, str) else "a feed"


def feed_named(feeds: Iterable[Feed], name: str) -> Feed | None:
    """The feed of that name, where there is one; `NAME+2` is its second place."""
    base, _, number = name.partition("+")
    feed = next((one for one in feeds if one.name == base), None)
    if feed is None or not number:
        return feed
    place = feed.also[int(number) - 2]
    return evolve(feed, name=name, url=place.url, pick=place.pick or feed.pick, also=())


def published(feeds: Iterable[Feed], names: str) -> Iterator[str]:
    """The lists that a block or allow list is made of: those of *names*, and each place of a feed."""
    for name in names.split():
        yield name
        feed = feed_named(feeds, name)
        for number in range(len(feed.also) if feed else 0):
            yield f"{name}+{number + 2}"


def feeds(value: Any) -> tuple[Feed, ...]:
    """`[[policy.feeds]]`: every name once."""
    if not isinstance(value, list | tuple):
        raise values.refused(value, "is not a list of tables", _ALLOWED)
    found: dict[str, Feed] = {}
    for number, one in enumerate(value):
        feed, faults = (one, ()) if isinstance(one, Feed) else read_table(Feed, one)
        if feed is None:
            raise values.refused(_named(one), f"(number {number + 1}): {faults[0]}", _ALLOWED)
        if wrong := pick_fault(feed.format, feed.pick):
            raise values.refused(_named(one), f"(number {number + 1}): {wrong}", _ALLOWED)
        if wrong := place_fault(feed):
            raise values.refused(_named(one), f"(number {number + 1}): {wrong}", _ALLOWED)
        if wrong := who_fault(feed):
            raise values.refused(_named(one), f"(number {number + 1}): {wrong}", _ALLOWED)
        if wrong := where_fault(feed):
            raise values.refused(_named(one), f"(number {number + 1}): {wrong}", _ALLOWED)
        if feed.name in found:
            raise values.refused(feed.name, "names two feeds", _ALLOWED)
        found[feed.name] = feed
    return tuple(found.values())
