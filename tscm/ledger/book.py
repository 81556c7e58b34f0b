"""
What the ledger remembers of listeners over restarts: a small file beside the database.

A listener's counts begin with its process; those of a log begin with the log.  The book adds the
processes up, and at each start holds what it last noted of every log against the log itself: after a
clean stop the two are equal, and after an unclean one the difference is what was stored in the last
seconds, whose listener is not known any more.  Pure, save for two functions at the end.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from attrs import asdict, evolve, field, frozen

from tscm.base.backup_rule import BackupRule, Treatment
from tscm.base.safe_files import read_regular
from tscm.intake.figures import IntakeCounts
from tscm.ledger.figures import Gap
from tscm.settings.files import write_private

GAPS_KEPT = 100
NAMES_KEPT = 64
SENDERS_KEPT = 1024
UNTOLD = "unknown (unclean stop)"
"""In place of a listener: lines that are on a log and that no note had reached."""
OTHERS = "others"

_VERSION = 1
_MOST_BYTES = 4 << 20


BACKUP = (BackupRule("var/lib/tscm/ledger", Treatment.COPY),)
"""What a backup does with the book's file."""


@frozen(kw_only=True)
class Counts:
    """One listener's counts."""

    received: int = 0
    stored: int = 0
    dropped: Mapping[str, int] = field(factory=dict)
    kernel_drops: int = 0

    def plus(self, more: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            received=self.received + more.received,
            stored=self.stored + more.stored,
            dropped=added(self.dropped, more.dropped),
            kernel_drops=self.kernel_drops + more.kernel_drops,
        )


@frozen(kw_only=True)
class Book:
    """
    Counts of all processes up to *at*; *clean* says that nothing came after that.

    *logs* are the lines that each device's log had stored then, and *lost* those of them that
    were gone from it by no doing of ours.
    """

    began_at: float
    at: float
    clean: bool = False
    starts: int = 0
    listeners: Mapping[str, Counts] = field(factory=dict)
    logs: Mapping[str, int] = field(factory=dict)
    lost: Mapping[str, int] = field(factory=dict)
    senders: Mapping[str, int] = field(factory=dict)
    """Lines of unknown senders that were dropped, by address."""
    refused: Mapping[str, int] = field(factory=dict)
    """Lines that a device's log could not take."""
    kernel: Mapping[str, int] = field(factory=dict)
    """What each socket told of the kernel's drops at the last note."""
    gaps: tuple[Gap, ...] = ()
    gaps_total: int = 0

    @classmethod
    def new(cls, now: float) -> Self:
        """An empty one."""
        return cls(began_at=now, at=now, clean=True)

    def opened(
        self, found: Mapping[str, int], now: float, gone: Mapping[str, int] | None = None
    ) -> "Book":
        """
        The book at a manager's start: *found* are the lines that the logs count now, *gone* those
        of them that are not there any more by no doing of ours.

        A log may count fewer lines than were noted, or count them and have lost them: a power cut
        took both.  A log that the book does not know is none of its business: it begins with
        what is there.
        """
        lines = lost = 0
        for name, stored in found.items():
            grown, less = self._compared(name, stored, 0 if gone is None else gone.get(name, 0))
            lines, lost = lines + grown, lost + less
        book = evolve(self, starts=self.starts + 1, clean=False)
        if self.clean and not lines and not lost:
            return book
        gap = Gap(after=self.at, before=max(now, self.at), lines=lines, lost=lost, clean=self.clean)
        return evolve(
            book,
            listeners=self._with_untold(lines),
            gaps=(*self.gaps, gap)[-GAPS_KEPT:],
            gaps_total=self.gaps_total + 1,
        )

    def found(self, name: str, stored: int, gone: int) -> "Book":
        """
        The book once a log is open that was not at the start: as `opened` has it of the others.

        What it had grown by, or lost, belongs to the last gap.
        """
        lines, lost = self._compared(name, stored, gone)
        if not lines and not lost:
            return self
        gaps = self.gaps
        if gaps:
            last = gaps[-1]
            gaps = (*gaps[:-1], evolve(last, lines=last.lines + lines, lost=last.lost + lost))
        return evolve(self, listeners=self._with_untold(lines), gaps=gaps)

    def without_log(self, name: str) -> "Book":
        """The book once the log *name* was deleted on purpose."""
        logs = {one: lines for one, lines in self.logs.items() if one != name}
        lost = {one: lines for one, lines in self.lost.items() if one != name}
        return evolve(self, logs=logs, lost=lost)

    def renamed(self, name: str, to: str) -> "Book":
        """The book once the log *name* is called *to*."""

        def moved(counts: Mapping[str, int]) -> dict[str, int]:
            return {
                to if one == name else one: n
                for one, n in counts.items()
                if one != to or name not in counts
            }

        return evolve(
            self, logs=moved(self.logs), lost=moved(self.lost), refused=moved(self.refused)
        )

    def _compared(self, name: str, stored: int, missing: int) -> tuple[int, int]:
        """By how many lines a log has grown since it was noted, and how many it has lost."""
        grown = stored - self.logs.get(name, stored)
        lost = max(0, -grown) + max(0, missing - self.lost.get(name, missing))
        return max(0, grown), lost

    def _with_untold(self, lines: int) -> Mapping[str, Counts]:
        untold = self.listeners.get(UNTOLD, Counts()).plus(Counts(received=lines, stored=lines))
        return {**self.listeners, UNTOLD: untold} if untold.received else self.listeners

    def with_run(
        self, intake: IntakeCounts, strangers: Mapping[str, int], kernel: Mapping[str, int]
    ) -> "Book":
        """
        The book with the counts of the process that runs: *intake* are `IntakeService.counts()`.

        *kernel* are the kernel's drops of each listener since this process began.
        """
        listeners = dict(self.listeners)
        for name, one in intake.listeners.items():
            counts = Counts(
                received=one.received,
                stored=one.stored,
                dropped={cause: lines for cause, lines in one.dropped.items() if lines},
                kernel_drops=kernel.get(name, 0),
            )
            listeners[name] = listeners.get(name, Counts()).plus(counts)
        refused = {
            name: sum(one.dropped.values()) for name, one in intake.devices.items() if one.dropped
        }
        return evolve(
            self,
            listeners=_few_listeners(listeners),
            senders=_few(added(self.senders, strangers)),
            refused=_few(added(self.refused, refused)),
        )


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Counts by name, both together."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _few(counts: dict[str, int]) -> dict[str, int]:
    """At most `SENDERS_KEPT` names, those with the most; the rest under `OTHERS`."""
    if len(counts) <= SENDERS_KEPT:
        return counts
    others = counts.pop(OTHERS, 0)
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    kept = dict(ranked[: SENDERS_KEPT - 1])
    kept[OTHERS] = others + sum(lines for _, lines in ranked[SENDERS_KEPT - 1 :])
    return kept


def _few_listeners(listeners: dict[str, Counts]) -> dict[str, Counts]:
    """At most `NAMES_KEPT`: with a port of the kernel's choice each start has names of its own."""
    if len(listeners) <= NAMES_KEPT:
        return listeners
    others = listeners.pop(OTHERS, Counts())
    names = list(listeners)
    for name in names[: len(names) - NAMES_KEPT + 1]:
        others = others.plus(listeners.pop(name))
    return {OTHERS: others, **listeners}


def encode_book(book: Book) -> bytes:
    """The file's bytes: one line of JSON behind its checksum."""
    body = json.dumps({"version": _VERSION, **asdict(book)}, sort_keys=True).encode()
    return b"%08x %s\n" % (crc32(body), body)


def decode_book(data: bytes) -> Book | None:
    """What was encoded; None where it is damaged."""
    crc, _, body = data.rstrip(b"\n").partition(b" ")
    try:
        if int(crc, 16) != crc32(body):
            return None
        table: dict[str, Any] = json.loads(body)
        if table.pop("version") != _VERSION:
            return None
        table["listeners"] = {name: Counts(**one) for name, one in table["listeners"].items()}
        table["gaps"] = tuple(Gap(**one) for one in table["gaps"])
        return Book(**table)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_book(path: Path) -> Book | None:
    """Blocking: the book on disk; None where there is none.  Raises `ValueError` for a damaged one."""
    try:
        data = read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return None
    book = decode_book(data)
    if book is None:
        raise ValueError(f"{path} is damaged")
    return book


def write_book(path: Path, book: Book) -> None:
    """Blocking: put the book on disk, whole or not at all.  Raises `OSError`."""
    write_private(path, encode_book(book))


def rename_log(path: Path, name: str, to: str) -> None:
    """
    Blocking: have the book on disk call the log *name* *to*, if there is one.

    A damaged book is left for the next start, which says so.  Raises `OSError`.
    """
    with contextlib.suppress(ValueError):
        book = read_book(path)
        if book is not None and book.renamed(name, to) != book:
            write_book(path, book.renamed(name, to))


def forget_log(path: Path, name: str) -> None:
    """
    Blocking: take a log that was deleted on purpose out of the book on disk, if there is one.

    A damaged book is left for the next start, which says so.  Raises `OSError`.
    """
    with contextlib.suppress(ValueError):
        book = read_book(path)
        if book is not None and name in book.logs:
            write_book(path, book.without_log(name))
