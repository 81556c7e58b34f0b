"""
Where counted frames go on in bytes that are no line: the way back for a stream without line ends.
"""

import re
from collections.abc import Iterator

from attrs import define, field

from tscm.syslog.framing_start import MAX_DIGITS

_PRI = re.compile(rb" (?=<[0-9]{1,3}>)")
_NUMBER = re.compile(rb"[1-9][0-9]*+\Z")
_HEADER = re.compile(rb"[1-9][0-9]{0,%d} <[0-9]{1,3}>" % (MAX_DIGITS - 1))
_BEGUN = re.compile(rb"[1-9][0-9]{0,%d}(?: (?:<[0-9]{0,3})?)?\Z" % (MAX_DIGITS - 1))
_LONGEST_BEGUN = MAX_DIGITS + len(" <123")
MOST_TRIES = 2000
"""Places of one line that look like frames and are none: past them the line is text and nothing else."""


@define
class Resync:
    """
    Looks for two counted frames in a row: a count and a PRI, and where that frame ends again a count
    and a PRI.  Text that merely looks like one frame is not enough.

    Holds no more than *max_length* bytes and two counts; a frame that is longer is not looked for.
    """

    max_length: int
    _held: bytearray = field(factory=bytearray, init=False)
    _wanted: int = field(default=0, init=False)
    _tries: int = field(default=0, init=False)

    def feed(self, data: bytes, *, ended: bool) -> bytes | None:
        """
        Take bytes that no line end stands in; give those from the first frame on, or None.

        *ended*: a line end follows, and what is not whole by now will never be.
        """
        if self._tries > MOST_TRIES:
            return None
        held = self._held
        held += data
        if len(held) < self._wanted and not ended:
            return None
        self._wanted = at = 0
        for start, behind, size in self._frames(bytes(held)):
            at = start + 1
            end = behind + size
            if _HEADER.match(held, end):
                return bytes(held[start:])
            if not ended and (end >= len(held) or _BEGUN.match(held, end)):
                del held[:start]
                self._wanted = max(end - start, len(held)) + 1
                return None
            self._tries += 1
            if self._tries > MOST_TRIES:
                held.clear()
                return None
        begun = _BEGUN.search(held, max(at, len(held) - _LONGEST_BEGUN))
        del held[: begun.start() if begun else len(held)]
        return None

    def _frames(self, held: bytes) -> Iterator[tuple[int, int, int]]:
        """
        What may be frames, in their order: where the count begins, where the frame does, and its size.

        By the blank and the PRI behind a count, which are rarer than digits; each suffix of a row of digits is one.
        """
        longest = min(MAX_DIGITS, len(str(self.max_length)))
        for pri in _PRI.finditer(held):
            place = pri.start()
            start = max(0, place - longest)
            while number := _NUMBER.search(held, start, place):
                if int(number[0]) <= self.max_length:
                    yield number.start(), pri.end(), int(number[0])
                start = number.start() + 1

    @property
    def held(self) -> bytes:
        """The bytes that may be the beginning of a frame."""
        return bytes(self._held)
