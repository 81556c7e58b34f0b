"""
The ledger's keeper: notes the listeners' counts now and then, and checks the balance on its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar

from attrs import define, evolve, field, frozen
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tscm.base.clock import wall_seconds
from tscm.base.safe_files import UnfitFile
from tscm.base.schedule import PeriodicService
from tscm.base.threads import Threads
from tscm.intake.figures import IntakeCounts, kernel_drops
from tscm.ledger.balance import differences_of
from tscm.ledger.book import Book, read_book, write_book
from tscm.ledger.figures import Balance, KeeperFigures

NOTE_SECONDS = 10.0
CHECK_SECONDS = 60.0
_STRANGERS_MOST = 4096


@frozen(kw_only=True)
class Start:
    """
    What was there when the keeper began, for a book that can be read only later.
    """

    at: float
    logs: Mapping[str, int]
    lost: Mapping[str, int]
    kernel: Mapping[str, int]


@define(eq=False)
class LedgerKeeper(MultiService):
    """
    Keeps the book at *path*.

    *intake* gives `IntakeService.counts()`, *strangers* the lines of unknown senders by address, *logs*
    the lines of every open log and *lost* those that are gone from it, *check* the balance.  Begins when the logs are open and before
    lines come in; stops when no more come and before the logs are closed.
    """

    _log: ClassVar[Logger] = Logger()

    _clock: IReactorTime
    _threads: Threads
    _path: Path
    _intake: Callable[[], IntakeCounts]
    _strangers: Callable[[], Mapping[str, int]]
    _logs: Callable[[], Mapping[str, int]]
    _lost: Callable[[], Mapping[str, int]]
    _balance: Callable[[], Awaitable[Balance]]
    fault: str = field(default="", init=False)
    """Why the book cannot be written."""
    unbalanced: str = field(default="", init=False)
    """What did not balance at the last check; empty where all did."""
    unbalanced_since: float | None = field(default=None, init=False)
    _book: Book = field(init=False)
    _start: "Start" = field(init=False)
    _unread: str = field(default="", init=False)
    """Why the book on disk could not be read yet; it is not written over meanwhile."""
    _noted: Book | None = field(default=None, init=False)
    _strangers_seen: dict[str, int] = field(factory=dict, init=False)
    """Lines by unknown sender in this process, also of those that are known or forgotten by now."""
    _writing: Deferred[None] | None = field(default=None, init=False)
    """Fires when the note in progress has been written, or refused."""
    _kernel_before: dict[str, int] = field(factory=dict, init=False)
    """The kernel's drops that the book knew already of sockets that systemd held meanwhile."""

    def __attrs_pre_init__(self) -> None:
        MultiService.__init__(self)

    def __attrs_post_init__(self) -> None:
        self._book = Book.new(0.0)
        for interval, job, label in (
            (NOTE_SECONDS, self._note, "ledger checkpoint"),
            (CHECK_SECONDS, self._check, "ledger check"),
        ):
            PeriodicService(self._clock, interval, job, label, interval).setServiceParent(self)

    def startService(self) -> None:
        """Read the book, hold it against the logs, and go on."""
        now = wall_seconds(self._clock)
        self._start = Start(
            at=now, logs=self._logs(), lost=self._lost(), kernel=_kernel(self._intake())
        )
        try:
            self._open(read_book(self._path) or Book.new(now))
        except (UnfitFile, ValueError) as error:
            self._log.error("starting a new ledger: {error}", error=str(error))
            self._open(Book.new(now))
        except OSError as error:  # as without a free descriptor: what is there must not be lost
            self._log.error(
                "cannot read the ledger: {error}; retrying, and nothing is written over it",
                error=str(error),
            )
            self._open(Book.new(now))
            self._unread = str(error)
        if not self._unread:
            self._write(self.book())
        super().startService()

    def _open(self, book: Book) -> None:
        """Go on from *book*, held against the logs as they were at the start."""
        start = self._start
        self._kernel_before = {
            name: book.kernel.get(name, 0)
            for name, drops in start.kernel.items()
            if drops >= book.kernel.get(name, 0)  # fewer: a socket of its own
        }
        known = book.gaps_total
        self._book = book.opened(start.logs, start.at, start.lost)
        self._unread = ""
        if self._book.gaps_total > known:
            self._log.warn("{gap}", gap=str(self._book.gaps[-1]))

    def add_log(self, name: str, stored: int) -> None:
        """A log that was not open at the start is open now, with *stored* lines: hold the book against it too."""
        start, lost = self._start, self._lost().get(name, 0)
        self._start = evolve(
            start, logs={**start.logs, name: stored}, lost={**start.lost, name: lost}
        )
        if not self._unread:
            self._book = self._book.found(name, stored, lost)

    def forget_log(self, name: str) -> None:
        """A log was deleted on purpose: one of the same name begins again."""
        self._book = self._book.without_log(name)

    async def rename_log(self, name: str, to: str) -> None:
        """A log is called *to* now; fires when that is on the disk, or told as a fault."""
        self._book = self._book.renamed(name, to)
        if self._writing is not None:  # the note in progress has the old name
            await _uncancelled(self._writing)
        await self._note()

    def _read_again(self) -> bool:
        """Whether the book that could not be read at the start is read by now."""
        if not self._unread:
            return True
        try:
            book = read_book(self._path)
        except OSError as error:
            self._unread = str(error)
            return False
        except ValueError as error:
            self._log.error("starting a new ledger: {error}", error=str(error))
            book = None
        self._open(book or Book.new(self._start.at))
        self._log.info("the ledger is readable again and continues")
        return True

    def stopService(self) -> Deferred[None]:
        """Fires when the last note is on the disk; without it the stop counts as unclean."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        begun = bool(self.running)
        await maybeDeferred(super().stopService)
        if self._writing is not None:  # or the note in progress would come to lie over the last one
            await self._writing
        if begun and self._read_again():
            self._write(evolve(self.book(), clean=True))

    def book(self) -> Book:
        """Everything up to now."""
        intake = self._intake()
        kernel = _kernel(intake)
        run = {name: drops - self._kernel_before.get(name, 0) for name, drops in kernel.items()}
        for address, lines in self._strangers().items():
            known = self._strangers_seen.get(address, 0)
            if known or len(self._strangers_seen) < _STRANGERS_MOST:
                self._strangers_seen[address] = max(known, lines)
        book = self._book.with_run(intake, self._strangers_seen, run)
        # A log that is closed for now keeps what was noted of it.
        logs = {**self._book.logs, **self._logs()}
        lost = {**self._book.lost, **self._lost()}
        return evolve(book, at=wall_seconds(self._clock), logs=logs, lost=lost, kernel=kernel)

    def _write(self, book: Book) -> None:
        try:
            write_book(self._path, book)
        except OSError as error:
            self._refused(error)
        else:
            self._written(book)

    async def _note(self) -> None:
        if not self._read_again():
            return
        book = self.book()
        if self._noted is not None and evolve(self._noted, at=book.at) == book and not self.fault:
            return
        ended: Deferred[None] = Deferred()
        self._writing = ended
        self._threads.run(write_book, self._path, book).addCallbacks(
            lambda _: self._written(book), self._unwritten
        ).addBoth(lambda _: self._write_ended(ended))
        await _uncancelled(ended)

    def _written(self, book: Book) -> None:
        self.fault, self._noted = "", book

    def _unwritten(self, failure: Failure) -> None:
        if isinstance(failure.value, OSError):
            self._refused(failure.value)
        else:
            self._log.failure("the ledger checkpoint failed", failure)

    def _write_ended(self, ended: Deferred[None]) -> None:
        self._writing = None
        ended.callback(None)

    def _refused(self, error: OSError) -> None:
        if not self.fault:
            self._log.error("cannot write the ledger: {error}", error=str(error))
        self.fault = f"cannot write the ledger: {error}"

    async def _check(self) -> None:
        self.update_alarm(await self._balance())

    def update_alarm(self, balance: Balance) -> None:
        """Raise or lower the alarm by what a balance says."""
        said = "; ".join(differences_of(balance))
        if said and not self.unbalanced:
            self.unbalanced_since = wall_seconds(self._clock)
            self._log.error("ALARM: the ledger does not balance: {said}", said=said)
        elif self.unbalanced and not said:
            self.unbalanced_since = None
            self._log.info("the ledger balances again")
        self.unbalanced = said

    def figures(self) -> KeeperFigures:
        """For `tsadmin show` and `/healthz`."""
        unread = f"cannot read the ledger: {self._unread}" if self._unread else ""
        return KeeperFigures(
            fault=self.fault or unread,
            unbalanced=self.unbalanced,
            unbalanced_since=self.unbalanced_since,
        )


def _uncancelled(ended: Deferred[None]) -> Deferred[None]:
    """A Deferred that fires with *ended*, and that may be cancelled without it."""
    waiting: Deferred[None] = Deferred()

    def over(_: None) -> None:
        if not waiting.called:
            waiting.callback(None)

    ended.addCallback(over)
    return waiting


def _kernel(intake: IntakeCounts) -> dict[str, int]:
    """Datagrams that the kernel dropped of each socket since it was opened."""
    drops = {name: kernel_drops(one) for name, one in intake.listeners.items()}
    return {name: count for name, count in drops.items() if count}
