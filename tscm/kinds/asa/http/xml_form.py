"""
Lines of configuration in XML, and what the device says of each of them.  Pure.

The answer names the lines that printed something, by their numbers.  It was recorded with a document type that has a
name and no content, which is passed over; one that has content is not read, and no entity is.
"""

from collections.abc import Callable, Sequence
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType
from xml.sax.saxutils import escape

from attrs import define, field

CONTENT_TYPE = "text/xml"
_HEAD = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>'
    '<config-data config-action="merge" errors="continue">'
)
_MOST_DEPTH = 16
_MOST_TEXT = 16384
_ITEM = "error-info"
NO_REASON = "Command failed"
"""What an error without words says."""


class NotXml(Exception):
    """
    An answer that cannot be read, or must not be.
    """


def write_xml(lines: Sequence[str]) -> bytes:
    """The body that has *lines*, numbered from 0, and goes on behind one that is refused."""
    items = "".join(f'<cli id="{at}">{escape(line)}</cli>' for at, line in enumerate(lines))
    return f"{_HEAD}{items}</config-data>".encode("ascii", "xmlcharrefreplace")


@define(eq=False)
class XmlAnswer:
    """
    Gives *told* number, kind (`error`, `warning`, `info`) and text of each item.

    What is kept at a time is one item, of which the beginning.
    """

    told: Callable[[int, str, str], None]
    _depth: int = field(default=0, init=False)
    _item: tuple[int, str] | None = field(default=None, init=False)
    _text: list[str] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _parser: XMLParserType = field(init=False)

    def __attrs_post_init__(self) -> None:
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        self._parser = parser

    def feed(self, piece: bytes) -> None:
        """The next bytes.  Raises `NotXml`."""
        self._parse(piece, final=False)

    def end(self) -> None:
        """There is no more.  Raises `NotXml`."""
        self._parse(b"", final=True)

    def _parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except (ExpatError, LookupError, ValueError) as error:
            raise NotXml(str(error)) from None

    def _doctype(
        self, name: str, system: str | None, public: str | None, has_content: bool
    ) -> None:
        del name, system, public
        if has_content:
            raise NotXml("its document type has content")

    def _entity(self, *_: object) -> None:
        raise NotXml("it declares an entity")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise NotXml("its elements are nested too deeply")
        if name == _ITEM:
            number = attributes.get("id", "")
            at = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else -1
            self._item = (at, attributes.get("type", "error"))
            self._text, self._size = [], 0

    def _data(self, text: str) -> None:
        if self._item is not None and self._size < _MOST_TEXT:
            self._text.append(text[: _MOST_TEXT - self._size])
            self._size += len(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == _ITEM and self._item is not None:
            (number, kind), self._item = self._item, None
            text = "".join(self._text)
            self.told(number, kind, text if text.strip() or kind != "error" else NO_REASON)
