"""
DNS messages made to cost their reader as much as 64 KB can.
"""

import struct

HEADER = struct.Struct(">HHHHHH")
MOST = 65535
LONGEST = b"\1a" * 126 + b"\0"
"""A name of as many labels as there may be."""
SOA, CNAME, NS, RP, MX, PX, TXT = 6, 5, 2, 17, 15, 26, 16
POINTERS = {
    SOA: (b"", 2, b"\0" * 20),
    CNAME: (b"", 1, b""),
    NS: (b"", 1, b""),
    RP: (b"", 2, b""),
    MX: (b"\0\1", 1, b""),
    PX: (b"\0\1", 2, b""),
}
"""What stands before, how many names, and what stands after, in a record's data."""


def record(owner: bytes, kind: int, data: bytes, cls: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, cls, 60, len(data)) + data


def pointer(at: int) -> bytes:
    return struct.pack(">H", 0xC000 | at)


def counted(count: int, body: bytes, number: int = 7) -> bytes:
    """An answer whose question is the longest name, with *count* records in *body*."""
    return HEADER.pack(number, 0x8400, 1, count, 0, 0) + LONGEST + b"\0\6\0\1" + body


def one_name_for_all(kind: int, number: int = 7) -> bytes:
    """Every owner and every name in the data is the question's, by a pointer."""
    before, names, after = POINTERS[kind]
    one = record(pointer(12), kind, before + pointer(12) * names + after)
    count = (MOST - len(counted(0, b""))) // len(one)
    return counted(count, one * count, number)


def a_name_for_each(kind: int) -> bytes:
    """As many names of many labels as pointers reach, each used by one record."""
    before, names, after = POINTERS[kind]
    room = (1 << 14) - 1500
    runs = LONGEST * (room // len(LONGEST))
    first = record(b"\0", 65280, runs)
    begin = len(counted(0, b"")) + 11
    body, count, at = bytearray(first), 1, 0
    while True:
        one = record(pointer(begin + at), kind, before + pointer(begin + at) * names + after)
        if len(counted(0, b"")) + len(body) + len(one) > MOST:
            return counted(count, bytes(body))
        body += one
        count += 1
        at = (at + 2) % len(runs)
        if runs[at] == 0:
            at = (at + 1) % len(runs)


def a_chain() -> bytes:
    """Pointers that each lead to the one before, as many as pointers reach."""
    begin = len(counted(0, b"")) + 11
    links = b"\0\0" + b"".join(pointer(begin + 2 * n) for n in range(7500))
    one = record(b"\0", NS, pointer(begin + 2 * 120))
    first = record(b"\0", 65280, links)
    count = (MOST - len(counted(0, b"")) - len(first)) // len(one)
    return counted(count + 1, first + one * count)
