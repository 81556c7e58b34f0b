"""
Networks as text, a CIDR a line, in whole columns at once: what a list of 200,000 costs is a few milliseconds.

Read this way is only what is written as we write it; everything else is for a reader that knows what is
wrong with a line.
"""

import numpy as np
from numpy.typing import NDArray

from tscm.policy.entries import Entries

_DOT, _SLASH, _END, _ZERO, _NINE, _COLON = b"./\n09:"
_SEPARATORS = np.frombuffer(b".../\n", np.uint8)
_NUMBERS = len(_SEPARATORS)
_DIGITS_MOST = 3
_OCTET_MOST, _LENGTH_MOST = 255, 32
_TEXTS = np.zeros((256, 3), np.uint8)
_SHOWN = np.zeros((256, 3), np.bool_)
for _number in range(256):
    _digits = str(_number).encode()
    _TEXTS[_number, 3 - len(_digits) :] = list(_digits)
    _SHOWN[_number, 3 - len(_digits) :] = True


def as_lines(entries: Entries) -> bytes:
    """The rows in their canonical spelling, each with LF."""
    octets = entries.v4_addresses.astype(">u4").view(np.uint8).reshape(-1, 4)
    numbers = np.concatenate((octets, entries.v4_lengths.reshape(-1, 1)), axis=1)
    texts = np.zeros((len(numbers), _NUMBERS, 4), np.uint8)
    shown = np.ones((len(numbers), _NUMBERS, 4), np.bool_)
    texts[:, :, :3], shown[:, :, :3] = _TEXTS[numbers], _SHOWN[numbers]
    texts[:, :, 3] = _SEPARATORS
    v4: bytes = texts[shown].tobytes()
    v6 = entries.take(np.arange(len(entries.v4_lengths), len(entries))).cidrs()
    return v4 + b"".join(f"{one}\n".encode() for one in v6)


def v4_lines(content: bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint8], int] | None:
    """
    Addresses and prefix lengths of the IPv4 lines that *content* begins with, and where what is left begins.

    None where any of them is written otherwise: with a blank, a comment, leading zeros, no length.
    """
    colon = content.find(_COLON)
    end = content.rfind(_END, 0, colon) + 1 if colon >= 0 else len(content)
    text = np.frombuffer(content, np.uint8, end)
    at = np.flatnonzero((text < _ZERO) | (text > _NINE))
    if not len(at) or len(at) % _NUMBERS or at[-1] != end - 1:
        return None
    if not (text[at].reshape(-1, _NUMBERS) == _SEPARATORS).all():
        return None
    digits = np.diff(at, prepend=-1) - 1
    if digits.min() < 1 or digits.max() > _DIGITS_MOST:
        return None
    if ((digits > 1) & (text[at - digits] == _ZERO)).any():
        return None
    values = np.zeros(len(at), np.int64)
    for place, weight in enumerate((1, 10, 100), 1):
        there = digits >= place
        values[there] += (text[at[there] - place].astype(np.int64) - _ZERO) * weight
    rows = values.reshape(-1, _NUMBERS)
    if rows[:, :4].max() > _OCTET_MOST or rows[:, 4].max() > _LENGTH_MOST:
        return None
    addresses = rows[:, :4].astype(np.uint8).copy().view(">u4").reshape(-1).astype(np.uint32)
    return addresses, rows[:, 4].astype(np.uint8), end
