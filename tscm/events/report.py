"""
What the lists did, asked of the roll-ups: who was blocked, by which entry, how often.

One question is one value; the answer is data for a table, for JSON and for whatever sits on the
control interface.  Blocking: for a thread, on a read-only connection of its own.
"""

import sqlite3
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from attrs import frozen

from tscm.errors import Fault, SettingsFaulty
from tscm.events.rollups import ACTIONS, DIRECTIONS, HOUR_SECONDS
from tscm.model import Json

BY = ("entry", "list", "inside", "outside", "port", "protocol", "hour", "direction", "action")
TOP_MOST = 100_000
_LAST_MOMENT = 1 << 40
_TEXTS = frozenset({"entry", "list", "inside", "outside", "protocol"})
_DAILY = frozenset({"entry", "list", "direction", "action"})


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
    table, where, values = _conditions(connection, asked)
    column = asked.by
    grouped = (
        f"SELECT {column} AS what, SUM(lines) AS lines, SUM(hits) AS hits "  # noqa: S608 - words of this file
        f"FROM {table} WHERE {where} GROUP BY {column}"
    )
    groups, lines, hits = connection.execute(
        f"SELECT COUNT(*), COALESCE(SUM(lines), 0), COALESCE(SUM(hits), 0) FROM ({grouped})",  # noqa: S608
        values,
    ).fetchone()
    order = "what" if asked.by == "hour" else "hits DESC, what"
    rows = connection.execute(
        f"{grouped} ORDER BY {order} LIMIT ?", (*values, asked.top)
    ).fetchall()
    low = connection.execute(
        "SELECT low FROM event_readers JOIN words ON words.id = device WHERE text = ?",
        (asked.device,),
    ).fetchone()
    return Answer(
        question=asked,
        rows=tuple(
            {asked.by: _told(connection, asked.by, what), "hits": counted, "lines": raw}
            for what, raw, counted in rows
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


def _conditions(
    connection: sqlite3.Connection, asked: Question
) -> tuple[str, str, tuple[Any, ...]]:
    """
    The table that can answer, and the conditions on it: by day where whole days are asked for.
    """
    device = _word(connection, asked.device)
    first, last = int(asked.since) // HOUR_SECONDS, int(asked.until) // HOUR_SECONDS
    narrow = asked.inside or asked.outside or asked.ports or asked.not_ports
    whole_days = first % 24 == 0 and (last % 24 == 23 or _nothing_after(connection, device, last))
    if asked.by in _DAILY and not narrow and whole_days:
        table, conditions = "daily", ["device = ?", "day BETWEEN ? AND ?"]
        values: list[Any] = [device, first // 24, last // 24]
    else:
        table, conditions = "hits", ["device = ?", "hour BETWEEN ? AND ?"]
        values = [device, first, last]
    for column, words, word in (
        ("action", ACTIONS, asked.action),
        ("direction", DIRECTIONS, asked.direction),
    ):
        if word is not None:
            conditions.append(f"{column} = ?")
            values.append(words.index(word))
    for column, word in (("list", asked.list), ("entry", asked.entry)):
        if word is not None:
            conditions.append(f"{column} = ?")
            values.append(_word(connection, word))
    for column, word in (("inside", asked.inside), ("outside", asked.outside)):
        if word is not None:
            conditions.append(_within(connection, column, word, values))
    for negated, ports in (("", asked.ports), ("NOT ", asked.not_ports)):
        if ports:
            conditions.append(f"port {negated}IN ({', '.join('?' * len(ports))})")
            values += ports
    return table, " AND ".join(conditions), tuple(values)


def _nothing_after(connection: sqlite3.Connection, device: int, hour: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM hits WHERE device = ? AND hour > ? LIMIT 1", (device, hour)
    ).fetchone()
    return row is None


def _word(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM words WHERE text = ?", (text,)).fetchone()
    return -1 if row is None else int(row[0])


def _within(connection: sqlite3.Connection, column: str, word: str, values: list[Any]) -> str:
    if "/" not in word:
        values.append(_word(connection, _spelt(word)))
        return f"{column} = ?"
    network = ip_network(word, strict=False)
    connection.create_function(
        f"within_{column}", 1, lambda text: _lies_in(text, network), deterministic=True
    )
    return f"{column} IN (SELECT id FROM words WHERE within_{column}(text))"  # noqa: S608 - as above


def _spelt(word: str) -> str:
    try:
        return str(ip_address(word))
    except ValueError:
        return word


def _lies_in(text: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(text) in network
    except ValueError:
        return False
