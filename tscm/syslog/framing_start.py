"""
Which framing a connection speaks, told from its first bytes (RFC 6587, 3.4; docs/develop/framing.md).

Line ends, blanks and NUL in front of the first message, and PROXY headers that a load balancer puts
there, tell nothing about the framing: the decision is made behind them.
"""

import re
from enum import StrEnum

from attrs import frozen

MAX_FRAME = 1 << 24
"""The largest octet count that is believed: a larger number is text (CVE-2022-24903 and kin)."""

MAX_DIGITS = len(str(MAX_FRAME))
COUNT = re.compile(rb"([1-9][0-9]{0,%d}) " % (MAX_DIGITS - 1))
UNDECIDED = re.compile(rb"[1-9][0-9]{0,%d}" % (MAX_DIGITS - 1))

_MAX_PADDING = 1024
_PADDING = re.compile(rb"[ \n\r\0]{0,%d}" % _MAX_PADDING)
_TLS_RECORD = re.compile(rb"\x16\x03[\x00-\x04]", re.DOTALL)
_TLS_START = (b"\x16", b"\x16\x03")

_MAX_HEADERS = 2  # one for each of two proxies in a row
_V1 = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)(?: [0-9A-Fa-f.: ]*)?\r?\n")
_V1_WORD = b"PROXY "
_V1_BYTES = 107
# The signature of version 2 begins with seven line ends, which read as padding.
_V2_PADDING, _V2_WORD = b"\r\n\r\n\0\r\n", b"QUIT\n"
_V2_FIXED = len(_V2_WORD) + 4
_V2_BYTES = 4096


class Framing(StrEnum):
    """What a connection speaks."""

    LINES = "lines"
    OCTETS = "octet counts"
    TLS = "TLS"
    """A TLS handshake where none belongs: nothing in it is a message."""


@frozen
class Opening:
    """
    What the first bytes of a connection tell: the *framing* (None: more bytes are needed), where the
    messages begin, and how many PROXY *headers* stand before them.
    """

    framing: Framing | None
    at: int = 0
    headers: int = 0


def find_framing(start: bytes) -> Framing | None:
    """
    Tell the framing from a connection's first bytes; None where more are needed.

    A number that no frame can have, or that no blank follows (`2025-07-29 …`), is text.
    """
    return open_stream(start).framing


def open_stream(start: bytes) -> Opening:
    """
    Read a connection's first bytes.

    The result does not change with bytes that come later, once a framing is found.  Needs at most
    some 10 KB: longer padding and longer headers are text.
    """
    at = headers = 0
    while True:
        if _TLS_RECORD.match(start, at):
            return Opening(Framing.TLS, at, headers)
        if start[at : at + 3] in _TLS_START:
            return Opening(None, at, headers)
        padding = _PADDING.match(start, at)
        assert padding is not None
        text = padding.end()
        if text - at == _MAX_PADDING:
            return Opening(Framing.LINES, at, headers)
        end = _header_end(start, at, text) if headers < _MAX_HEADERS else 0
        if end is None:
            return Opening(None, at, headers)
        if not end:
            return Opening(_framing_of(start, text), at, headers)
        at, headers = end, headers + 1


def _framing_of(start: bytes, at: int) -> Framing | None:
    found = COUNT.match(start, at)
    if found:
        return Framing.OCTETS if int(found[1]) <= MAX_FRAME else Framing.LINES
    if at == len(start) or UNDECIDED.fullmatch(start, at):
        return None
    return Framing.LINES


def _header_end(start: bytes, at: int, text: int) -> int | None:
    """
    Where the PROXY header behind the padding from *at* to *text* ends: 0 where none stands there, None
    where more bytes are needed.
    """
    if start[at:text].endswith(_V2_PADDING):
        return _v2_end(start, text)
    line = start[text : text + _V1_BYTES]
    word = line[: len(_V1_WORD)]
    if not word or not _V1_WORD.startswith(word):
        return 0
    if b"\n" not in line:
        return None if len(line) < _V1_BYTES else 0
    found = _V1.match(line)
    return text + found.end() if found else 0


def _v2_end(start: bytes, text: int) -> int | None:
    fixed = start[text : text + _V2_FIXED]
    word = fixed[: len(_V2_WORD)]
    if not _V2_WORD.startswith(word):
        return 0
    if len(fixed) > len(_V2_WORD) and fixed[len(_V2_WORD)] >> 4 != 2:
        return 0
    if len(fixed) < _V2_FIXED:
        return None
    length = int.from_bytes(fixed[-2:], "big")
    if length > _V2_BYTES:
        return 0
    end = text + _V2_FIXED + length
    return end if end <= len(start) else None
