"""
Lines and checksum of a text, by the compiled helper where it was built.
"""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from attrs import frozen

Sums = Callable[[bytearray, int, int], tuple[int, int]]
"""Of the first octets of a buffer, so many: how many LFs stand there, and their CRC-32 behind that of what came before."""

LineEnds = Callable[[bytes], int]
"""How many LFs stand in a text."""


@frozen
class Looked:
    """
    What a text holds: its CRC-32, and its lines.
    """

    crc: int
    lines: int


def plain_sums(data: bytearray, size: int, crc: int) -> tuple[int, int]:
    """By Python's own library, which takes five times as long."""
    return data.count(b"\n", 0, size), crc32(memoryview(data)[:size], crc)


def compiled_sums() -> Sums:
    """In C; the checksum with carry-less products where the processor has them.  Raises `ImportError`."""
    from tscm.spool import _sums  # type: ignore[attr-defined]

    ffi: Any = _sums.ffi
    lib: Any = _sums.lib
    folds = bool(lib.folds())

    def sums(data: bytearray, size: int, crc: int) -> tuple[int, int]:
        text = ffi.from_buffer(data)
        if not folds:
            return lib.count_ends(text, size), crc32(memoryview(data)[:size], crc)
        return lib.count_ends(text, size), lib.folded_crc(text, size, crc)

    return sums


def best_sums() -> Sums:
    """The compiled way, else the plain one."""
    try:
        return compiled_sums()
    except ImportError:
        return plain_sums


def plain_line_ends(data: bytes) -> int:
    """By Python's own library: 0.3 µs a line, for it searches for one after the other."""
    return data.count(b"\n")


def compiled_line_ends() -> LineEnds:
    """In C, a hundred times as fast.  Raises `ImportError`."""
    from tscm.spool import _sums  # type: ignore[attr-defined]

    buffer, count_ends = _sums.ffi.from_buffer, _sums.lib.count_ends

    def line_ends(data: bytes) -> int:
        found: int = count_ends(buffer(data), len(data))
        return found

    return line_ends


def best_line_ends() -> LineEnds:
    """The compiled way, else the plain one."""
    try:
        return compiled_line_ends()
    except ImportError:
        return plain_line_ends


line_ends = best_line_ends()
