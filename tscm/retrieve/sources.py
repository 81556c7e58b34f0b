"""
Where a list comes from, and fetching it: one generation or nothing.

Blocking, with deadlines: for a thread of the pool.  Servers are asked in their order; the first
that gives the list ends the search.  A server that is behind what is known already is asked for
the list only when no other is ahead of it.
"""

from collections.abc import Callable, Sequence
from time import monotonic

from attrs import evolve, field, frozen

from tscm.base.host_port import HostPort
from tscm.errors import ListUnavailable
from tscm.policy.feed_formats import Shape
from tscm.policy.lists import PolicyList
from tscm.retrieve.answers import Answers
from tscm.retrieve.feed_source import FeedSource
from tscm.retrieve.feeds import asked_at, fetch_feed
from tscm.retrieve.server import Behind, ServerFault, ask_server
from tscm.retrieve.stream import Limits
from tscm.retrieve.tsig import TsigKey
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import Feed, feed_named
from tscm.settings.feed_intervals import least_interval
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings

_WHOLE = 10
"""A list may take this many times the limit for silence."""
_CONNECT_AT_MOST = 10.0
FEED_BYTES = 64 << 20
"""A text is held several times over while it is read, and the smallest host has 2 GB."""


@frozen(kw_only=True)
class ListSource:
    """
    One list by name, and the policy servers that may have it, best first.

    *port* is for servers that name none.  A list that has a *feed* comes from there alone.
    """

    name: str
    servers: tuple[HostPort, ...]
    port: int = 53
    feed: FeedSource | None = None
    tsig: TsigKey | None = None
    limits: Limits = field(factory=Limits)


def list_source(device: DeviceSettings, node: NodeSettings, name: str) -> ListSource:
    """The source of the list *name* as the settings of *device* and *node* say."""
    silence = node.policy.timeout_seconds
    limits = Limits(
        connect_seconds=min(silence, _CONNECT_AT_MOST),
        idle_seconds=silence,
        whole_seconds=silence * _WHOLE,
        max_entries=node.policy.max_list_entries,
    )
    feed = feed_named(node.policy.feeds, name)
    tsig = None
    if device.tsig_name and device.tsig_key:
        tsig = TsigKey(device.tsig_name, device.tsig_key)
    return ListSource(
        name=name,
        servers=node.policy.servers,
        port=device.dns_port,
        tsig=tsig,
        feed=None if feed is None else feed_source(feed, limits),
        limits=limits,
    )


def feed_source(feed: Feed, limits: Limits) -> FeedSource:
    """The place of a feed, as its settings say."""
    shape = Shape(
        format=feed.format,
        pick=feed.pick,
        delimiter=feed.delimiter,
        value=feed.value,
        padded=feed.padded,
        where=feed.where,
    )
    return FeedSource(
        name=feed.name,
        url=feed.url,
        shape=shape,
        ca_file=feed.ca_file,
        header=feed.header,
        user=feed.user,
        secret_file=feed.secret_file,
        least_interval=(
            least_interval(feed.url) if feed.least_interval is None else feed.least_interval
        ),
        limits=evolve(limits, max_bytes=FEED_BYTES),
    )


def fetch_list(
    source: ListSource,
    known: PolicyList | None,
    now: float,
    *,
    clock: Callable[[], float] = monotonic,
    answers: Answers | None = None,
    layout: Layout | None = None,
) -> PolicyList | None:
    """
    The list as it is published now, or None when it is unchanged since *known*.

    A feed is asked for at most once in its least interval, however many ask; *answers* has what it gave last.
    An empty list is given as such where its zone exists: whether that is right is the caller's to
    say.  Raises `ListUnavailable` when no server gives one.
    """
    if source.feed is not None:
        return fetch_feed(source.feed, known, now, clock=clock, answers=answers, layout=layout)
    if not source.servers:
        raise ListUnavailable(
            source.name, "no policy server is configured", "set one in tscm.toml: [policy] servers"
        )
    if known is not None and known.name != source.name:
        known = None
    faults: list[ServerFault] = []
    behind: list[HostPort] = []
    for server in source.servers:
        try:
            return _ask(source, server, known, now, clock, take_older=False)
        except Behind:
            behind.append(server)
        except ServerFault as fault:
            faults.append(fault)
    for server in behind:
        try:
            return _ask(source, server, known, now, clock, take_older=True)
        except ServerFault as fault:
            faults.append(fault)
    raise _unavailable(source.name, faults)


@frozen
class Fetcher:
    """
    `fetch_list` for a node: with the answers of feeds that it keeps, and the key to its secrets.
    """

    layout: Layout

    def __call__(
        self, source: ListSource, known: PolicyList | None, now: float, /
    ) -> PolicyList | None:
        """As `fetch_list`."""
        return fetch_list(
            source, known, now, answers=Answers(self.layout.feeds), layout=self.layout
        )

    def asked_at(self, source: ListSource) -> float | None:
        """When a feed's publisher last confirmed what is kept of it; None for every other list."""
        feed = source.feed
        return None if feed is None else asked_at(feed, Answers(self.layout.feeds))


def _ask(
    source: ListSource,
    server: HostPort,
    known: PolicyList | None,
    now: float,
    clock: Callable[[], float],
    *,
    take_older: bool,
) -> PolicyList | None:
    return ask_server(
        source.name,
        server,
        server.port or source.port,
        tsig=source.tsig,
        limits=source.limits,
        known=known,
        now=now,
        clock=clock,
        take_older=take_older,
    )


def _unavailable(name: str, faults: Sequence[ServerFault]) -> ListUnavailable:
    causes = dict.fromkeys(str(fault) for fault in faults)
    remedies = dict.fromkeys(one for fault in faults for one in fault.remedies)
    return ListUnavailable(name, "; ".join(causes), "; ".join(remedies))
