"""
Bytes in, lines for the log out: the framings of syslog over TCP and over datagrams.

A decoder belongs to one connection and knows no socket.  It hands out `Lines`, whole
chunks wherever the bytes may stand as they came; single lines are looked at only where they
must be: octet counts, escapes, over-long lines, the ASA's stray blank.

Which framing a connection speaks is found once, from its first bytes, and kept (RFC 6587,
3.4; choices and reasons in docs/develop/framing.md); only a line that passes the limit without an end
lets the decision be made again.  No input ends a connection: an ASA that loses its TCP
collector refuses new connections by default.
"""

from attrs import define, field, frozen

from tscm.syslog.framing_lines import (
    TRAILERS,
    Closed,
    LineDecoder,
    Lines,
    Look,
    Looker,
    close_messages,
    joined,
    look_over,
    messages_of,
)
from tscm.syslog.framing_octets import TO_LINE_END, OctetDecoder
from tscm.syslog.framing_start import MAX_FRAME, Framing, find_framing, open_stream

__all__ = [
    "MAX_FRAME",
    "TRAILERS",
    "Closed",
    "Framing",
    "LineDecoder",
    "Lines",
    "Look",
    "Looker",
    "OctetDecoder",
    "StreamDecoder",
    "StreamState",
    "close_messages",
    "find_framing",
    "look_over",
    "messages_of",
]


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
    the decoder for it.  Where a line has passed the limit and counted frames go on in its rest,
    the connection speaks octet counts from there on.
    """

    max_length: int
    look: Looker = look_over
    octet_counts: bool = True
    framing: Framing | None = field(default=None, init=False)
    proxy_headers: int = field(default=0, init=False)
    """PROXY headers in front of the first message: no messages, and the address in them is not used."""
    _start: bytes = field(default=b"", init=False)
    _decoder: LineDecoder | OctetDecoder | None = field(default=None, init=False)
    _lines_cut: int = field(default=0, init=False)
    _resumed: int = field(default=0, init=False)

    def feed(self, data: bytes) -> Lines | None:
        """Take what a read brought; give the messages that it completes, or None."""
        if self._decoder is None:
            if self.framing is Framing.TLS:
                return None
            data = self._open(self._start + data)
            if self._decoder is None:
                return None
        lines = self._decoder.feed(data)
        if isinstance(self._decoder, LineDecoder) and self._decoder.resumed is not None:
            self._lines_cut += self._decoder.cut
            self._resumed += 1
            data = self._decoder.resumed
            self._choose(Framing.OCTETS)
            return joined(lines, self._decoder.feed(data))
        return lines

    def close(self) -> Lines | None:
        """What is left when the peer has gone: kept, not dropped."""
        if self._decoder is None and self._start:
            start, self._start = self._start, b""
            self._choose(Framing.LINES)
            return joined(self.feed(start), self.close())
        return None if self._decoder is None else self._decoder.close()

    def state(self) -> StreamState:
        """Where the connection stands, for a decoder that goes on with it elsewhere."""
        if self._decoder is None:
            return StreamState(self.framing, self._start)
        if isinstance(self._decoder, OctetDecoder):
            skip = self._decoder.skip
        else:
            skip = TO_LINE_END if self._decoder.passing_over else 0
        return StreamState(self.framing, self._decoder.partial, skip)

    def go_on(self, state: StreamState) -> None:
        """Begin where the decoder that gave *state* stopped; only before the first `feed`."""
        self._choose(state.framing)
        if isinstance(self._decoder, OctetDecoder):
            self._decoder.go_on(state.partial, state.skip)
        elif self._decoder is not None and state.skip == TO_LINE_END:
            self._decoder.pass_over(state.partial)
        elif state.partial:
            self.feed(state.partial)

    def _open(self, start: bytes) -> bytes:
        """Choose the decoder by a connection's first bytes; what is left for it."""
        opening = open_stream(start)
        framing = opening.framing
        if framing is None:
            self._start = start
            return b""
        if framing is Framing.OCTETS and not self.octet_counts:
            framing = Framing.LINES
        self._start = b""
        self.proxy_headers = opening.headers
        self._choose(framing)
        return start[opening.at :]

    def _choose(self, framing: Framing | None) -> None:
        self.framing = framing
        if framing is Framing.OCTETS:
            self._decoder = OctetDecoder(self.max_length)
        elif framing is Framing.LINES:
            self._decoder = LineDecoder(self.max_length, self.look, self.octet_counts)

    @property
    def cut(self) -> int:
        """Messages that were longer than allowed."""
        return self._lines_cut + (0 if self._decoder is None else self._decoder.cut)

    @property
    def faults(self) -> int:
        """Places where an octet count should have stood and did not."""
        found = self._decoder.faults if isinstance(self._decoder, OctetDecoder) else 0
        return self._resumed + found
