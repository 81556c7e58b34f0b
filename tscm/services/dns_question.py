"""
A DNS question from outside, read by hand: nothing in it can cost more than its 1,024 octets.

Taken are one question, the SOA record of an IXFR (RFC 1995, 3), an OPT record (RFC 6891) and a TSIG
record (RFC 8945), each at most once and where it belongs.  No server needs more to give a zone.
"""

import struct

from attrs import frozen

from tscm.policy.names import MessageDamaged, read_name
from tscm.policy.records import IN, OPT, SOA, TSIG

MAX_OCTETS = 1024
"""
The longest question that is read.  Name, IXFR's SOA, EDNS with a cookie and padding to 468 octets
(RFC 8467) and a TSIG of SHA-512 stay well below it.
"""
HEADER_OCTETS = 12
IXFR, AXFR, ANY = 251, 252, 255
QUERY, FORMERR = 0, 1
_HEADER = struct.Struct(">HHHHHH")
_QUESTION = struct.Struct(">HH")
_FIXED = struct.Struct(">HHIH")
_OPTION = struct.Struct(">HH")
_TSIG_TIMES = 8
_TSIG_SHORT = struct.Struct(">H")
_TSIG_TAIL = struct.Struct(">HHH")
_SOA_NUMBERS = 20
_LABEL_MAX = 63
_NAME_MAX = 255


class QuestionDamaged(Exception):
    """
    What is answered with FORMERR.
    """


@frozen(kw_only=True)
class Edns:
    """
    The OPT record: the version that is asked for, and whether DO is set.
    """

    version: int
    dnssec_ok: bool


@frozen(kw_only=True)
class Signature:
    """
    The TSIG record as far as an answer repeats it: key and algorithm, time with fudge, original id; and where
    it stands.
    """

    key: bytes
    algorithm: bytes
    times: bytes
    original_id: bytes
    at: int
    """Where the record begins in the message, which it ends."""
    data_at: int


@frozen(kw_only=True)
class Question:
    """
    One question; *name* is in lower case as on the wire, *asked* the question section as it came.
    """

    id: int
    flags: int
    asked: bytes
    name: bytes
    kind: int
    cls: int
    known_serial: int | None = None
    """What an IXFR names as the serial that the asker has."""
    edns: Edns | None = None
    signature: Signature | None = None

    @property
    def text(self) -> str:
        """
        The name without the closing dot; empty for one that no list can have.

        A dot or another octet inside a label that no name of a list holds is such a case.
        """
        labels, at = [], 0
        while length := self.name[at]:
            labels.append(self.name[at + 1 : at + 1 + length])
            at += 1 + length
        if any(b"." in label or not label.isascii() for label in labels):
            return ""
        return b".".join(labels).decode("ascii")


def opcode_of(flags: int) -> int:
    """The opcode in the second word of a header."""
    return flags >> 11 & 0x0F


def read_question(message: bytes) -> Question:
    """
    The question in *message*, whose opcode is QUERY; raises `QuestionDamaged`.
    """
    try:
        return _read(message)
    except (IndexError, struct.error):
        raise QuestionDamaged("the message is truncated") from None
    except MessageDamaged as error:
        raise QuestionDamaged(str(error)) from None


def _read(message: bytes) -> Question:
    number, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if len(message) > MAX_OCTETS:
        raise QuestionDamaged("the message is longer than any query")
    if questions != 1 or answers or authorities > 1 or additionals > 2:
        raise QuestionDamaged("the header counts more or fewer records than a query has")
    name, at = _plain_name(message, HEADER_OCTETS)
    kind, cls = _QUESTION.unpack_from(message, at)
    at += _QUESTION.size
    asked, serial, edns, signature = message[HEADER_OCTETS:at], None, None, None
    if authorities:
        serial, at = _known_serial(message, at, name)
        if kind != IXFR:
            raise QuestionDamaged("an authority record without IXFR")
    for left in reversed(range(additionals)):
        record_at = at
        owner, at = read_name(message, at)
        type_, class_, ttl, size = _FIXED.unpack_from(message, at)
        begin = at + _FIXED.size
        at = begin + size
        data = message[begin:at]
        if type_ == OPT and edns is None and owner == b"\0":
            edns = _edns(ttl, data)
        elif type_ == TSIG and class_ == ANY and not left:
            signature = _signature(message, owner, record_at, begin, data)
        else:
            raise QuestionDamaged("an additional record that no query has")
    if at != len(message):
        raise QuestionDamaged("the length of the message does not match its records")
    return Question(
        id=number,
        flags=flags,
        asked=asked,
        name=name,
        kind=kind,
        cls=cls,
        known_serial=serial,
        edns=edns,
        signature=signature,
    )


def _plain_name(message: bytes, at: int) -> tuple[bytes, int]:
    """A name without pointers: there is nothing before a question that one could lead to."""
    begin = at
    while length := message[at]:
        if length > _LABEL_MAX:
            raise QuestionDamaged("a label type that the name of a query cannot have")
        at += 1 + length
        if at - begin >= _NAME_MAX:
            raise QuestionDamaged("a name over 255 octets")
    return message[begin : at + 1].lower(), at + 1


def _known_serial(message: bytes, at: int, zone: bytes) -> tuple[int, int]:
    owner, at = read_name(message, at)
    kind, cls, _ttl, size = _FIXED.unpack_from(message, at)
    at += _FIXED.size
    end = at + size
    if owner != zone or kind != SOA or cls != IN:
        raise QuestionDamaged("an authority record that is not the zone's SOA record")
    for _ in range(2):
        _name, at = read_name(message, at)
    if at + _SOA_NUMBERS != end or end > len(message):
        raise QuestionDamaged("a SOA record of the wrong length")
    return int.from_bytes(message[at : at + 4], "big"), end


def _edns(ttl: int, options: bytes) -> Edns:
    at = 0
    while at < len(options):
        _code, size = _OPTION.unpack_from(options, at)
        at += _OPTION.size + size
    if at != len(options):
        raise QuestionDamaged("an EDNS option is truncated")
    return Edns(version=ttl >> 16 & 0xFF, dnssec_ok=bool(ttl & 0x8000))


def _signature(message: bytes, key: bytes, record_at: int, begin: int, data: bytes) -> Signature:
    algorithm, at = read_name(message, begin)
    at -= begin
    times = data[at : at + _TSIG_TIMES]
    at += _TSIG_TIMES
    (size,) = _TSIG_SHORT.unpack_from(data, at)
    at += _TSIG_SHORT.size + size
    original, _error, other = _TSIG_TAIL.unpack_from(data, at)
    if at + _TSIG_TAIL.size + other != len(data):
        raise QuestionDamaged("a TSIG record of the wrong length")
    return Signature(
        key=key,
        algorithm=algorithm,
        times=times,
        original_id=original.to_bytes(2, "big"),
        at=record_at,
        data_at=begin,
    )
