"""
What the lists did, asked of the roll-ups: who was blocked, by which entry, how often.

One question is one value; the answer is data for a table, for JSON and for whatever sits on the
control interface.  Blocking: for a thread, on a read-only connection of its own.
"""

import sqlite3
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

from attrs import define, field, frozen

from tscm.errors import Fault, SettingsFaulty
from tscm.events.rollups import ACTIONS, DIRECTIONS, HOUR_SECONDS
from tscm.model import Json

BY = ("entry", "list", "inside", "outside", "port", "protocol", "hour", "direction", "action")
TOP_MOST = 100_000
_LAST_MOMENT = 1 << 40
_TEXTS = frozenset({"entry", "list", "inside", "outside", "protocol"})
_ALL_VIEWS = frozenset({"list", "direction", "action"})
_HOURLY = _ALL_VIEWS | {"hour"}
_DAILY = {
    "daily": _ALL_VIEWS | {"entry", "outside"},
    "daily_inside": _ALL_VIEWS | {"inside", "protocol", "port"},
}
"""Which columns each table has that is kept by day."""
_KEYS_LOOKED_UP = 4000
"""With more days and entries than this, reading all rows is quicker than looking each up."""


@frozen(kw_only=True)
class Question:
    """
    What a report is asked for.  *since* and *until* are POSIX seconds, widened to whole hours;
    *inside* and *outside* are a host or a network; empty *ports* mean all.
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


@frozen(kw_only=True)
class Answer:
    """
    Rows by falling hits, and what all of them came to, those below the top included.
    """

    question: Question
    rows: tuple[Json, ...]
    lines: int
    hits: int
    groups: int
    low: int
    """Messages that said that the firewall stopped counting (106101): then all counts are low."""

    def as_json(self) -> Json:
        """For `--json` and the control interface."""
        asked = self.question
        return {
            "device": asked.device,
            "since": asked.since,
            "until": asked.until,
            "by": asked.by,
            "rows": list(self.rows),
            "lines": self.lines,
            "hits": self.hits,
            "groups": self.groups,
            "counts_are_low": self.low,
        }


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
        by=read("by", _one_of(*BY), "entry"),
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
        faults.append(Fault(where="--until", wrong="it lies before --since"))
    if faults:
        raise SettingsFaulty("report", faults)
    return question


def _seconds(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < _LAST_MOMENT:
        raise ValueError(f"{str(value)[:60]!r} is no time; allowed: POSIX seconds")
    return found


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{str(value)[:60]!r} is unknown; allowed: {', '.join(words)}")
        return str(value)

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise ValueError(f"{text[:60]!r} is out of range; allowed: {low} to {high}")
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
            f"{str(value)[:60]!r} is no network; allowed: 203.0.113.0/24, 2001:db8::/32"
        ) from None


def ask(database: Path, question: Question) -> Answer:
    """
    The answer.  Blocking; an absent database has counted nothing.
    """
    if not database.exists():
        return Answer(question=question, rows=(), lines=0, hits=0, groups=0, low=0)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30.0)
    try:
        return _ask(connection, question)
    finally:
        connection.close()


def _ask(connection: sqlite3.Connection, asked: Question) -> Answer:
    parts = _parts(connection, asked)
    summed = " UNION ALL ".join(
        f"SELECT {part.column(asked.by)} AS what, SUM(lines) AS lines, SUM(hits) AS hits "  # noqa: S608 - words of this file
        f"FROM {part.rows} WHERE {' AND '.join(part.conditions)} GROUP BY what"
        for part in parts
    )
    order = "what" if asked.by == "hour" else "hits DESC, what"
    rows = connection.execute(
        f"WITH summed AS ({summed}), "  # noqa: S608 - as above
        "grouped AS (SELECT what, SUM(lines) AS lines, SUM(hits) AS hits FROM summed GROUP BY what) "
        "SELECT what, lines, hits, COUNT(*) OVER (), SUM(lines) OVER (), SUM(hits) OVER () "
        f"FROM grouped ORDER BY {order} LIMIT ?",
        (*(value for part in parts for value in part.values), asked.top),
    ).fetchall()
    groups, lines, hits = rows[0][3:] if rows else (0, 0, 0)
    low = connection.execute(
        "SELECT low FROM event_readers JOIN words ON words.id = device WHERE text = ?",
        (asked.device,),
    ).fetchone()
    return Answer(
        question=asked,
        rows=tuple(
            {asked.by: _told(connection, asked.by, what), "hits": counted, "lines": raw}
            for what, raw, counted, *_ in rows
        ),
        lines=lines,
        hits=hits,
        groups=groups,
        low=0 if low is None else low[0],
    )


def _told(connection: sqlite3.Connection, by: str, what: int) -> Any:
    if by in _TEXTS:
        (text,) = connection.execute("SELECT text FROM words WHERE id = ?", (what,)).fetchone()
        return text
    if by == "action":
        return ACTIONS[what]
    if by == "direction":
        return DIRECTIONS[what]
    return what * HOUR_SECONDS if by == "hour" else what


@define
class _Part:
    """
    Rows of one table: conditions, and the values that stand in them, in order.
    """

    table: str
    rows: str
    conditions: list[str] = field(factory=list)
    values: list[Any] = field(factory=list)

    def column(self, name: str) -> str:
        """*name*, told from columns of the same name beside it."""
        return f"{self.table}.{name}"

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values += values


def _parts(connection: sqlite3.Connection, asked: Question) -> list[_Part]:
    """
    The tables that answer together: whole days by day where that is kept, what is left by hour.
    """
    device = _word(connection, asked.device)
    first, last = int(asked.since) // HOUR_SECONDS, int(asked.until) // HOUR_SECONDS
    filters = _filters(connection, asked)
    wanted = {asked.by, *(column for column, _, _ in filters)}

    def part(table: str, time: str, begin: int, end: int) -> _Part:
        found = _Part(table, table)
        found.add(f"{table}.device = ? AND {table}.{time} BETWEEN ? AND ?", device, begin, end)
        for column, condition, values in filters:
            if table != "daily" or column in _DAILY["daily"]:
                found.add(f"{table}.{column} {condition}", *values)
        return found

    def hours(begin: int, end: int) -> _Part:
        found = part("hits", "hour", begin, end)
        if {column for column, _, _ in filters} & {"entry", "outside"}:
            _look_up(connection, found, part("daily", "day", begin // 24, end // 24))
        return found

    if wanted <= _HOURLY:
        return [part("hourly", "hour", first, last)]
    table = next((table for table, columns in _DAILY.items() if wanted <= columns), None)
    whole_last = last % 24 == 23 or _nothing_after(connection, device, last)
    begin, end = -(-first // 24), last // 24 if whole_last else last // 24 - 1
    if table is None or begin > end:
        return [hours(first, last)]
    found = [part(table, "day", begin, end)]
    if first < begin * 24:
        found.append(hours(first, begin * 24 - 1))
    if last >= end * 24 + 24 and not whole_last:
        found.append(hours(end * 24 + 24, last))
    return found


_Filter = tuple[str, str, tuple[Any, ...]]
"""A column, the condition on it, and the values that stand in it."""


def _filters(connection: sqlite3.Connection, asked: Question) -> list[_Filter]:
    found: list[_Filter] = []
    for column, words, word in (
        ("action", ACTIONS, asked.action),
        ("direction", DIRECTIONS, asked.direction),
    ):
        if word is not None:
            found.append((column, "= ?", (words.index(word),)))
    for column, word in (("list", asked.list), ("entry", asked.entry)):
        if word is not None:
            found.append((column, "= ?", (_word(connection, word),)))
    for column, word in (("inside", asked.inside), ("outside", asked.outside)):
        if word is not None:
            found.append((column, *_within(connection, column, word)))
    for negated, ports in (("", asked.ports), ("NOT ", asked.not_ports)):
        if ports:
            found.append(("port", f"{negated}IN ({', '.join('?' * len(ports))})", ports))
    return found


def _look_up(connection: sqlite3.Connection, part: _Part, daily: _Part) -> None:
    """
    Ask `hits` only for the days and entries that *daily* has of an entry or outside end.

    Both stand in its key, before what else is asked for, so that each hour is one look-up.
    """
    keys = (
        f"SELECT DISTINCT day, action, direction, list, entry FROM daily "  # noqa: S608 - words of this file
        f"WHERE {' AND '.join(daily.conditions)} LIMIT {_KEYS_LOOKED_UP + 1}"
    )
    (count,) = connection.execute(f"SELECT COUNT(*) FROM ({keys})", daily.values).fetchone()  # noqa: S608
    if count > _KEYS_LOOKED_UP:
        return
    part.rows = f"({keys}) AS found CROSS JOIN ({_HOURS_OF_DAY}) AS hours CROSS JOIN hits"
    part.values[:0] = daily.values
    # The plus keeps the range of hours from being taken for the way in: the day and its hour are.
    part.conditions = [
        one.replace("hits.hour BETWEEN", "+hits.hour BETWEEN") for one in part.conditions
    ]
    part.add("hits.hour = found.day * 24 + hours.n")
    for column in ("action", "direction", "list", "entry"):
        part.add(f"hits.{column} = found.{column}")


_HOURS_OF_DAY = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(24))


def _nothing_after(connection: sqlite3.Connection, device: int, hour: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM hits WHERE device = ? AND hour > ? LIMIT 1", (device, hour)
    ).fetchone()
    return row is None


def _word(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return -1 if row is None else int(row[0])


def _within(connection: sqlite3.Connection, column: str, word: str) -> tuple[str, tuple[Any, ...]]:
    """
    The condition for a host or a network.  Which texts lie in a network is looked up once.
    """
    if "/" not in word:
        return "= ?", (_word(connection, _spelt(word)),)
    network = ip_network(word, strict=False)
    connection.create_function("lies_in", 1, _lies_in(network), deterministic=True)
    begin = ""
    if isinstance(network, IPv4Network):
        whole = network.prefixlen // 8
        begin = "".join(f"{octet}." for octet in network.network_address.packed[: min(whole, 3)])
    connection.execute(f"CREATE TEMP TABLE {column}_asked (id INTEGER PRIMARY KEY)")
    connection.execute(
        f"INSERT INTO {column}_asked SELECT id FROM words WHERE text GLOB ? AND lies_in(text)",  # noqa: S608 - a word of this file
        (f"{begin}*",),
    )
    return f"IN (SELECT id FROM {column}_asked)", ()  # noqa: S608 - as above


def _spelt(word: str) -> str:
    try:
        return str(ip_address(word))
    except ValueError:
        return word


def _lies_in(network: IPv4Network | IPv6Network) -> Callable[[str], bool]:
    """By the octets: it is asked of many texts, most of which are no address of this family."""
    family = AF_INET if isinstance(network, IPv4Network) else AF_INET6
    first, last = network.network_address.packed, network.broadcast_address.packed

    def lies_in(text: str) -> bool:
        try:
            return first <= inet_pton(family, text) <= last
        except (OSError, ValueError):
            return False

    return lies_in
