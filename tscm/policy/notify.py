"""
NOTIFY (RFC 1996): a server tells that a zone has changed.  Messages made and read; pure.
"""

import struct

from attrs import frozen

from tscm.policy.names import MessageDamaged, read_name
from tscm.policy.records import IN, SOA

MAX_OCTETS = 512
"""Of a message over UDP (RFC 1035, 2.3.4)."""
OPCODE = 4
_HEADER = struct.Struct(">HHHHHH")
_QUESTION = struct.Struct(">HH")
_FIXED = struct.Struct(">HHIH")
_OWNER_IS_QUESTION = b"\xc0\x0c"
_QR, _AA, _OPCODE_AT, _OPCODE_MASK = 0x8000, 0x0400, 11, 0x0F


@frozen
class Notice:
    """
    What a NOTIFY says: the zone, as it is written; *number* is the message's.
    """

    number: int
    zone: str


def notice(number: int, zone: bytes, soa: bytes) -> bytes:
    """The message about *zone*, a name on the wire, whose SOA record holds *soa* now (RFC 1996, 3.7)."""
    flags = OPCODE << _OPCODE_AT | _AA
    record = _OWNER_IS_QUESTION + _FIXED.pack(SOA, IN, 0, len(soa)) + soa
    return _HEADER.pack(number, flags, 1, 1, 0, 0) + zone + _QUESTION.pack(SOA, IN) + record


def read_notice(message: bytes) -> Notice | None:
    """
    A NOTIFY, or None for everything else.  The serial in it is not looked at: the zone is asked for its own.
    """
    if not _HEADER.size < len(message) <= MAX_OCTETS:
        return None
    number, flags, questions, _answers, _authorities, _additionals = _HEADER.unpack_from(message)
    if flags & _QR or flags >> _OPCODE_AT & _OPCODE_MASK != OPCODE or questions != 1:
        return None
    try:
        name, at = read_name(message, _HEADER.size)
        kind, cls = _QUESTION.unpack_from(message, at)
    except (MessageDamaged, struct.error, IndexError):
        return None
    if kind != SOA or cls != IN:
        return None
    labels, place = [], 0
    while length := name[place]:
        labels.append(name[place + 1 : place + 1 + length])
        place += 1 + length
    if not labels or any(b"." in one or not one.isascii() for one in labels):
        return None
    return Notice(number, b".".join(labels).decode("ascii"))


def confirmation(message: bytes) -> bytes:
    """What answers a NOTIFY that was read: its header and question, with QR set (RFC 1996, 4.7)."""
    number, flags = struct.unpack_from(">HH", message)
    _name, at = read_name(message, _HEADER.size)
    question = message[_HEADER.size : at + _QUESTION.size]
    return _HEADER.pack(number, flags & ~0x0F | _QR | _AA, 1, 0, 0, 0) + question


def confirmed_number(message: bytes) -> int | None:
    """Which message an answer confirms, whatever it says of it; None for what is no answer to a NOTIFY."""
    if not _HEADER.size <= len(message) <= MAX_OCTETS:
        return None
    number, flags = struct.unpack_from(">HH", message)
    right = flags & _QR and flags >> _OPCODE_AT & _OPCODE_MASK == OPCODE
    return int(number) if right else None
