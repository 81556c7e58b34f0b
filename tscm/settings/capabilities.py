"""
The one capability that root keeps while it works with another user's rights (capabilities(7)).
"""

import ctypes

_VERSION_3 = 0x20080522
_READ_AND_SEARCH = 1 << 2
"""CAP_DAC_READ_SEARCH: reading and passing through, and nothing of writing."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


def keep_reading() -> None:
    """
    Of the capabilities that a change of the effective user took, take the one for reading back.

    For the calling thread and those that it starts.  Where the kernel says no (a container without it),
    only what the user may read can be read.
    """
    libc = ctypes.CDLL(None)
    header, data = _Header(_VERSION_3, 0), (_Data * 2)()
    if libc.capget(ctypes.byref(header), data) == 0:
        data[0].effective = data[0].permitted & _READ_AND_SEARCH
        data[1].effective = 0
        libc.capset(ctypes.byref(header), data)
