"""
What an ASA's command line prints: bytes in, events out, however the bytes are cut.  Pure.

An event is given as soon as the bytes that make it are there, and never taken back.  A prompt counts only at the
start of a line, for banners, echoes and the redrawing of a long line hold `#` and `>` as well.  Echoes are told apart by
where they stand, behind a prompt, and never by what they say: over 80 columns they scroll.

Before the prompt is known, `Screen` waits for the echo of a mark that was typed: what stands in front of it is the
prompt.
"""

import re

from attrs import define, field, frozen

from tscm.kinds.asa.ssh.prompts import Prompt, PromptShape, looks_like_prompt

MAX_LINE_BYTES = 16 << 10
MAX_OUTPUT_BYTES = 64 << 20
"""Of one command; the largest configuration is far below."""
MORE = b"<--- More --->"
_LONGEST_PROMPT = 400
_WIPED = re.compile(rb"(?:[ \x00\b]*[\r\b])*")
"""What may stand on a line before it begins: carriage returns, and the blanks that wipe `<--- More --->`."""
_QUESTION = re.compile(rb"(?i)[^\r\n]{0,200}?\[A\]sk later")
_NO_QUESTION = (b"banner ", b" description ")
_ASKS = r"(?i)[\w ()@.'-]{0,100}password:"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[@-~]?|[^\[])?")


class PrintsTooMuch(Exception):
    """
    One line, or what one command prints, has no end.
    """


@frozen
class Candidate:
    """The last line could be a prompt: time to type the mark.  More may follow, which makes it none."""

    text: str


@frozen
class Echo:
    """A line that began with a prompt has ended; *text* stood behind it."""

    text: str


@frozen
class Line:
    """A line of output."""

    text: str


@frozen
class Prompted:
    """The device waits for a command."""

    prompt: Prompt


@frozen
class PageFull:
    """`<--- More --->`: a blank goes on."""


@frozen
class PasswordAsked:
    """It asks for a password."""


@frozen
class ReportingAsked:
    """The question about anonymous error reporting, of the first login; `A` puts it off."""


Event = Candidate | Echo | Line | Prompted | PageFull | PasswordAsked | ReportingAsked


@define(eq=False)
class Screen:
    """
    One session's output.

    *mark* is what is typed at a `Candidate`.  *password_prompt* is another text than `Password:`, if there is one.
    """

    mark: str
    password_prompt: str = ""
    max_line: int = MAX_LINE_BYTES
    max_output: int = MAX_OUTPUT_BYTES
    shape: PromptShape | None = field(default=None, init=False)
    _password: re.Pattern[bytes] = field(init=False)
    password_expected: bool = field(default=False, init=False)
    """Is a question for a password one?"""
    _line: bytearray = field(factory=bytearray, init=False)
    """What came since the last line feed, without what was made an event of."""
    _echoes: bool = field(default=False, init=False)
    """Does the line stand behind a prompt or a question?"""
    _asked: bool = field(default=False, init=False)
    _since: int = field(default=0, init=False)
    """Bytes since the last prompt."""
    _hope: str = field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        own = re.escape(self.password_prompt.strip())
        text = rf"{_ASKS}|{own}" if own else _ASKS
        self._password = re.compile(text.encode())

    def feed(self, data: bytes) -> list[Event]:
        """What *data* completes.  Raises `PrintsTooMuch`."""
        events: list[Event] = []
        first, *others = data.split(b"\n")
        self._more(first, events)
        for piece in others:
            self._end_line(events)
            self._more(piece, events)
        if self.shape is None and not self._echoes:
            text = _render(bytes(self._line))
            if looks_like_prompt(text) and text != self._hope:
                self._hope = text
                events.append(Candidate(text))
        return events

    def _more(self, piece: bytes, events: list[Event]) -> None:
        self._since += len(piece) + 1
        self._line += piece
        while self._found(events):
            pass
        if len(self._line) > self.max_line:
            raise PrintsTooMuch(f"a line of more than {self.max_line:,} bytes")
        if self._since > self.max_output:
            raise PrintsTooMuch(f"more than {self.max_output:,} bytes on one command")

    def _found(self, events: list[Event]) -> bool:
        """
        The event that the unfinished line begins with, which is taken off it.

        Each is looked for in the same order whether the line came whole or byte by byte.
        """
        found = _WIPED.match(self._line)
        start = found.end() if found else 0
        if not self._echoes:
            if self._line.startswith(MORE, start):
                del self._line[: start + len(MORE)]
                events.append(PageFull())
                return True
            if self.password_expected and (found := self._password.match(self._line, start)):
                self._echo_from(found.end())
                events.append(PasswordAsked())
                return True
            if self.shape is not None and (at := self._prompt(start)) is not None:
                prompt, length = at
                self._echo_from(start + length)
                self._since = len(self._line)
                events.append(Prompted(prompt))
                return True
        if not self._asked and (found := _QUESTION.match(self._line, start)):
            self._asked = True
            if not self._line.startswith(_NO_QUESTION, start):
                self._echo_from(found.end())
                self._hope = ""  # it has eaten the mark
                events.append(ReportingAsked())
                return True
        return False

    def _prompt(self, start: int) -> tuple[Prompt, int] | None:
        assert self.shape is not None
        # A prompt is short; a long line must not be decoded again with each byte of it.
        text = bytes(self._line[start : start + _LONGEST_PROMPT]).decode("latin-1")
        return self.shape.at_start(text)

    def _echo_from(self, position: int) -> None:
        del self._line[:position]
        self._echoes = True

    def _end_line(self, events: list[Event]) -> None:
        text = _render(bytes(self._line))
        self._line.clear()
        self._asked = False
        if self._echoes:
            self._echoes = False
            events.append(Echo(text))
            return
        if self.shape is None and (learnt := self._learn(text)):
            self.shape = learnt
            events.append(Echo(self.mark))
            return
        events.append(Line(text))

    def _learn(self, text: str) -> PromptShape | None:
        """From the line on which the mark stands, or has scrolled out of sight behind a candidate."""
        before, found, _ = text.partition(self.mark)
        if found:
            return PromptShape.learn(before)
        if self._hope and text.startswith(self._hope) and text[len(self._hope) :][:1] == "$":
            return PromptShape.learn(self._hope)
        return None


def _render(raw: bytes) -> str:
    """The line as it stands on the screen in the end, without blanks behind it but behind a prompt."""
    text = raw.replace(b"\0", b"").strip(b"\r").decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\r" not in text and "\b" not in text:
        return text
    shown: list[str] = []
    at = 0
    for key in text:
        if key == "\r":
            at = 0
        elif key == "\b":
            at = max(0, at - 1)
        else:
            shown[at : at + 1] = [key]
            at += 1
    return "".join(shown).rstrip() if len(shown) > at else "".join(shown)
