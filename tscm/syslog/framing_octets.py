"""
Frames that begin with their length, to lines for the log.
"""

import re

from attrs import define, field

from tscm.syslog.framing_lines import LineDecoder, Lines, close_messages, messages_of
from tscm.syslog.framing_start import COUNT, MAX_FRAME, UNDECIDED

_BETWEEN_FRAMES = re.compile(rb"[ \n\r\0]*+")

_GAPS = (b" ", b"\n", b"\r", b"\0")

TO_LINE_END = -1
"""In `StreamState.skip`: what comes belongs to a line that is cut already, up to its end."""
STRAY = -2
"""In `StreamState.skip`: what comes belongs to text that stands where a length should, up to its end."""


@define
class OctetDecoder:
    """
    Frames that begin with their length in octets and a blank (RFC 6587, 3.4.1).

    A frame over *max_length* is cut and counted, its rest skipped, and the next frame is in
    step.  LF, CR, NUL and blanks between frames are passed over.  Where a length should stand
    and does not, the text up to the next LF is kept as a line and counted in *faults*; where that
    line is over the limit and frames go on in it, they are read from there.
    """

    max_length: int
    faults: int = field(default=0, init=False)
    _cut: int = field(default=0, init=False)
    _buffer: bytes = field(default=b"", init=False)
    _wanted: int = field(default=0, init=False)
    _got: bytearray = field(factory=bytearray, init=False)
    _skip: int = field(default=0, init=False)
    _stray: LineDecoder | None = field(default=None, init=False)

    def feed(self, data: bytes) -> Lines | None:
        """Take what a read brought; give the messages that it completes, or None."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        messages: list[bytes] = []
        at = 0
        while at < len(data):
            if self._wanted:
                at = self._take(data, at, messages)
            elif self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
            elif self._stray is not None:
                data, at = self._take_stray(self._stray, data, at, messages), 0
            else:
                at = self._take_whole(data, at, messages)
                if at < len(data):
                    at = self._take_count(data, at)
        return close_messages(messages, self.max_length).lines

    def close(self) -> Lines | None:
        """What is left when the peer has gone: part of a frame is kept as a message."""
        messages: list[bytes] = []
        if self._stray is not None:
            self._end_stray(self._stray, self._stray.close(), messages)
        elif self._wanted or self._buffer:
            self.faults += 1
            messages.append(self._buffer or bytes(self._got))
            self._got.clear()
            self._buffer = b""
            self._wanted = 0
        return close_messages(messages, self.max_length).lines

    @property
    def cut(self) -> int:
        """Messages that were longer than allowed."""
        return self._cut + (0 if self._stray is None else self._stray.cut)

    @property
    def partial(self) -> bytes:
        """The bytes held of what has not ended, so that another decoder can go on with them."""
        if self._wanted:
            return b"%d " % (self._wanted + self._skip) + self._got
        if self._skip:
            return b""
        return self._stray.partial if self._stray is not None else self._buffer

    @property
    def skip(self) -> int:
        """
        How much of an over-long frame, kept in part already, is still to be passed over; `TO_LINE_END`
        or `STRAY` inside of text.
        """
        if self._stray is not None:
            return TO_LINE_END if self._stray.passing_over else STRAY
        return 0 if self._wanted else self._skip

    def go_on(self, partial: bytes, skip: int) -> Lines | None:
        """Begin where another decoder stopped, with its `partial` and `skip`."""
        if skip >= 0:
            self._skip = skip
            return self.feed(partial)
        self._stray = LineDecoder(self.max_length)
        if skip == TO_LINE_END:
            self._stray.pass_over(partial)
        else:
            self._stray.feed(partial)
        return None

    def _take_whole(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """
        All frames that lie in *data* whole, and what stands between them: a stream may have one for every octet.
        """
        size, limit = len(data), self.max_length
        gap, count = _BETWEEN_FRAMES.match, COUNT.match
        while True:
            if data[at : at + 1] in _GAPS:
                at = gap(data, at).end()  # type: ignore[union-attr]  # it matches anywhere
            found = count(data, at)
            if found is None:
                return at
            start = found.end()
            end = start + int(found[1])
            if end > size or end - start > limit:
                return at
            messages.append(data[start:end])
            at = end

    def _take_count(self, data: bytes, at: int) -> int:
        found = COUNT.match(data, at)
        if found and (length := int(found[1])) <= MAX_FRAME:
            self._wanted = min(length, self.max_length)
            self._skip = length - self._wanted
            return found.end()
        if not found and UNDECIDED.fullmatch(data, at):
            self._buffer = data[at:]
            return len(data)
        self.faults += 1
        self._stray = LineDecoder(self.max_length)
        return at

    def _take(self, data: bytes, at: int, messages: list[bytes]) -> int:
        piece = data[at : at + self._wanted - len(self._got)]
        if len(self._got) + len(piece) < self._wanted:
            self._got += piece
        else:
            messages.append(bytes(self._got) + piece if self._got else piece)
            self._got.clear()
            self._wanted = 0
            self._cut += self._skip > 0
        return at + len(piece)

    def _take_stray(self, stray: LineDecoder, data: bytes, at: int, messages: list[bytes]) -> bytes:
        """What is to be read behind the stray line, or behind what is here of it."""
        end = data.find(b"\n", at) + 1 or len(data)
        ended = data[end - 1 : end] == b"\n"
        lines = stray.feed(data[at:end])
        rest = data[end:]
        if stray.resumed is not None:
            rest = stray.resumed + rest
        if ended or stray.resumed is not None:
            self._end_stray(stray, lines, messages)
        elif lines is not None:
            messages += messages_of(lines)
        return rest

    def _end_stray(self, stray: LineDecoder, lines: Lines | None, messages: list[bytes]) -> None:
        if lines is not None:
            messages += messages_of(lines)
        self._cut += stray.cut
        self._stray = None
