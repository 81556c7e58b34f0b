"""
Takes the body of an answer as it comes, and reads it: small ones here, large ones in a child process.

A usual answer is small, and starting a process would take longer than reading it.  One of `SMALL_BYTES` holds
12,000 members of groups and more and is parsed in some ten milliseconds, for which the interpreter serves no other thread
else; that, and not its memory, is why it is not more.
"""

import json
from types import TracebackType
from typing import Self

from attrs import define, field

from tscm.base.parse_apart import OutOfMemory, OutOfTime, ParseFailed, ParserProcess, Stopped
from tscm.kinds.asa.rest.content import Content, parsing_cost, read_content
from tscm.kinds.asa.rest.picks import Want
from tscm.kinds.asa.rest.reader_process import MEMORY_BYTES
from tscm.kinds.faults import Overloaded

SMALL_BYTES = 1 << 20
SMALL_COST = 8 << 20
"""Of memory, by the most that so many values can take (`parsing_cost`)."""
KEPT_BYTES = 32 << 20
"""What may come back from the child: 500,000 members of groups."""
_MODULE = "tscm.kinds.asa.rest.reader_process"


@define(eq=False)
class AnswerReader:
    """
    One body.  A context, for the child that it may have; it ends *seconds* after it was started.

    *what* says in a sentence what was asked.  Raises `Overloaded` for what the body does to its reader.
    """

    device: str
    what: str
    want: Want
    seconds: float
    small_bytes: int = SMALL_BYTES
    small_cost: int = SMALL_COST
    module: str = _MODULE
    """What the child runs."""
    size: int = field(default=0, init=False)
    _held: bytearray = field(factory=bytearray, init=False)
    _child: ParserProcess | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.__exit__(kind, error, traceback)

    def take(self, piece: bytes) -> None:
        """The next piece of the body."""
        self.size += len(piece)
        try:
            if self._child is not None:
                self._child.feed(piece)
                return
            self._held += piece
            if len(self._held) > self.small_bytes:
                self._hand_over()
        except ParseFailed as error:
            raise self._fault(error) from None

    def content(self) -> Content:
        """What the body says, now that it is whole."""
        try:
            if self._child is None and parsing_cost(self._held) > self.small_cost:
                self._hand_over()
            if self._child is None:
                return read_content(self._held, self.want)
            return Content(**json.loads(self._child.answer(KEPT_BYTES)))
        except ParseFailed as error:
            raise self._fault(error) from None

    def _hand_over(self) -> None:
        child = ParserProcess(self.module, (self.want.kind, self.want.prefix), self.seconds)
        self._child = child.__enter__()
        child.feed(self._held)
        self._held = bytearray()

    def _fault(self, error: ParseFailed) -> Overloaded:
        match error:
            case OutOfMemory():
                return Overloaded(
                    self.device,
                    (
                        f"the response to {self.what} is larger than can be read within "
                        f"{MEMORY_BYTES >> 20} MB"
                    ),
                    (
                        "check that its address is that of the firewall, and delete "
                        "object-groups that nothing uses"
                    ),
                )
            case Stopped():
                return Overloaded(
                    self.device,
                    (
                        f"the response to {self.what} was not read completely, because the "
                        "manager is stopping"
                    ),
                    "no action is needed: the next update retries",
                )
            case OutOfTime():
                return Overloaded(
                    self.device,
                    f"the response to {self.what} could not be read in time",
                    (
                        "check that its address is that of the firewall; if this host was "
                        "overloaded, the next update may succeed"
                    ),
                )
        return Overloaded(
            self.device,
            f"cannot read the response to {self.what}: {error}",
            (
                "the next update retries; if the error persists, check whether this host is "
                "short of memory"
            ),
        )
