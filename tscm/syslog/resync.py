"""
Where counted frames go on in bytes that are no line: the way back for a stream without line ends.
"""

import re

from attrs import define, field

from tscm.syslog.framing_start import MAX_DIGITS

_HEADER = re.compile(rb"([1-9][0-9]{0,%d}) (?=<[0-9]{1,3}>)" % (MAX_DIGITS - 1))
_BEGUN = re.compile(rb"[1-9][0-9]{0,%d}(?: (?:<[0-9]{0,3})?)?\Z" % (MAX_DIGITS - 1))
_LONGEST_BEGUN = MAX_DIGITS + len(" <123")


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

    def feed(self, data: bytes, *, ended: bool) -> bytes | None:
        """
        Take bytes that no line end stands in; give those from the first frame on, or None.

        *ended*: a line end follows, and what is not whole by now will never be.
        """
        held = self._held
        held += data
        if len(held) < self._wanted and not ended:
            return None
        self._wanted = at = 0
        while found := _HEADER.search(held, at):
            end = found.end() + int(found[1])
            if end - found.end() <= self.max_length:
                if _HEADER.match(held, end):
                    return bytes(held[found.start() :])
                if not ended and (end >= len(held) or _BEGUN.match(held, end)):
                    del held[: found.start()]
                    self._wanted = max(end - found.start(), len(held)) + 1
                    return None
            at = found.start() + 1
        begun = _BEGUN.search(held, max(at, len(held) - _LONGEST_BEGUN))
        del held[: begun.start() if begun else len(held)]
        return None

    @property
    def held(self) -> bytes:
        """The bytes that may be the beginning of a frame."""
        return bytes(self._held)
