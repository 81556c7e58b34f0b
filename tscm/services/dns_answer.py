"""
DNS answers put together from records as they stand on the wire.
"""

import struct
from collections.abc import Iterable

from tscm.policy.records import IN, OPT, TSIG
from tscm.services.dns_question import ANY, Question

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16
RCODES = {
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    NOTAUTH: "NOTAUTH",
    BADVERS: "BADVERS",
}
_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_QR, _AA, _TC, _RD = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE_AND_RD = 0x7900
_PAYLOAD = 65535
_DO = 0x8000
_EXTENDED_ERROR = 15


def record(owner: bytes, kind: int, ttl: int, data: bytes, cls: int = IN) -> bytes:
    """One record; *owner* is a name on the wire, or a pointer to one."""
    return owner + _FIXED.pack(kind, cls, ttl, len(data)) + data


def bare_answer(message: bytes, rcode: int) -> bytes:
    """
    A header alone, for a message of which nothing but four octets is looked at.
    """
    number, flags = struct.unpack_from(">HH", message)
    return _HEADER.pack(number, _QR | flags & _OPCODE_AND_RD | rcode, 0, 0, 0, 0)


def answer(
    question: Question,
    rcode: int = NOERROR,
    *,
    authoritative: bool = False,
    truncated: bool = False,
    answers: Iterable[bytes] = (),
    authorities: Iterable[bytes] = (),
    hint: str = "",
    tsig_error: int | None = None,
) -> bytes:
    """
    The message that answers *question* with these records.

    *hint* goes into an extended error (RFC 8914) where EDNS is spoken; *tsig_error* tells, unsigned, why the
    signature of a question does not count (RFC 8945, 5.2).
    """
    sections = list(answers), list(authorities), [*_additionals(question, rcode, hint, tsig_error)]
    flags = _QR | question.flags & _RD | rcode & 0x0F
    flags |= _AA * authoritative | _TC * truncated
    head = _HEADER.pack(question.id, flags, 1, *map(len, sections))
    return head + question.asked + b"".join(map(b"".join, sections))


def _additionals(
    question: Question, rcode: int, hint: str, tsig_error: int | None
) -> Iterable[bytes]:
    if question.edns is not None:
        told = b"\0\0" + hint.encode()
        option = struct.pack(">HH", _EXTENDED_ERROR, len(told)) + told if hint else b""
        ttl = rcode >> 4 << 24 | _DO * question.edns.dnssec_ok
        yield record(b"\0", OPT, ttl, option, _PAYLOAD)
    signature = question.signature
    if signature is not None and tsig_error is not None:
        unsigned = struct.pack(">H2sHH", 0, signature.original_id, tsig_error, 0)
        data = signature.algorithm + signature.times + unsigned
        yield record(signature.key, TSIG, 0, data, ANY)
