"""
Memory that the C library keeps for later, given back to the system.

What a flood of datagrams from very many addresses takes lies in thousands of pieces, and the C library
keeps the pages between those that are still in use; so it keeps what threads took for a large list.
"""

from contextlib import suppress
from functools import cache
from typing import Any


@cache
def _library() -> Any:
    from cffi import FFI

    ffi = FFI()
    ffi.cdef("int malloc_trim(size_t pad);")
    return ffi.dlopen(None)


def prepare() -> None:
    """
    Find the C library now, and not in the midst of lines: what reads its declaration takes a tenth of a second to import.
    """
    with suppress(ImportError, OSError):
        _library()


def give_back() -> None:
    """
    Let go of free memory.  Takes some milliseconds for a large heap; without glibc it does nothing.
    """
    try:
        _library().malloc_trim(0)
    except (AttributeError, ImportError, OSError):
        return
