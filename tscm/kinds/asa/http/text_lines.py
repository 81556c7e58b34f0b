"""
The bytes of an answer as lines of text.  Pure.
"""

import codecs
from collections.abc import Callable

from attrs import define, field

MOST_CHARACTERS = 8192
"""Of a line; an ASA writes none of a tenth of it."""


class LineTooLong(Exception):
    """
    A line has no end.
    """


@define(eq=False)
class TextLines:
    """
    *take* is given each line without its end; `end` gives the last.  Raises `LineTooLong`.
    """

    take: Callable[[str], None]
    _decoder: codecs.IncrementalDecoder = field(
        factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"), init=False
    )
    _rest: str = field(default="", init=False)

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        self._lines(self._decoder.decode(piece))

    def end(self) -> None:
        """There is no more."""
        self._lines(self._decoder.decode(b"", final=True))
        if self._rest:
            self.take(self._rest.rstrip("\r"))
            self._rest = ""

    def _lines(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > MOST_CHARACTERS or any(len(one) > MOST_CHARACTERS for one in lines):
            raise LineTooLong(f"a line of more than {MOST_CHARACTERS:,} characters")
        for line in lines:
            self.take(line.rstrip("\r"))
