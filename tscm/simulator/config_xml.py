"""
The XML of the HTTP interface: commands in, what each of them printed out.

The answer's prolog, with a document type that cannot be fetched, is as it was recorded.
"""

from collections.abc import Sequence
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

from attrs import define, field, frozen

PROLOG = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    '<!DOCTYPE ErrorList SYSTEM "urn:com-cisco-nm-callhome:ErrorList">\n'
)


class NoCommands(Exception):
    """
    The text is no `config-data`.
    """


@frozen
class Printed:
    """What a command printed, and whether that is an `error`, a `warning` or an `info`."""

    number: str
    kind: str
    text: str


@define(eq=False)
class _Reader:
    """Collects the commands."""

    root: str = ""
    found: list[tuple[str, str]] = field(factory=list)
    _number: str = ""
    _text: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        if name == "cli":
            self._number, self._text = attributes.get("id", ""), []

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        if name == "cli" and self._text is not None:
            self.found.append((self._number, "".join(self._text)))
            self._text = None


def read_commands(body: bytes) -> list[tuple[str, str]]:
    """Number and text of each command.  Raises `NoCommands`."""
    reader, parser = _Reader(), ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(body, True)
    except (ExpatError, LookupError, ValueError) as error:
        raise NoCommands(str(error)) from None
    if reader.root != "config-data":
        raise NoCommands("the root is no config-data")
    return reader.found


def write_answer(printed: Sequence[Printed]) -> str:
    """The answer; nothing at all where nothing was printed."""
    if not printed:
        return ""
    items = "".join(
        f"<error-info id={quoteattr(one.number)} type={quoteattr(one.kind)}>{escape(one.text)}</error-info>\n"
        for one in printed
    )
    return f"{PROLOG}<ErrorList>\n<config-failure>\n{items}</config-failure>\n</ErrorList>\n"
