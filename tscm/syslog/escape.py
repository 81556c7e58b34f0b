"""
One line a message, restorable byte for byte.

LF, CR and NUL inside a message would break the log into wrong lines.  They are written as
DLE (0x10) and a letter, and so is DLE itself: a control byte that firewalls do not send, so
that ordinary lines, backslashes included, stand in the log as received.
"""

import re

INTRODUCER = b"\x10"
"""DLE: where it stands in a log's line, an escape begins."""

_LETTERS = {b"\n": b"n", b"\r": b"r", b"\0": b"0", INTRODUCER: b"p"}
_ESCAPES = {special: INTRODUCER + letter for special, letter in _LETTERS.items()}
_RESTORED = {escape: special for special, escape in _ESCAPES.items()}
_ANY_SPECIAL = re.compile(rb"[\n\r\0\x10]")
_ANY_ESCAPE = re.compile(rb"\x10[nr0p]")


def needs_escape(payload: bytes) -> bool:
    """
    Whether a special byte stands in *payload*.

    Four searches of the C library beat one regular expression several times over.
    """
    return b"\n" in payload or b"\r" in payload or b"\0" in payload or INTRODUCER in payload


def escape(payload: bytes) -> bytes:
    """*payload* as a log's line holds it, without the closing LF; itself where it may stand."""
    if not needs_escape(payload):
        return payload
    return _ANY_SPECIAL.sub(lambda found: _ESCAPES[found[0]], payload)


def unescape(line: bytes) -> bytes:
    """
    What `escape` was given.

    *line* is one line without its closing LF.  An introducer that no known letter follows
    (a log that something else wrote) stays as it is.
    """
    if INTRODUCER not in line:
        return line
    return _ANY_ESCAPE.sub(lambda found: _RESTORED[found[0]], line)
