"""
Who a line says it comes from: needed where one sender relays the lines of several devices.

Sender-controlled text: it is compared with names that are known, and nothing else.
"""

import re

_TAG = re.compile(rb"%(?:ASA|FTD|PIX|FWSM)-")
_PRI = re.compile(rb"\s*<[0-9]{1,3}>(?:1 )?:?")
_STAMP = re.compile(
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}[0-9]{1,2}(?: [0-9]{4})?"
    rb" [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?: [A-Z]{2,5}(?=:| [^ :]+ ?:))?"
    rb"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    rb"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_PROGRAM = re.compile(rb"[^\s\[]*\[[0-9]*\]")
_MAX_HEADER = 512
_MAX_NAMES = 8


def origins(line: bytes) -> tuple[bytes, ...]:
    """
    Names and addresses that stand in front of the tag, the likeliest first.

    What follows the innermost time stamp is the device's own; names before it were put in
    front by relays.  A line without a tag is read as RFC 3164 or RFC 5424: one host name
    after the stamp.
    """
    tag = _TAG.search(line, 0, _MAX_HEADER)
    head = line[: tag.start()] if tag else line[:_MAX_HEADER]
    pri = _PRI.match(head)
    if pri:
        head = head[pri.end() :]
    if tag is None:
        stamp = _STAMP.match(head)
        return _names(head[stamp.end() :])[:1] if stamp else ()
    found: list[bytes] = []
    for piece in reversed(_STAMP.split(head)):
        found += _names(piece)
    return tuple(dict.fromkeys(found))[:_MAX_NAMES]


def origin(line: bytes) -> bytes | None:
    """The device's name or address as the line's header tells it; None where it does not."""
    found = origins(line)
    return found[0] if found else None


def _names(piece: bytes) -> tuple[bytes, ...]:
    names: list[bytes] = []
    for word in piece.split():
        bare = word.strip(b":")
        if bare and bare != b"-" and not _PROGRAM.fullmatch(bare):
            names += [part for part in bare.split(b"/") if part]
    return tuple(names)
