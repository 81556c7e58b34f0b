"""
The content of a feed within its bounds, gzip undone.
"""

import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any

_GZIP = b"\x1f\x8b"
_MEMBERS_MAX = 10_000  # one of 64 KB each is what parallel packers make
_STEP_BYTES = 1 << 20  # unpacked at once, so that no feed is in memory twice
_WINDOW = 31  # zlib: gzip with its header and checksum


class FeedFault(Exception):
    """
    Why a feed is not to be had from where it is, and what the operator may try.

    *pause* is how long the server does not want to be asked again, None where it gave no answer at
    all; *waits* says that it asked for patience and nothing else.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        self.remedy = remedy
        self.pause: float | None = None
        self.waits = False
        super().__init__(cause)


def bounded(pieces: Iterable[bytes], max_bytes: int, *, ends: bool = True) -> bytes:
    """
    All of *pieces*, gzip undone wherever it shows; never more than the bound in memory.

    Unless it *ends* for certain, only gzip is taken, which tells its own end.
    """
    content, size = (
        BytesIO(),
        0,
    )  # unlike a bytearray it gives its octets away without a copy of them
    decoder: Any = None
    came = members = 0
    for number, piece in enumerate(pieces):
        came += len(piece)
        if came > max_bytes:  # also where it is gzip of nothing, without an end
            raise too_large(max_bytes)
        if number == 0 and piece.startswith(_GZIP):
            decoder = zlib.decompressobj(_WINDOW)
        data, more = piece, False
        while data or more:
            if decoder is None:
                size += content.write(data)
                break
            try:
                part = decoder.decompress(data, min(_STEP_BYTES, max_bytes + 1 - size))
                size += content.write(part)
            except zlib.error:
                raise FeedFault("it is not complete gzip data", "try again later") from None
            if size > max_bytes:
                break
            data, more = decoder.unconsumed_tail, len(part) == _STEP_BYTES and not decoder.eof
            if decoder.eof:
                data = decoder.unused_data.lstrip(b"\0")
                members += 1
                if members > _MEMBERS_MAX:
                    raise FeedFault("it is gzip in too many pieces", "pack it as one")
                decoder = zlib.decompressobj(_WINDOW) if data else decoder
        if size > max_bytes:
            raise too_large(max_bytes)
    if decoder is not None and not decoder.eof:
        raise FeedFault("it is not complete gzip data", "try again later")
    if decoder is None and not ends:
        raise FeedFault(
            "the server sends no length, so it may be truncated",
            "have the server send a Content-Length, or gzip it",
        )
    return content.getvalue()


def too_large(max_bytes: int) -> FeedFault:
    """Of content over its bound."""
    return FeedFault(f"it is larger than {max_bytes:,} bytes", "check that it is the right list")
