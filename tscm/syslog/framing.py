"""
Bytes in, lines for the log out: the framings of syslog over TCP and over datagrams.

A decoder belongs to one connection and knows no socket.  It hands out `Lines`, whole
chunks wherever the bytes may stand as they came; single lines are looked at only where they
must be: octet counts, escapes, over-long lines, the ASA's stray blank.

Which framing a connection speaks is found once, from its first bytes, and kept (RFC 6587,
3.4; choices and reasons in docs/framing.md).  No input ends a connection: an ASA that loses
its TCP collector refuses new connections by default.
"""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

from attrs import define, field, frozen

from tscm.syslog.escape import INTRODUCER, escape, needs_escape, unescape

MAX_FRAME = 1 << 24
"""The largest octet count that is believed: a larger number is text (CVE-2022-24903 and kin)."""

TRAILERS = b"\n\r\0"
"""What may close a datagram or a counted frame without being part of the message."""

_MAX_DIGITS = len(str(MAX_FRAME))
_COUNT = re.compile(rb"([1-9][0-9]{0,%d}) " % (_MAX_DIGITS - 1))
_UNDECIDED = re.compile(rb"[1-9][0-9]{0,%d}" % (_MAX_DIGITS - 1))
_TLS_RECORD = re.compile(rb"\x16\x03[\x00-\x04]", re.DOTALL)
_TLS_START = (b"\x16", b"\x16\x03")
_BETWEEN_FRAMES = b" \n\r\0"
_STRAY = re.compile(rb"^ ++(?=<)", re.MULTILINE)
_LINES_WITH_TEXT = re.compile(rb"[^\n]+\n")
_ODD = re.compile(rb"\n[ \n]")


@frozen
class Lines:
    """
    *count* whole lines, each closed by one LF and escaped; *escaped* says whether any escape
    stands in them.
    """

    data: bytes
    count: int
    escaped: bool = False


@frozen
class Look:
    """What a look over a chunk of whole lines found: see `look_over`."""

    count: int
    longest: int
    odd: bool


def look_over(chunk: bytes) -> Look:
    """
    Count the lines of *chunk*, which ends in LF; *odd* is set where a line is empty or
    begins with a blank.

    *longest* is exact only so far as it passes the chunk's length: a chunk shorter than the
    limit needs no closer look.  `tscm.intake` hands in a compiled function of the same kind.
    """
    odd = chunk[:1] in (b" ", b"\n") or _ODD.search(chunk) is not None
    return Look(chunk.count(b"\n"), len(chunk) - 1, odd)


Looker = Callable[[bytes], Look]


@define
class LineDecoder:
    """
    Lines that LF, CR LF or NUL ends (RFC 6587, 3.4.2).

    A line over *max_length* is cut and counted, its rest up to the line's end is dropped, and
    the next line is whole.  Empty lines are no messages.  Blanks in front of a line go where
    `<` follows: an ASA sends one now and then.
    """

    max_length: int
    look: Looker = look_over
    cut: int = field(default=0, init=False)
    _partial: bytearray = field(factory=bytearray, init=False)
    _overrun: bool = field(default=False, init=False)

    def feed(self, data: bytes) -> Lines | None:
        """Take what a read brought; give the lines that it completes, or None."""
        nul = data.rfind(b"\0")
        end = max(data.rfind(b"\n"), nul) + 1
        if not end:
            self._hold(data)
            return None
        whole = data if end == len(data) else data[:end]
        if nul >= 0:
            whole = whole.replace(b"\0", b"\n")
        if self._partial:
            whole = self._joined(whole)
        if end != len(data):
            self._hold(data[end:])
        return self._lines(whole)

    def close(self) -> Lines | None:
        """What is left when the peer has gone: the rest of a line is a line."""
        if not self._partial:
            return None
        return self._lines(self._joined(b"\n"))

    @property
    def partial(self) -> bytes:
        """The bytes held of a line that has not ended."""
        return bytes(self._partial)

    def _hold(self, piece: bytes) -> None:
        # One byte more than a line may hold: it may be the CR of a CR LF.
        room = self.max_length + 1 - len(self._partial)
        if len(piece) > room:
            self._overrun = True
            piece = piece[:room]
        self._partial += piece

    def _joined(self, whole: bytes) -> bytes:
        if self._overrun:
            # One byte over the limit and no CR: `_lines` will cut it and count it.
            self._partial[self.max_length :] = b"."
            whole = whole[whole.index(b"\n") :]
        joined = b"".join((self._partial, whole))
        self._partial.clear()
        self._overrun = False
        return joined

    def _lines(self, whole: bytes) -> Lines | None:
        carriage = b"\r" in whole
        if carriage:
            whole = whole.replace(b"\r\n", b"\n")
        look = self.look(whole)
        count = look.count
        if look.longest > self.max_length:
            whole = self._within_limit(whole)
        if look.odd:
            whole = b"".join(_LINES_WITH_TEXT.findall(_STRAY.sub(b"", whole)))
            count = whole.count(b"\n")
            if not count:
                return None
        escaped = (carriage and b"\r" in whole) or INTRODUCER in whole
        if escaped:
            whole = b"\n".join(map(escape, whole.split(b"\n")))
        return Lines(whole, count, escaped)

    def _within_limit(self, whole: bytes) -> bytes:
        pieces: list[bytes] = []
        start, limit = 0, self.max_length
        while start < len(whole):
            # Skip as many lines as surely fit, by their last LF.
            end = whole.rfind(b"\n", start, start + limit + 1)
            if end < 0:
                end = whole.index(b"\n", start)
                pieces += (whole[start : start + limit], b"\n")
                self.cut += 1
            else:
                pieces.append(whole[start : end + 1])
            start = end + 1
        return b"".join(pieces)


@define
class OctetDecoder:
    """
    Frames that begin with their length in octets and a blank (RFC 6587, 3.4.1).

    A frame over *max_length* is cut and counted, its rest skipped, and the next frame is in
    step.  LF, CR, NUL and blanks between frames are passed over.  Where a length should stand
    and does not, the text up to the next LF is kept as a line and counted in *faults*.
    """

    max_length: int
    cut: int = field(default=0, init=False)
    faults: int = field(default=0, init=False)
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
        at, end = 0, len(data)
        while at < end:
            if self._wanted:
                at = self._take(data, at, messages)
            elif self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
            elif self._stray is not None:
                at = self._take_stray(data, at, messages)
            elif data[at] in _BETWEEN_FRAMES:
                at += 1
            else:
                at = self._take_count(data, at)
        return close_messages(messages, self.max_length).lines

    def close(self) -> Lines | None:
        """What is left when the peer has gone: part of a frame is kept as a message."""
        messages: list[bytes] = []
        if self._stray is not None:
            self._end_stray(self._stray.close(), messages)
        elif self._wanted or self._buffer:
            self.faults += 1
            messages.append(self._buffer or bytes(self._got))
            self._got.clear()
            self._buffer = b""
            self._wanted = 0
        return close_messages(messages, self.max_length).lines

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
        """How much of an over-long frame, kept in part already, is still to be passed over."""
        return 0 if self._wanted else self._skip

    def pass_over(self, octets: int) -> None:
        """Begin inside a frame of which another decoder has kept what it may."""
        self._skip = octets

    def _take_count(self, data: bytes, at: int) -> int:
        found = _COUNT.match(data, at)
        if found and (length := int(found[1])) <= MAX_FRAME:
            self._wanted = min(length, self.max_length)
            self._skip = length - self._wanted
            return found.end()
        if not found and _UNDECIDED.fullmatch(data, at):
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
            self.cut += self._skip > 0
        return at + len(piece)

    def _take_stray(self, data: bytes, at: int, messages: list[bytes]) -> int:
        assert self._stray is not None
        end = data.find(b"\n", at) + 1
        lines = self._stray.feed(data[at : end or len(data)])
        if end:
            self._end_stray(lines, messages)
        elif lines is not None:
            messages += messages_of(lines)
        return end or len(data)

    def _end_stray(self, lines: Lines | None, messages: list[bytes]) -> None:
        assert self._stray is not None
        if lines is not None:
            messages += messages_of(lines)
        self.cut += self._stray.cut
        self._stray = None


class Framing(StrEnum):
    """What a connection speaks."""

    LINES = "lines"
    OCTETS = "octet counts"
    TLS = "TLS"
    """A TLS hand-shake where none belongs: nothing in it is a message."""


def find_framing(start: bytes) -> Framing | None:
    """
    Tell the framing from a connection's first bytes; None where more are needed.

    A number that no frame can have, or that no blank follows (`2025-07-29 …`), is text.
    """
    found = _COUNT.match(start)
    if found:
        return Framing.OCTETS if int(found[1]) <= MAX_FRAME else Framing.LINES
    if not start or start in _TLS_START or _UNDECIDED.fullmatch(start):
        return None
    return Framing.TLS if _TLS_RECORD.match(start) else Framing.LINES


@frozen
class StreamState:
    """
    All that a decoder knows of a connection between two reads.
    """

    framing: Framing | None = None
    partial: bytes = b""
    skip: int = 0


@define
class StreamDecoder:
    """
    Bytes in, `Lines` out, for one connection: finds the framing once, then leaves the work to
    the decoder for it.
    """

    max_length: int
    look: Looker = look_over
    octet_counts: bool = True
    framing: Framing | None = field(default=None, init=False)
    _start: bytes = field(default=b"", init=False)
    _decoder: LineDecoder | OctetDecoder | None = field(default=None, init=False)

    def feed(self, data: bytes) -> Lines | None:
        """Take what a read brought; give the messages that it completes, or None."""
        if self._decoder is not None:
            return self._decoder.feed(data)
        if self.framing is Framing.TLS:
            return None
        data = self._start + data
        framing = find_framing(data)
        if framing is None:
            self._start = data
            return None
        if framing is Framing.OCTETS and not self.octet_counts:
            framing = Framing.LINES
        self._start = b""
        self._choose(framing)
        return None if self._decoder is None else self._decoder.feed(data)

    def close(self) -> Lines | None:
        """What is left when the peer has gone: kept, not dropped."""
        if self._decoder is None and self._start:
            start, self._start = self._start, b""
            self._decoder = LineDecoder(self.max_length, self.look)
            self.framing = Framing.LINES
            self._decoder.feed(start)
        return None if self._decoder is None else self._decoder.close()

    def state(self) -> StreamState:
        """Where the connection stands, for a decoder that goes on with it elsewhere."""
        if self._decoder is None:
            return StreamState(self.framing, self._start)
        skip = self._decoder.skip if isinstance(self._decoder, OctetDecoder) else 0
        return StreamState(self.framing, self._decoder.partial, skip)

    def go_on(self, state: StreamState) -> None:
        """Begin where the decoder that gave *state* stopped; only before the first `feed`."""
        self._choose(state.framing)
        if isinstance(self._decoder, OctetDecoder):
            self._decoder.pass_over(state.skip)
        if state.partial:
            self.feed(state.partial)

    def _choose(self, framing: Framing | None) -> None:
        self.framing = framing
        if framing is Framing.OCTETS:
            self._decoder = OctetDecoder(self.max_length)
        elif framing is Framing.LINES:
            self._decoder = LineDecoder(self.max_length, self.look)

    @property
    def cut(self) -> int:
        """Messages that were longer than allowed."""
        return 0 if self._decoder is None else self._decoder.cut

    @property
    def faults(self) -> int:
        """Places where an octet count should have stood and did not."""
        return self._decoder.faults if isinstance(self._decoder, OctetDecoder) else 0


@frozen
class Closed:
    """Messages as lines for the log, and how many were *empty* (no messages) or *cut*."""

    lines: Lines | None
    empty: int = 0
    cut: int = 0


def close_messages(messages: Sequence[bytes], max_length: int) -> Closed:
    """
    Whole messages (datagrams, counted frames) as lines.

    LF, CR and NUL at a message's end are framing and go; inside it they are escaped.
    """
    if not messages:
        return Closed(None)
    joined = b"\n".join(messages) + b"\n"
    count = len(messages)
    if (
        b"\r" not in joined
        and b"\0" not in joined
        and INTRODUCER not in joined
        and joined.count(b"\n") == count
        and all(messages)
        and (len(joined) <= max_length or max(map(len, messages)) <= max_length)
    ):
        return Closed(Lines(joined, count))
    kept = [bare for message in messages if (bare := message.rstrip(TRAILERS))]
    cut = sum(len(message) > max_length for message in kept)
    escaped = any(map(needs_escape, kept))
    data = b"".join([escape(message[:max_length]) + b"\n" for message in kept])
    lines = Lines(data, len(kept), escaped) if kept else None
    return Closed(lines, count - len(kept), cut)


def messages_of(lines: Lines) -> list[bytes]:
    """The messages again, as they came."""
    found = lines.data.split(b"\n")
    found.pop()
    return list(map(unescape, found)) if lines.escaped else found
