"""
The ordinary ways to the outside, for those who wire the room into a process.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tscm.kinds.driver import Driver
from tscm.kinds.kind import kind_of
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.update.job import (
    AskedAt,
    Claimed,
    Fetch,
    Opener,
    Stored,
    never_asked,
    nobody_knows,
    unclaimed,
)
from tscm.update.lookups import LookUps, Resolve

if TYPE_CHECKING:
    from tscm.policy.lists import PolicyList
    from tscm.policy.rank import Hits
    from tscm.retrieve.sources import ListSource

_ROUTE_PORT = 443


@frozen(kw_only=True)
class Gateways:
    """
    How a run reaches lists, devices, names and the time.
    """

    fetch: Fetch
    opener: Opener
    resolve: Resolve
    now: Callable[[], float]
    asked_at: AskedAt = never_asked
    claimed: Claimed = unclaimed
    hits_of: "Callable[[str], Hits | None]" = lambda _: None
    """Given a device's name, what was seen hitting there lately; None where nothing is known."""
    published: Path | None = None
    """Where lists are published for firewalls that pull them."""
    stored: Stored = nobody_knows


def default_gateways(layout: Layout) -> Gateways:
    """DNS over TCP, REST, the system's resolver and clock; feeds as *layout* has their answers."""
    lists = _Lists(layout)
    return Gateways(
        fetch=lists.fetch,
        asked_at=lists.asked_at,
        opener=_open,
        resolve=resolve,
        now=time.time,
        published=layout.lists,
    )


def resolve(name: str) -> tuple[str, ...]:
    """
    Addresses of *name* by the system's resolver; none where it is not known.  Blocks.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def look_up(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Addresses of names by the system's resolver, within a few seconds."""
    return LookUps(resolve)(names)


def own_address_towards(host: str) -> str | None:
    """The address by which this host speaks to *host*; sends nothing.  Looks names up, which blocks."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, _ROUTE_PORT, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except (OSError, UnicodeError, IndexError):
        return None


@frozen
class _Lists:
    """`retrieve.sources.Fetcher`, imported by the first run."""

    _layout: Layout

    def fetch(
        self, source: "ListSource", known: "PolicyList | None", now: float, /
    ) -> "PolicyList | None":
        from tscm.retrieve.sources import Fetcher

        return Fetcher(self._layout)(source, known, now)

    def asked_at(self, source: "ListSource", /) -> float | None:
        from tscm.retrieve.sources import Fetcher

        return Fetcher(self._layout).asked_at(source)


def _open(
    settings: DeviceSettings,
    node: NodeSettings,
    learnt: Mapping[str, Any],
    /,
    *,
    accept_certificate: str | None,
) -> Driver:
    connect = kind_of(settings).connect
    return connect(settings, node, learnt, accept_certificate=accept_certificate)
