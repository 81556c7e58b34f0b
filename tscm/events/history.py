"""
Since when an address stands on a device's lists, and when it was seen hitting.

What `tscm.policy.why` says of the lists as they are now is carried back here: over the generations
that are kept, and over the roll-ups.  Blocking: for a thread, on a read-only connection of its own.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton

import numpy as np
from attrs import evolve

from tscm.events.brief import met
from tscm.events.rollups import ACTIONS, HOUR_SECONDS
from tscm.events.sums import Query, distinct, labels
from tscm.model import Cidr
from tscm.policy.by_hand import LIST_NAME
from tscm.policy.presence import presence
from tscm.policy.standing import Met, Seen, Since, Standing
from tscm.store.generations import decompress
from tscm.store.reading import read_only

SHOWN = 20
"""More entries than this are counted, not named: the question may be about 0.0.0.0/0."""
_FIRST = 1
"""The number of a device's first generation: there is none before it."""


LookedBack = tuple[tuple[Standing, ...], Seen]
"""Standings with their `since`, and what was met."""


def look_back(database: Path, device: str, standings: Sequence[Standing]) -> LookedBack:
    """
    *standings* of one address or network, each with `since`; and what the entries that meet it did, and the address itself.
    """
    return look_back_each(database, {device: standings}, {})[device]


def look_back_each(
    database: Path, asked: Mapping[str, Sequence[Standing]], known: dict[bytes, str]
) -> dict[str, LookedBack]:
    """
    The same of many devices, all asked about one address or network.

    *known* keeps how it stood with contents that were unpacked: devices that had the same lists are asked together.
    """
    with read_only(database) as connection:
        return {
            device: (
                tuple(
                    evolve(one, since=_since(connection, device, _column(one), one.asked, known))
                    for one in standings
                ),
                _seen(connection, device, ip_network(standings[0].asked)),
            )
            for device, standings in asked.items()
        }


def _column(one: Standing) -> str:
    """Where a generation has what is asked about: a list's own part, or the whole with entries by hand."""
    kind = "block" if one.kind == "block" else "allow"
    return kind if one.list_name == LIST_NAME else f"COALESCE(lists_{kind}, {kind})"


def _since(
    connection: sqlite3.Connection,
    device: str,
    column: str,
    asked: Cidr,
    known: dict[bytes, str],
) -> Since | None:
    rows = connection.execute(
        f"SELECT number, applied_at, {column} FROM generations "  # noqa: S608 - from `_column`
        "WHERE device = ? ORDER BY number DESC",
        (device,),
    )
    found: Since | None = None
    content, standing, first = b"", "none", ""
    for number, applied_at, packed in rows:
        if packed != content:
            try:
                content, standing = packed, _presence(packed, asked, known)
            except ValueError:  # damaged: what was before cannot be known
                break
        first = first or standing
        if standing != first or first == "none":
            return found
        found = Since(generation=number, applied_at=applied_at)
    return None if found is None else evolve(found, oldest_kept=found.generation > _FIRST)


def _presence(packed: bytes, asked: Cidr, known: dict[bytes, str]) -> str:
    """How *asked* stands with a packed content.  `ValueError` where it is damaged."""
    digest = sha256(packed).digest()
    if digest not in known:
        known[digest] = presence(decompress(packed), asked)
    return known[digest]


def _seen(connection: sqlite3.Connection, device: str, asked: IPv4Network | IPv6Network) -> Seen:
    query = Query(device=_word(connection, device))
    count, entries = _counted(
        connection, query, "entry", _entries_meeting(connection, query, asked)
    )
    host = asked.prefixlen == asked.max_prefixlen
    address = str(asked.network_address)
    if host and all(one.entry == str(asked) for one in entries):
        # Whatever an address met stands under an entry around it; here only its own has any.
        itself = [evolve(one, entry=None, outside=address) for one in entries]
    else:
        addresses = [_word(connection, address)] if host else []
        _, itself = _counted(connection, query, "outside", addresses)
    return Seen(entries=tuple(entries), count=count, address=tuple(itself))


def _entries_meeting(
    connection: sqlite3.Connection, query: Query, asked: IPv4Network | IPv6Network
) -> list[int]:
    """The entries ever seen hitting that share an address with *asked*, as words."""
    around = [
        _word(connection, str(asked.supernet(new_prefix=length)))
        for length in range(asked.prefixlen + 1)
    ]
    if asked.prefixlen == asked.max_prefixlen:
        return around
    known = labels(connection, distinct(connection, query, "entry").tolist())
    return around + [word for word, text in known.items() if _lies_in(text, asked)]


def _lies_in(text: str, asked: IPv4Network | IPv6Network) -> bool:
    """
    Is the CIDR *text* within *asked*?  Of two CIDRs that share an address one holds the other.

    There may be thousands to look at, and an object for each takes ten times as long.
    """
    address, _, length = text.rpartition("/")
    if (":" in address) != (asked.version == 6) or int(length) < asked.prefixlen:
        return False
    family = AF_INET6 if asked.version == 6 else AF_INET
    number = int.from_bytes(inet_pton(family, address))
    return int(asked.network_address) <= number <= int(asked.broadcast_address)


def _counted(
    connection: sqlite3.Connection, query: Query, column: str, words: Sequence[int]
) -> tuple[int, list[Met]]:
    """How many of *words* hit, by action and list, and those that hit most, with their hours."""
    found = met(connection, query.device, column, sorted({word for word in words if word >= 0}))
    most = np.argsort(-found.hits, kind="stable")[:SHOWN]
    shown = found.keys[:, most]
    texts = labels(connection, np.unique(shown[[0, 2]]).tolist())
    return len(found.hits), [
        Met(
            **{column: texts[word]},
            action=ACTIONS[action],
            list=texts[named],
            first_hour=first * HOUR_SECONDS,
            last_hour=last * HOUR_SECONDS,
            lines=lines,
            hits=hits,
        )
        for word, action, named, first, last, lines, hits in zip(
            *shown.tolist(),
            *(one[most].tolist() for one in (found.first, found.last, found.lines, found.hits)),
            strict=True,
        )
    ]


def _word(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return -1 if row is None else int(row[0])
