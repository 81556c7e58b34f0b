"""
The child process that parses: blocks of lines in, roll-ups into the database, positions out.

Parsing and matching would hold up the reactor, so they have a process and a connection of their
own.  A request is one line of JSON, followed by *size* bytes of the logs; the answer is one line of
JSON.  It ends when its input does.
"""

import json
import sqlite3
import sys
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, BinaryIO

import attrs
from attrs import define, field, frozen

from tscm.base.parse_child import begin
from tscm.events.blocks import merge, tally_block
from tscm.events.first_hits import FirstHits, Journal
from tscm.events.judge import LATE_SECONDS, TEST_LIST, Force, Judged, Tally, by_list
from tscm.events.parts import parted
from tscm.events.rollups import HOUR_SECONDS, EventPosition, Rollups
from tscm.model import Block, Cidr, Json, Origin, Stretch
from tscm.policy.entries import Entries
from tscm.spool.disk import Disk
from tscm.spool.text import read_stretch
from tscm.store.database import open_database
from tscm.store.generations import decode_entries

_ENTRIES_KEPT = 1_000_000
"""Entries that are kept ready to be asked, some 50 bytes each; a list over that all the same."""
_READY_LEAST = 4
"""Generations that are kept whatever their size: the next of a device comes before the last is done with."""
_CONTENTS_KEPT = 1 << 14
_TESTS_KEPT = 8
_DAMAGED = Judged.of(Entries(), Entries())
_POSITION = tuple(one.name for one in attrs.fields(EventPosition))
_values_of = attrgetter(*_POSITION)
_PACKING_SECONDS = 0.5
MEMORY_BYTES = 512 << 20
"""What parsing may take; some 40 MB is usual.  A process that needs more ends, and the next begins."""
FAULTS = (sqlite3.Error, ValueError, LookupError, TypeError)
"""What a request, or a part of one, may fail with; the process goes on."""


@define(eq=False)
class ForceTable:
    """
    Generations ready to be asked; what was asked last stays at hand, as much as is worth its memory.

    Most devices of a node hold the same lists, which are made ready once for all of them.  A generation that lies
    damaged in the database has no entries: its lines count as others.
    """

    _connection: sqlite3.Connection
    entries_kept: int = _ENTRIES_KEPT
    _damaged: set[tuple[str, int]] = field(factory=set, init=False)
    _contents: "OrderedDict[tuple[str, int, float], bytes]" = field(factory=OrderedDict, init=False)
    """Which content a generation has, by device, number, and when it came into force."""
    _ready: "OrderedDict[bytes, Judged]" = field(factory=OrderedDict, init=False)

    def over(self, connection: sqlite3.Connection) -> None:
        """Go on with another connection: SQLite's belong to the thread that opened them."""
        self._connection = connection

    def between(
        self, device: str, names: tuple[str, str], first: float, last: float
    ) -> list[Force]:
        """What lines received from *first* to *last* may tell of, however many came soon before or after."""
        known = self._connection.execute(
            "SELECT number, applied_at FROM generations WHERE device = ? ORDER BY applied_at",
            (device,),
        ).fetchall()
        times = [applied_at for _, applied_at in known]
        # As `applicable` chooses: those in force meanwhile, the one before them and the one after.
        begin = max(0, bisect_right(times, first) - 2)
        wanted = []
        for at, (number, applied_at) in enumerate(known[begin : bisect_right(times, last) + 1]):
            after = begin + at + 1
            ends = times[after] if after < len(times) else float("inf")
            if applied_at <= last + LATE_SECONDS and ends + LATE_SECONDS >= first:
                wanted.append((number, applied_at))
        return [self._force(device, *one, names) for one in wanted]

    def damaged(self, device: str, forces: Sequence[Force]) -> list[int]:
        """Which of *forces* stand for generations that cannot be read."""
        return sorted(one.number for one in forces if (device, one.number) in self._damaged)

    def first_applied_at(self, device: str) -> float | None:
        """When the oldest generation that is kept came into force."""
        (found,) = self._connection.execute(
            "SELECT MIN(applied_at) FROM generations WHERE device = ?", (device,)
        ).fetchone()
        return None if found is None else float(found)

    def _force(self, device: str, number: int, applied_at: float, names: tuple[str, str]) -> Force:
        key = (device, number, applied_at)
        content = self._contents.pop(key, None)
        judged = None if content is None else self._ready.pop(content, None)
        if content is None or judged is None:
            packed = self._connection.execute(
                "SELECT block, lists_block, allow, lists_allow FROM generations "
                "WHERE device = ? AND number = ?",
                (device, number),
            ).fetchone()
            content = _digest(packed)
            judged = self._ready.pop(content, None)
            if judged is None:
                judged = self._made(packed)
                self._make_room(judged)
        self._contents[key] = content
        if len(self._contents) > _CONTENTS_KEPT:
            self._contents.popitem(last=False)
        if judged is _DAMAGED:
            self._damaged.add((device, number))
        else:
            self._damaged.discard((device, number))  # a device of the same name, made again
        self._ready[content] = judged
        return Force.by(number, applied_at, names, judged)

    def _make_room(self, more: Judged) -> None:
        """Let go of what was asked longest ago, for *more* that is about to be kept."""
        entries = len(more) + sum(map(len, self._ready.values()))
        while entries > self.entries_kept and len(self._ready) >= _READY_LEAST:
            entries -= len(self._ready.popitem(last=False)[1])

    def _made(self, packed: Sequence[bytes | None]) -> Judged:
        """`_DAMAGED` where they cannot be read."""
        block, lists_block, allow, lists_allow = packed
        assert block is not None
        assert allow is not None
        try:
            blocked, allowed = _parted(block, lists_block), _parted(allow, lists_allow)
        except ValueError:
            return _DAMAGED
        return Judged.of(blocked[0], allowed[0], (blocked[1], allowed[1]))


def _digest(packed: Sequence[bytes | None]) -> bytes:
    """One for each content: what is equal is made ready once."""
    found = blake2b(digest_size=16)
    for part in packed:
        found.update(b"-" if part is None else b"%d:" % len(part))
        found.update(part or b"")
    return found.digest()


def _parted(whole: bytes, lists: bytes | None) -> tuple[Entries, frozenset[Cidr]]:
    """Entries to match with, and which are there by hand; *lists* is None where none are."""
    entries = decode_entries(whole)
    return (entries, frozenset()) if lists is None else parted(entries, decode_entries(lists))


@frozen
class _Change:
    """
    What is answered to one part, and what it changes: nothing where *moved* is None.
    """

    answer: Json
    moved: EventPosition | None = None
    tallies: dict[int, Tally] = field(factory=dict)
    journal: Journal | None = None


def _told(position: EventPosition) -> Json:
    """`attrs.asdict` without its look into every value."""
    return dict(zip(_POSITION, _values_of(position), strict=True))


def _error(error: Exception) -> Json:
    return {"error": f"{type(error).__name__}: {error}"}


@define(eq=False)
class Worker:
    """
    Answers one request after the other.
    """

    _rollups: Rollups
    _forces: ForceTable
    _hour: int | None = field(default=None, init=False)
    """The hour that is counted again."""
    _recounted: Tally = field(factory=Tally, init=False)
    _hours: int = field(default=0, init=False)
    _uncertain: set[int] = field(factory=set, init=False)
    """Hours that a damaged generation had a part in: what was counted of them is better."""
    _first_hits: dict[str, FirstHits] = field(factory=dict, init=False)
    """By device, as of its position in the database: what was not stored is read from there again."""
    _positions: dict[str, EventPosition] = field(factory=dict, init=False)
    """Likewise: the reader's, which no other part moves."""
    _recounted_first_hits: FirstHits = field(factory=FirstHits, init=False)
    _now: Callable[[], float] = time.time
    packing_seconds: float = _PACKING_SECONDS
    _disk: Disk = field(factory=Disk)
    _unpacked: list[tuple[int, int]] = field(factory=list, init=False)
    """Devices and days that had rows of hours that are over, as of the last look, and have not had their turn."""

    def answer(self, request: Json, data: bytes) -> Json:
        """
        Carry *request* out.

        Its kind is `many`, `coverage`, `recount`, `recounted`, `forget`, `expire` or `pack`.
        """
        kind, device = request["kind"], request.get("device", "")
        if kind == "many":
            return {"parts": self._many(request["parts"], data)}
        if kind == "coverage":
            return self._coverage(device)
        if kind == "recount":
            return self._recount(device, request, data)
        if kind == "recounted":
            return self._finish(device)
        if kind == "forget":
            self._rollups.forget(device)
            self._read_again(device)
            return {}
        if kind == "rename":
            self._rollups.rename(device, str(request["to"]))
            self._read_again(device)
            self._read_again(str(request["to"]))
            return {}
        if kind == "expire":
            return {"gone": self._rollups.expire(int(request["before_hour"]))}
        if kind == "pack":
            return self._pack()
        raise ValueError(f"unknown request {kind!r}")

    def _pack(self) -> Json:
        """
        Pack hours that are over, for a moment: the next question waits so long.

        Gives whether more is to do of what there was at the first look; what comes late meanwhile is
        left for the next, or a day would be written again for every line of it.
        """
        this_hour = int(self._now()) // HOUR_SECONDS
        if not self._unpacked:
            self._unpacked = self._rollups.days_to_pack(this_hour)
        ends = time.monotonic() + self.packing_seconds
        while self._unpacked:
            try:
                more = self._rollups.pack(*self._unpacked[-1], this_hour)
            except FAULTS:
                self._unpacked.pop()  # a damaged day must not keep the others from their turn
                raise
            if not more:
                self._unpacked.pop()
            if time.monotonic() >= ends:
                break
        return {"more": bool(self._unpacked)}

    def _many(self, parts: Sequence[Json], data: bytes) -> list[Json]:
        """
        An answer or an error for each part; what they came to is counted in one transaction.

        A part's kind is `position`, `move` or `block`, and no two are of one device.  A fault of one
        takes back what that one changed, and nothing of the others.  Raises `sqlite3.Error` where
        nothing could be counted.
        """
        try:
            return self._answers(parts, data)
        except BaseException:
            self._first_hits.clear()
            self._positions.clear()
            raise

    def _answers(self, parts: Sequence[Json], data: bytes) -> list[Json]:
        answers: list[Json] = []
        counted: list[tuple[int, str, _Change]] = []
        at = 0
        for part in parts:
            piece, at = data[at : at + part["size"]], at + part["size"]
            try:
                change = self._change(part, piece)
            except FAULTS as error:
                answers.append(_error(error))
                self._read_again(part.get("device", ""))
                continue
            if change.moved is not None:
                counted.append((len(answers), part["device"], change))
            answers.append({"answer": change.answer})
        if counted:
            with self._rollups.together():  # after all was parsed: so that the lock is held briefly
                for number, device, change in counted:
                    assert change.moved is not None
                    try:
                        self._rollups.add(device, change.tallies, change.moved, change.journal)
                    except FAULTS as error:
                        self._read_again(device)
                        if not self._rollups.in_transaction:  # the disk ended it for all
                            raise
                        answers[number] = _error(error)
                    else:
                        self._positions[device] = change.moved
        return answers

    def _read_again(self, device: str) -> None:
        """What is known of a device is what the database tells, and no more."""
        self._first_hits.pop(device, None)
        self._positions.pop(device, None)

    def _change(self, part: Json, data: bytes) -> "_Change":
        """What a part asks for, and what is to be stored for it."""
        kind, device = part["kind"], part["device"]
        if kind == "move":
            moved = EventPosition(
                **{name: int(part[name]) for name in ("offset", "sent", "not_selected")}
            )
            return _Change(_told(moved), moved)
        before = self._positions.get(device) if kind == "block" else None
        if before is None:
            before = self._positions[device] = self._rollups.position(device)
        if kind == "position":
            return _Change(_told(before))
        if kind != "block":
            raise ValueError(f"unknown part {kind!r}")
        if before.offset != part["start"] and not part.get("jump"):
            # What the reader sent is counted already, or lies ahead.
            return _Change(_told(before))
        if "folder" in part:
            try:
                data = read_stretch(self._disk, _stretch_of(part))
            except OSError:  # the manager reads it, and says what is wrong
                return _Change({**_told(before), "carry": True})
        first_hits = self._first_hits.get(device)
        if first_hits is None:
            first_hits = self._first_hits[device] = self._rollups.first_hits(device)
        tallies, moved, upheavals, damaged = self._tally(device, part, data, before, first_hits)
        answer = {**_told(moved), "damaged": damaged, "upheavals": upheavals}
        answer["hits"] = by_list(tallies.values())
        return _Change(answer, moved, tallies, first_hits.take_journal())

    def _coverage(self, device: str) -> Json:
        """The first hour in which a generation that is still kept was in force throughout."""
        self._hour, self._recounted, self._hours = None, Tally(), 0
        self._recounted_first_hits = FirstHits()
        self._uncertain.clear()
        first = self._forces.first_applied_at(device)
        return {"first_hour": None if first is None else int(first) // HOUR_SECONDS + 1}

    def _recount(self, device: str, request: Json, data: bytes) -> Json:
        """
        A block once more: hours are replaced when they are whole, the position stays.
        """
        tallies, _, _, damaged = self._tally(
            device, request, data, EventPosition(), self._recounted_first_hits
        )
        if damaged:
            self._uncertain.update(tallies)
        for hour in sorted(tallies):
            if hour < request["first_hour"]:
                continue
            if self._hour is not None and hour > self._hour:
                self._finish(device)
            self._hour = hour if self._hour is None else self._hour
            merge(self._recounted, tallies[hour])
        return {"hours": self._hours}

    def _finish(self, device: str) -> Json:
        """The hour in hand is whole."""
        if self._hour is not None and self._hour not in self._uncertain:
            self._rollups.replace_hour(device, self._hour, self._recounted)
            self._hours += 1
        hours, self._hour, self._recounted = self._hours, None, Tally()
        return {"hours": hours}

    def _tally(
        self,
        device: str,
        request: Json,
        data: bytes,
        before: EventPosition,
        first_hits: FirstHits,
    ) -> tuple[dict[int, Tally], EventPosition, dict[str, float], list[int]]:
        """By hours what the block came to, where it ends, upheavals in it, and damaged generations."""
        block = Block(
            device=device,
            start=request["start"],
            end=request["end"],
            data=data,
            lines=request["lines"],
            escaped=True,
        )
        origins = [
            Origin(start=start, end=end, received_at=at) for start, end, at in request["origins"]
        ]
        times = [one.received_at for one in origins if one.received_at] or [0.0]
        names = (request["block_list"], request["allow_list"])
        forces = self._forces.between(device, names, min(times), max(times))
        access_lists = frozenset(name.encode() for name in request.get("access_lists", ()))
        tallies, moved, upheavals = tally_block(
            block,
            origins,
            forces,
            before,
            first_hits=first_hits,
            access_lists=access_lists,
            tested=_tested(request.get("tested", ())),
            form=str(request.get("form", "")),
        )
        return tallies, moved, upheavals, self._forces.damaged(device, forces)


def _stretch_of(part: Json) -> Stretch:
    names = ("start", "end", "lines", "folder", "base", "inode")
    return Stretch(**{name: part[name] for name in names})


@lru_cache(maxsize=_TESTS_KEPT)
def _force_of(tested: tuple[str, ...]) -> Force:
    return Force.of(0, 0.0, (TEST_LIST, Entries.of(tested)), (TEST_LIST, Entries()))


def _tested(entries: Sequence[str]) -> Sequence[Force]:
    """What tests of the chain blocked, as a generation of its own."""
    return (_force_of(tuple(entries)),) if entries else ()


def _answered(worker: Worker, request: Json, data: bytes) -> Json:
    try:
        return {"answer": worker.answer(request, data)}
    except FAULTS as error:
        return _error(error)


def serve(path: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until *requests* ends, or until memory does: what is left then is not to be relied on."""
    connection = open_database(path)
    worker = Worker(Rollups(connection), ForceTable(connection))
    enough = True
    while enough and (line := requests.readline()):
        try:
            request: Any = json.loads(line)
            data = requests.read(int(request.get("size", 0)))
            found = _answered(worker, request, data)
        except MemoryError:
            enough = False
            found = {"error": f"it would take more than {MEMORY_BYTES >> 20} MB of memory"}
        answers.write(json.dumps(found).encode() + b"\n")
        answers.flush()
    connection.close()


if __name__ == "__main__":
    begin(MEMORY_BYTES)
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
