"""
Blocks of lines, posted, and what the device said of them.

In XML each line is answered by its number.  A device that does not take XML is sent the same lines as plain text: it
prints what it has to say, without saying of which line.
"""

import re
import time
from collections.abc import Callable, Sequence

from attrs import define, field

from tscm.kinds.asa.cli.blocks import Block
from tscm.kinds.asa.cli.refusals import Refusals
from tscm.kinds.asa.http.answers import FormRefused
from tscm.kinds.asa.http.link import HttpLink
from tscm.kinds.asa.http.pieces import pieces
from tscm.kinds.asa.http.post_size import PostSize
from tscm.kinds.asa.http.text_lines import TextLines
from tscm.kinds.asa.http.xml_form import CONTENT_TYPE, NotXml, XmlAnswer, write_xml
from tscm.kinds.faults import Overloaded, Refused

PLAIN_TYPE = "application/unknown"
END_COMMAND = "show curpriv"
"""Behind the lines of a POST, or the command of a path: what it prints shows that all before it was done."""
_WHAT = "POST /admin/config"
_TAIL = re.compile(r"Cryptochecksum ?\((?:un)?changed\):|Config OK$")
_CONFIG_OK = "Config OK"
_TAIL_BYTES = 64
_TOO_LARGE = 413


@define(eq=False)
class Poster:
    """
    The writing part of a session over *link*; *plain* is what was learnt of the device.
    """

    link: HttpLink
    size: PostSize
    plain: bool = False
    monotonic: Callable[[], float] = time.monotonic
    told: dict[str, None] = field(factory=dict, init=False)
    """What the device warned of."""

    def post(self, blocks: Sequence[Block]) -> None:
        """
        All of *blocks*, in as many POSTs as it takes; none after one that had a line refused.

        Raises `DeviceFault`; after `Overloaded` any part of it may have been done.
        """
        for lines in pieces(blocks, lambda: self.size.size):
            refusals = Refusals(self.link.name)
            begun = self.monotonic()
            try:
                self._send(lines, refusals)
            except (Overloaded, Refused) as fault:
                if isinstance(fault, Overloaded) or fault.status == _TOO_LARGE:
                    self.size.was_trouble(len(lines))
                raise
            self.told.update(refusals.told)
            self.size.went_well(len(lines), self.monotonic() - begun)
            if refusals.any:
                raise refusals.fault()

    def _send(self, lines: Sequence[str], refusals: Refusals) -> None:
        if not self.plain:
            answer = _XmlOrText(lines, refusals)
            try:
                self.link.configure(write_xml([*lines, END_COMMAND]), CONTENT_TYPE, answer.feed)
                answer.end()
            except FormRefused:
                self.plain = True
            except NotXml as error:
                raise self.link.judge.unreadable(_WHAT, str(error)) from None
            else:
                if answer.complete:
                    return
                if not answer.was_text:
                    raise self.link.judge.incomplete(_WHAT)
                self.plain = True
        # What is sent twice is done once: members and groups that are there or gone are as they should be.
        said = _PlainAnswer(lines, refusals)
        self.link.configure("".join(f"{one}\n" for one in lines).encode(), PLAIN_TYPE, said.feed)
        said.end()
        if not said.complete:
            raise Overloaded(
                self.link.name,
                f"the answer to {_WHAT} does not end in `{_CONFIG_OK}`",
                "what the device did is read again",
            )


@define(eq=False)
class _XmlOrText:
    """
    The answer to lines in XML, which a device that takes them for plain ones gives as text, with their echo in it.
    """

    lines: Sequence[str]
    refusals: Refusals
    complete: bool = field(default=False, init=False)
    was_text: bool = field(default=False, init=False)
    _xml: XmlAnswer = field(init=False)
    _fault: NotXml | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)
    _tail: bytes = field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        self._xml = XmlAnswer(self._told)

    def feed(self, piece: bytes) -> None:
        if not self._begun:
            piece = piece.lstrip()
            self._begun = bool(piece)
        self._tail = (self._tail + piece)[-_TAIL_BYTES:]
        if self._begun and self._fault is None:
            try:
                self._xml.feed(piece)
            except NotXml as error:
                self._fault = error

    def end(self) -> None:
        """Raises `NotXml`."""
        if self._tail.rstrip().endswith(_CONFIG_OK.encode()):
            self.was_text = True
        elif self._fault is not None:
            raise self._fault
        elif self._begun:
            self._xml.end()

    def _told(self, number: int, kind: str, text: str) -> None:
        if number == len(self.lines):
            self.complete = True
            return
        typed = self.lines[number] if 0 <= number < len(self.lines) else ""
        for line in text.splitlines():
            self.refusals.judge(typed, line, warned=kind == "warning")


@define(eq=False)
class _PlainAnswer:
    """What plain lines printed, up to `Config OK`."""

    lines: Sequence[str]
    refusals: Refusals
    complete: bool = field(default=False, init=False)
    _typed: frozenset[str] = field(init=False)
    _text: TextLines = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._typed = frozenset(self.lines)
        self._text = TextLines(self._take)

    def feed(self, piece: bytes) -> None:
        self._text.feed(piece)

    def end(self) -> None:
        self._text.end()

    def _take(self, line: str) -> None:
        text = line.strip()
        if not text:
            return
        self.complete = text == _CONFIG_OK
        if not _TAIL.match(text) and text not in self._typed:  # an echo says nothing
            self.refusals.judge("", text)
