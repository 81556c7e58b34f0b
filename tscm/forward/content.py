"""
From a block of the log to the bytes that a receiver is sent.

The log holds LF, CR, NUL and DLE inside a message as escapes (`tscm.syslog.escape`).  A datagram can
carry all of them, so it gets the message as it was received.  LF framing cannot carry an LF:
there it becomes a blank, as a person would read it, and is counted; the other bytes are restored.
"""

from tscm.forward.link import Chunk
from tscm.model import Block
from tscm.syslog.escape import unescape

_ESCAPED_LF = b"\x10n"
MAX_DATAGRAM = 65_507
"""Payload of the largest UDP datagram over IPv4 (65,535 less 20 and 8 bytes of header)."""


def lf_framed(block: Block) -> Chunk:
    """The block in LF framing (RFC 6587, 3.4.2); untouched where it holds no escape."""
    if not block.escaped:
        return Chunk(block.data)
    altered = block.data.count(_ESCAPED_LF)
    return Chunk(unescape(block.data.replace(_ESCAPED_LF, b" ")), altered=altered)


def datagrams(block: Block, most: int = MAX_DATAGRAM) -> Chunk:
    """The block's messages as they were received, one payload each, at most *most* bytes long."""
    lines = block.data.split(b"\n")
    lines.pop()  # what stands behind the last LF: nothing
    if block.escaped:
        lines = [unescape(line) for line in lines]
    cut = 0
    if len(block.data) > most:
        for at, line in enumerate(lines):
            if len(line) > most:
                lines[at] = line[:most]
                cut += 1
    return Chunk(payloads=lines, cut=cut)
