"""
Lines for the log: of a stream that line ends divide, and of messages that are whole already.
"""

import re
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from tscm.syslog.escape import INTRODUCER, escape, escape_lines, needs_escape, unescape
from tscm.syslog.resync import Resync

TRAILERS = b"\n\r\0"
"""What may close a datagram or a counted frame without being part of the message."""

_STRAY = re.compile(rb"^(?:[ \r]++(?=<)|\r++(?=\n))", re.MULTILINE)
_LINES_WITH_TEXT = re.compile(rb"[^\n]+\n")
_ODD = re.compile(rb"\n[ \n]")


@define
class Lines:
    """
    *count* whole lines, each closed by one LF and escaped; *escaped* says whether any escape
    stands in them.

    It is never changed; it is not frozen, because one is made of each chunk, and that would take twice as long.
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

    A line over *max_length* is cut and counted as soon as the limit is passed, its rest up to the
    line's end is passed over, and the next line is whole.  Empty lines are no messages.  Blanks and CR
    in front of a line go where `<` follows: an ASA sends a blank now and then, and some end lines by LF CR.
    """

    max_length: int
    look: Looker = look_over
    octet_counts: bool = True
    """Whether what is passed over is searched for counted frames."""
    cut: int = field(default=0, init=False)
    resumed: bytes | None = field(default=None, init=False)
    """
    Where counted frames go on behind an over-long line: their bytes, for an `OctetDecoder`.  Then this
    decoder is at its end.
    """
    _partial: bytearray = field(factory=bytearray, init=False)
    _overrun: Resync | None = field(default=None, init=False)

    def feed(self, data: bytes) -> Lines | None:
        """Take what a read brought; give the lines that it completes, or None."""
        if self._overrun is None:
            return self._feed(data)
        end = _end_of_line(data, 0)
        tail = data if end < 0 else data[:end]
        self._search(self._overrun, tail, ended=end >= 0)
        if self.resumed is not None:
            self.resumed += data[len(tail) :]
            return self._head()
        if end < 0:
            return None
        return joined(self._head(), self._feed(data[end + 1 :]))

    def close(self) -> Lines | None:
        """What is left when the peer has gone: the rest of a line is a line."""
        if not self._partial:
            return None
        if self._overrun is not None:
            return self._head()
        whole = bytes(self._partial) + b"\n"
        self._partial.clear()
        return self._lines(whole, nul=False)

    @property
    def partial(self) -> bytes:
        """The bytes held of a line that has not ended, and of what may be a frame in its rest."""
        held = bytes(self._partial)
        return held if self._overrun is None else held + self._overrun.held

    @property
    def passing_over(self) -> bool:
        """Whether the line is cut and counted already, and its rest goes on."""
        return self._overrun is not None

    def pass_over(self, partial: bytes) -> None:
        """Go on in a line that another decoder has cut, of which it held *partial*."""
        self._overrun = Resync(self.max_length)
        self._partial += partial[: self.max_length]
        self._search(self._overrun, partial[self.max_length :], ended=False)

    def _feed(self, data: bytes) -> Lines | None:
        nul = data.rfind(b"\0")
        end = max(data.rfind(b"\n"), nul) + 1
        if not end:
            return self._hold(data)
        whole = data if end == len(data) else data[:end]
        if self._partial:
            whole = b"".join((self._partial, whole))
            self._partial.clear()
        lines = self._lines(whole, nul=nul >= 0)
        if end == len(data):
            return lines
        if self.resumed is not None:
            self.resumed += data[end:]
            return lines
        return joined(lines, self._hold(data[end:]))

    def _hold(self, piece: bytes) -> Lines | None:
        """Keep the beginning of a line; give its head where frames go on behind the limit."""
        partial, limit = self._partial, self.max_length
        partial += piece
        # One byte more than a line may hold: it may be the CR of a CR LF.
        if len(partial) <= limit or (len(partial) == limit + 1 and partial.endswith(b"\r")):
            return None
        self.cut += 1
        self._overrun = Resync(limit)
        rest = bytes(partial[limit:])
        del partial[limit:]
        self._search(self._overrun, rest, ended=False)
        return None if self.resumed is None else self._head()

    def _search(self, overrun: Resync, tail: bytes, *, ended: bool) -> None:
        if self.octet_counts:
            self.resumed = overrun.feed(tail, ended=ended)

    def _head(self) -> Lines | None:
        """What is kept of an over-long line, at its end."""
        head = bytes(self._partial) + b"\n"
        self._partial.clear()
        self._overrun = None
        return self._finished(head, self.look(head), carriage=True)

    def _lines(self, raw: bytes, *, nul: bool) -> Lines | None:
        whole = raw.replace(b"\0", b"\n") if nul else raw
        carriage = b"\r" in whole
        if carriage:
            whole = whole.replace(b"\r\n", b"\n")
        look = self.look(whole)
        if look.longest > self.max_length:
            whole = self._within_limit(raw)
            look = self.look(whole)
        return self._finished(whole, look, carriage=carriage)

    def _finished(self, whole: bytes, look: Look, *, carriage: bool) -> Lines | None:
        count = look.count
        if look.odd or (carriage and (whole.startswith(b"\r") or b"\n\r" in whole)):
            whole = b"".join(_LINES_WITH_TEXT.findall(_STRAY.sub(b"", whole)))
            count = whole.count(b"\n")
            if not count:
                return None
        escaped = (carriage and b"\r" in whole) or INTRODUCER in whole
        if escaped:
            whole = escape_lines(whole)
        return Lines(whole, count, escaped)

    def _within_limit(self, raw: bytes) -> bytes:
        """The lines of *raw* with LF alone, each within the limit; up to where frames go on."""
        pieces: list[bytes] = []
        start, limit = 0, self.max_length
        while start < len(raw):
            # Skip as many lines as surely fit, by their last end.
            window = start + limit + 1
            end = max(raw.rfind(b"\n", start, window), raw.rfind(b"\0", start, window))
            if end < 0 and raw[window - 1] in b"\r" and raw[window] in b"\n\0":
                end = window
            if end >= 0:
                fit = raw[start : end + 1].replace(b"\0", b"\n")
                pieces.append(fit.replace(b"\r\n", b"\n"))
            else:
                pieces += (raw[start : start + limit], b"\n")
                self.cut += 1
                end = _end_of_line(raw, window - 1)
                if self.octet_counts:
                    found = Resync(limit).feed(raw[start + limit : end], ended=True)
                    if found is not None:
                        self.resumed = found + raw[end:]
                        break
            start = end + 1
        return b"".join(pieces)


def _end_of_line(data: bytes, start: int) -> int:
    """Where the next LF or NUL stands in *data*; -1 where there is none."""
    line_feed = data.find(b"\n", start)
    nul = data.find(b"\0", start, line_feed if line_feed >= 0 else len(data))
    return nul if nul >= 0 else line_feed


def joined(first: Lines | None, second: Lines | None) -> Lines | None:
    """Both in one."""
    if first is None or second is None:
        return second if first is None else first
    return Lines(
        first.data + second.data, first.count + second.count, first.escaped or second.escaped
    )


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
    short = [message[:max_length] for message in kept]
    escaped = any(map(needs_escape, short))  # what was cut off needs none
    data = b"".join([escape(message) + b"\n" for message in short])
    lines = Lines(data, len(kept), escaped) if kept else None
    return Closed(lines, count - len(kept), cut)


def messages_of(lines: Lines) -> list[bytes]:
    """The messages again, as they came."""
    found = lines.data.split(b"\n")
    found.pop()
    return list(map(unescape, found)) if lines.escaped else found
