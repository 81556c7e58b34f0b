"""
From a block of the log to the bytes that a receiver is sent.

The log holds LF, CR, NUL and DLE inside a message as escapes (`tscm.syslog.escape`).  Datagrams and
octet-counted streams can carry all of them, so there a message goes as it was received.  LF
framing cannot carry an LF: it becomes a blank, as a person would read it, and is counted; the other
bytes are restored.
"""

from collections.abc import Callable, Iterator, Sequence

from tscm.forward.link import Chunk
from tscm.forward.target import Target
from tscm.model import Block, Origin
from tscm.syslog.escape import unescape
from tscm.syslog.render import Render, rfc5424, with_header

Origins = Callable[[int, int], Sequence[Origin]]
"""Who sent the lines between two offsets, and when they came."""

Shape = Callable[[Block, Origins], Chunk]
"""Makes of a block what the target is sent."""

_ESCAPED_LF = b"\x10n"
MAX_DATAGRAM = 65_507
"""Payload of the largest UDP datagram over IPv4 (65,535 less 20 and 8 bytes of header)."""


def shape_of(target: Target) -> Shape:
    """How blocks go to *target*."""
    render = {"header": with_header, "rfc5424": rfc5424}.get(target.mode)
    if target.protocol == "UDP":
        return _datagrams(render)
    if target.framing == "octets":
        return _octet_counted(render)
    return as_received if render is None else _lf_framed(render)


def as_received(block: Block, _: Origins) -> Chunk:
    """The block in LF framing (RFC 6587, 3.4.2); untouched where it holds no escape."""
    if not block.escaped:
        return Chunk(block.data)
    altered = block.data.count(_ESCAPED_LF)
    return Chunk(unescape(block.data.replace(_ESCAPED_LF, b" ")), altered=altered)


def _lf_framed(render: Render) -> Shape:
    def shape(block: Block, origins: Origins) -> Chunk:
        altered, lines = 0, []
        for line in _rendered(block, origins, render):
            altered += line.count(b"\n")
            lines.append(line.replace(b"\n", b" ") + b"\n")
        return Chunk(b"".join(lines), altered=altered)

    return shape


def _octet_counted(render: Render | None) -> Shape:
    def shape(block: Block, origins: Origins) -> Chunk:
        # A count begins with a digit other than 0 (RFC 6587, 3.4.1): there is no empty message.
        lines = _rendered(block, origins, render)
        return Chunk(b"".join(b"%d %b" % (len(line), line) for line in lines if line))

    return shape


def _datagrams(render: Render | None) -> Shape:
    def shape(block: Block, origins: Origins) -> Chunk:
        # No line is longer than the block without the LF of each line.
        longest = len(block.data) - block.lines
        if render is None and not block.escaped and longest <= MAX_DATAGRAM:
            return Chunk(block.data, lines=block.lines)
        lines = list(_rendered(block, origins, render))
        cut = 0
        for at, line in enumerate(lines):
            if len(line) > MAX_DATAGRAM:
                lines[at] = line[:MAX_DATAGRAM]
                cut += 1
        return Chunk(payloads=lines, cut=cut)

    return shape


def _rendered(block: Block, origins: Origins, render: Render | None) -> Iterator[bytes]:
    """The block's messages as received, or as *render* makes them."""
    lines = block.data.split(b"\n")
    lines.pop()  # what stands behind the last LF: nothing
    restored = (unescape(line) for line in lines) if block.escaped else iter(lines)
    if render is None:
        yield from restored
        return
    stretches = iter(origins(block.start, block.end))
    stretch = next(stretches, None)
    at = block.start
    for line, message in zip(lines, restored, strict=True):
        while stretch is not None and stretch.end <= at:
            stretch = next(stretches, None)
        if stretch is None:
            yield render(message, None, 0.0)
        else:
            yield render(message, stretch.sender, stretch.received_at)
        at += len(line) + 1
