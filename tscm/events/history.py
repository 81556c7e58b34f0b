"""
Since when an address stands on a device's lists, and when it was seen hitting.

What `tscm.policy.why` says of the lists as they are now is carried back here: over the generations
that are kept, and over the roll-ups.  Blocking: for a thread, on a read-only connection of its own.
"""

import sqlite3
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from tscm.events.rollups import ACTIONS, HOUR_SECONDS
from tscm.model import Cidr, Json
from tscm.policy.presence import presence
from tscm.store.policies import unpacked

SHOWN = 20
"""More entries than this are counted, not named: somebody may ask about 0.0.0.0/0."""
_BUSY_SECONDS = 30.0


def with_history(database: Path, device: str, answer: Json) -> Json:
    """
    *answer* (`tscm.update.inquiry.explain`) with `since` for each of its lists, `seen`, and their sentences.

    `since` is the oldest generation of the unbroken run in which as much of what was asked was in
    force as now; null where nothing is.  `seen` tells of the entries that meet it, and of the address itself.
    """
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    try:
        lists = [
            {**one, "since": _since(connection, device, one["kind"], one["asked"])}
            for one in answer["lists"]
        ]
        asked = lists[0]["asked"]
        seen = _seen(connection, device, ip_network(asked))
    finally:
        connection.close()
    sentences = [
        sentence + _since_words(one["since"])
        for sentence, one in zip(answer["sentences"], lists, strict=True)
    ]
    return {**answer, "lists": lists, "seen": seen, "sentences": sentences}


def _since(connection: sqlite3.Connection, device: str, kind: str, asked: Cidr) -> Json | None:
    column = "block" if kind == "block" else "allow"
    rows = connection.execute(
        f"SELECT number, applied_at, {column} FROM generations "  # noqa: S608 - one of two words
        "WHERE device = ? ORDER BY number DESC",
        (device,),
    )
    found: Json | None = None
    content, standing, first = b"", "none", ""
    for number, applied_at, packed in rows:
        if packed != content:
            try:
                content, standing = packed, presence(unpacked(packed), asked)
            except ValueError:  # damaged: what was before cannot be known
                break
        first = first or standing
        if standing != first or first == "none":
            return found
        found = {"generation": number, "applied_at": applied_at, "oldest_kept": False}
    return None if found is None else {**found, "oldest_kept": True}


def _since_words(since: Json | None) -> str:
    if since is None:
        return ""
    older = " or longer: it is the oldest that can be read" if since["oldest_kept"] else ""
    return f"; since generation {since['generation']}{older}"


def _seen(connection: sqlite3.Connection, device: str, asked: IPv4Network | IPv6Network) -> Json:
    number = _word(connection, device)
    entries = _counted(connection, number, "entry", _entries_meeting(connection, number, asked))
    host = asked.prefixlen == asked.max_prefixlen
    addresses = [_word(connection, str(asked.network_address))] if host else []
    itself = _counted(connection, number, "outside", addresses)
    return {
        "entries": [_told(connection, number, "entry", one) for one in entries[:SHOWN]],
        "count": len(entries),
        "address": [_told(connection, number, "outside", one) for one in itself],
    }


def _entries_meeting(
    connection: sqlite3.Connection, device: int, asked: IPv4Network | IPv6Network
) -> list[int]:
    """The entries ever seen hitting that share an address with *asked*, as words."""
    around = [
        _word(connection, str(asked.supernet(new_prefix=length)))
        for length in range(asked.prefixlen + 1)
    ]
    if asked.prefixlen == asked.max_prefixlen:
        return around
    known = connection.execute(
        "SELECT id, text FROM words WHERE id IN (SELECT DISTINCT entry FROM daily WHERE device = ?)",
        (device,),
    )
    return around + [word for word, text in known if _lies_in(text, asked)]


def _lies_in(text: str, asked: IPv4Network | IPv6Network) -> bool:
    found = ip_network(text)
    if isinstance(found, IPv4Network):
        return isinstance(asked, IPv4Network) and found.subnet_of(asked)
    return isinstance(asked, IPv6Network) and found.subnet_of(asked)


_Counted = tuple[int, int, int, int, int, int, int]
"""Word, action, list, first day, last day, lines, hits."""


def _counted(
    connection: sqlite3.Connection, device: int, column: str, words: Sequence[int]
) -> list[_Counted]:
    """What the days tell of each of *words*, by falling hits."""
    found: dict[int, list[_Counted]] = {}
    for word in words:
        if word >= 0 and word not in found:
            found[word] = connection.execute(
                f"SELECT {column}, action, list, MIN(day), MAX(day), SUM(lines), SUM(hits) "  # noqa: S608 - names of this file
                f"FROM daily INDEXED BY daily_by_{column} "
                f"WHERE device = ? AND {column} = ? GROUP BY action, list",
                (device, word),
            ).fetchall()
    return sorted((one for rows in found.values() for one in rows), key=lambda one: -one[6])


def _told(connection: sqlite3.Connection, device: int, column: str, one: _Counted) -> Json:
    word, action, named, first_day, last_day, lines, hits = one
    hours = (
        range(first_day * 24, first_day * 24 + 24),
        range(last_day * 24 + 23, last_day * 24 - 1, -1),
    )
    first, last = (
        _first_of(connection, device, column, (word, action, named), one) for one in hours
    )
    return {
        column: _text(connection, word),
        "action": ACTIONS[action],
        "list": _text(connection, named),
        "first_hour": first * HOUR_SECONDS,
        "last_hour": last * HOUR_SECONDS,
        "lines": lines,
        "hits": hits,
    }


def _first_of(
    connection: sqlite3.Connection,
    device: int,
    column: str,
    sought: tuple[int, int, int],
    hours: range,
) -> int:
    """The first of a day's *hours* that has it; the first of all where they have been taken away."""
    word, action, named = sought
    keys = connection.execute(
        f"SELECT DISTINCT direction, entry FROM daily INDEXED BY daily_by_{column} "  # noqa: S608 - as above
        f"WHERE device = ? AND {column} = ? AND day = ? AND action = ? AND list = ?",
        (device, word, hours[0] // 24, action, named),
    ).fetchall()
    for hour in hours:
        for direction, entry in keys:
            row = connection.execute(
                f"SELECT 1 FROM hits WHERE device = ? AND hour = ? AND action = ? "  # noqa: S608
                f"AND direction = ? AND list = ? AND entry = ? AND {column} = ? LIMIT 1",
                (device, hour, action, direction, named, entry, word),
            ).fetchone()
            if row is not None:
                return hour
    return hours[0]


def _word(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return -1 if row is None else int(row[0])


def _text(connection: sqlite3.Connection, word: int) -> Any:
    return connection.execute("SELECT text FROM words WHERE id = ?", (word,)).fetchone()[0]
