"""
What the lists did, asked of the roll-ups: who was blocked, by which entry, how often.

One question is one value; the answer is data for a table, for JSON and for whatever sits on the
control interface.  Blocking: for a thread, on a read-only connection of its own.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import ceil
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

import numpy as np
from attrs import evolve, frozen

from tscm.errors import Fault, SettingsFaulty
from tscm.events.answers import EventReport
from tscm.events.packs import WORDS
from tscm.events.rollups import ACTIONS, DIRECTIONS, HOUR_SECONDS
from tscm.events.sums import (
    Among,
    Groups,
    Query,
    among,
    distinct,
    labels,
    sum_by,
    together,
)
from tscm.policy.cidr import CidrSet, Entries, overlapping, read_cidr
from tscm.store.reading import read_only

_DIGITS_MOST = 20
BY = ("entry", "list", "inside", "outside", "port", "protocol", "hour", "direction", "action")
BY_MOST = 2
"""Columns that rows are grouped by at once."""
TOP_MOST = 100_000
_LAST_MOMENT = 1 << 40


@frozen(kw_only=True)
class Question:
    """
    What a report is asked for.  *since* and *until* are POSIX seconds, widened to whole hours (the
    one that begins at *until* is not among them);
    *inside* and *outside* are a host or a network; empty *ports* mean all.  *by* is a column, or two with a comma.
    """

    device: str
    since: float
    until: float
    by: str = "entry"
    top: int = 20
    action: str | None = None
    direction: str | None = None
    list: str | None = None
    entry: str | None = None
    inside: str | None = None
    outside: str | None = None
    ports: tuple[int, ...] = ()
    not_ports: tuple[int, ...] = ()
    listed: CidrSet | None = None
    """Only hits on addresses of these networks."""


def read_question(device: str, options: Mapping[str, Any], now: float) -> Question:
    """
    A question out of what was typed or sent.  Raises `SettingsFaulty` with every fault.
    """
    faults: list[Fault] = []

    def read(name: str, reader: Callable[[Any], Any], default: Any) -> Any:
        value = options.get(name)
        if value is None or value == "":
            return default
        try:
            return reader(value)
        except ValueError as error:
            wrong, _, allowed = str(error).partition("; allowed: ")
            faults.append(Fault(where=f"--{name}", wrong=wrong, allowed=allowed))
            return default

    question = Question(
        device=device,
        since=read("since", _seconds, now - 86400),
        until=read("until", _seconds, now),
        by=read("by", _columns, "entry"),
        top=read("top", _whole(1, TOP_MOST), 20),
        action=read("action", _one_of(*ACTIONS), None),
        direction=read("direction", _one_of(*DIRECTIONS), None),
        list=read("list", str, None),
        entry=read("entry", _network_text, None),
        inside=read("inside", _range, None),
        outside=read("outside", _range, None),
        ports=read("port", _ports, ()),
        not_ports=read("not_port", _ports, ()),
    )
    if not faults and question.until < question.since:
        faults.append(Fault(where="--until", wrong="it is earlier than --since"))
    if faults:
        raise SettingsFaulty("report", faults)
    return question


def _seconds(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < _LAST_MOMENT:
        raise ValueError(f"{str(value)[:60]!r} is not a time; allowed: POSIX seconds")
    return found


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{str(value)[:60]!r} is unknown; allowed: {', '.join(words)}")
        return str(value)

    return read


def _columns(value: Any) -> str:
    """One column, or two that differ."""
    words = [one.strip() for one in str(value)[:200].split(",")]
    found = ",".join(_one_of(*BY)(word) for word in words)
    if len(words) > BY_MOST or len(set(words)) < len(words):
        raise ValueError(
            f"{found[:60]!r} is not a grouping; allowed: one column, or two different ones, such as hour,action"
        )
    return found


def columns_of(by: str) -> tuple[str, ...]:
    """The columns of a grouping as it is written."""
    return tuple(by.split(","))


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value)
        taken = f"allowed: a whole number from {low:,} to {high:,}"
        if not (text.isascii() and text.removeprefix("-").isdecimal()):
            raise ValueError(f"{text[:60]!r} is not a whole number; {taken}")
        if len(text) > _DIGITS_MOST:
            raise ValueError(f"{text[:20] + '…'!r} is out of range; {taken}")
        if not low <= int(text) <= high:
            raise ValueError(f"{text!r} is out of range; {taken}")
        return int(text)

    return read


def _ports(value: Any) -> tuple[int, ...]:
    words = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    return tuple(_whole(0, 65535)(word) for word in words)


def _range(value: Any) -> str:
    text = str(value).strip()
    if "/" in text:
        _network_text(text)
    return text


def _network_text(value: Any) -> str:
    try:
        return str(ip_network(str(value).strip(), strict=False))
    except ValueError:
        raise ValueError(
            f"{str(value)[:60]!r} is not a network; allowed: 203.0.113.0/24, 2001:db8::/32"
        ) from None


def ask(database: Path, question: Question) -> EventReport:
    """
    The answer.  Blocking; an absent database has counted nothing.  Raises `StoreUnusable`.
    """
    if not database.exists():
        return EventReport(
            device=question.device, since=question.since, until=question.until, by=question.by
        )
    with read_only(database) as connection:
        found, low, unread = _sums(connection, question)
        return _answer(connection, question, found, low, unread)


def ask_several(
    database: Path, questions: Sequence[Question]
) -> tuple[EventReport, tuple[EventReport, ...]]:
    """
    One question of several devices: the answer over all of them, and each device's own totals without rows.

    All *questions* differ in the device alone; the first stands for them.  Blocking.  Raises `StoreUnusable`.
    """
    first = questions[0]
    if not database.exists():
        none = EventReport(device=first.device, since=first.since, until=first.until, by=first.by)
        return none, tuple(evolve(none, device=one.device) for one in questions)
    with read_only(database) as connection:
        found = [(one, *_sums(connection, one)) for one in questions]
        each = tuple(
            EventReport(
                device=one.device,
                since=one.since,
                until=one.until,
                by=one.by,
                lines=int(sums.lines.sum()),
                hits=int(sums.hits.sum()),
                groups=sums.keys.shape[1],
                counts_are_low=low,
                unread_lines=unread,
            )
            for one, sums, low, unread in found
        )
        whole = together([sums for _, sums, _, _ in found])
        low, unread = sum(one.counts_are_low for one in each), sum(one.unread_lines for one in each)
        return _answer(connection, first, whole, low, unread), each


def _sums(connection: sqlite3.Connection, asked: Question) -> tuple[Groups, int, int]:
    """The groups of a question's device; how often it said that it stopped counting; lines that cannot be read."""
    query = Query(
        device=_word(connection, asked.device),
        first=int(asked.since) // HOUR_SECONDS,
        last=ceil(asked.until / HOUR_SECONDS) - 1,
    )
    query = evolve(query, conditions=tuple(_conditions(connection, query, asked)))
    found = sum_by(connection, query, columns_of(asked.by))
    low, unread = connection.execute(
        "SELECT low, unread FROM event_readers WHERE device = ?", (query.device,)
    ).fetchone() or (0, 0)
    return found, low, unread


def _answer(
    connection: sqlite3.Connection, asked: Question, found: Groups, low: int, unread: int
) -> EventReport:
    columns = columns_of(asked.by)
    keys = found.keys
    # Rising keys, the first column first; by hours they stay in the order of time.
    order = np.arange(keys.shape[1])
    if columns[0] != "hour":
        order = np.lexsort((*keys[::-1], -found.hits))
    order = order[: asked.top]
    told = [
        _told(connection, column, one[order].tolist())
        for column, one in zip(columns, keys, strict=True)
    ]
    sums = zip(found.hits[order].tolist(), found.lines[order].tolist(), strict=True)
    return EventReport(
        device=asked.device,
        since=asked.since,
        until=asked.until,
        by=asked.by,
        rows=tuple(
            {**dict(zip(columns, values, strict=True)), "hits": hits, "lines": lines}
            for *values, (hits, lines) in zip(*told, sums, strict=True)
        ),
        lines=int(found.lines.sum()),
        hits=int(found.hits.sum()),
        groups=keys.shape[1],
        counts_are_low=low,
        unread_lines=unread,
    )


def _told(connection: sqlite3.Connection, by: str, keys: Sequence[int]) -> Iterator[Any]:
    """What stands in the answer for each of *keys*."""
    if by in WORDS:
        texts = labels(connection, keys)
        return (texts[key] for key in keys)
    if by == "action":
        return (ACTIONS[key] for key in keys)
    if by == "direction":
        return (DIRECTIONS[key] for key in keys)
    return (key * HOUR_SECONDS if by == "hour" else key for key in keys)


def _conditions(connection: sqlite3.Connection, query: Query, asked: Question) -> Iterator[Among]:
    for column, names, word in (
        ("action", ACTIONS, asked.action),
        ("direction", DIRECTIONS, asked.direction),
    ):
        if word is not None:
            yield among(column, [names.index(word)])
    for column, word in (("list", asked.list), ("entry", asked.entry)):
        if word is not None:
            yield among(column, [_word(connection, word)])
    for column, word in (("inside", asked.inside), ("outside", asked.outside)):
        if word is not None:
            yield among(column, _within(connection, query, column, word))
    if asked.listed is not None:
        yield among("outside", _listed(connection, query, asked.listed))
    if asked.ports:
        yield among("port", asked.ports)
    if asked.not_ports:
        yield among("port", asked.not_ports, negated=True)


def _word(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return -1 if row is None else int(row[0])


def _within(connection: sqlite3.Connection, query: Query, column: str, word: str) -> Sequence[int]:
    """The texts for a host or a network, of those that occur in the column."""
    if "/" not in word:
        return [_word(connection, _spelt(word))]
    within = lies_in(ip_network(word, strict=False))
    texts = labels(connection, distinct(connection, query, column).tolist())
    return [number for number, text in texts.items() if within(text)]


def _listed(connection: sqlite3.Connection, query: Query, networks: CidrSet) -> Sequence[int]:
    """The texts that are addresses of *networks*, of those that occur outside."""
    numbers, addresses = [], []
    for number, text in labels(connection, distinct(connection, query, "outside").tolist()).items():
        with suppress(ValueError):
            read_cidr(text)
            numbers.append(number)
            addresses.append(text)
    flags = overlapping(Entries.of(addresses), networks)
    # IPv4 stands before IPv6 there.
    v6 = np.array([":" in one for one in addresses], np.bool_)
    ordered = np.array(numbers, np.int64)
    ordered = np.concatenate((ordered[~v6], ordered[v6]))
    found: list[int] = ordered[flags].tolist()
    return found


def _spelt(word: str) -> str:
    try:
        return str(ip_address(word))
    except ValueError:
        return word


def lies_in(network: IPv4Network | IPv6Network) -> Callable[[str], bool]:
    """By the octets: it is asked of many texts, most of which are no address of this family."""
    family = AF_INET if isinstance(network, IPv4Network) else AF_INET6
    first, last = network.network_address.packed, network.broadcast_address.packed

    def within(text: str) -> bool:
        try:
            return first <= inet_pton(family, text) <= last
        except (OSError, ValueError):
            return False

    return within
