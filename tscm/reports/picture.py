"""
A bar chart as a PNG (ISO/IEC 15948): mail programs show no SVG, and a library for bars would be heavy.  Pure.
"""

import struct
import zlib
from collections.abc import Sequence

WIDTH, HEIGHT = 720, 140
_WHITE, _RED, _GREEN, _GREY = range(4)
_PALETTE = bytes((255, 255, 255, 179, 38, 30, 27, 110, 60, 120, 120, 120))
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED = 3
_BARS_MOST = WIDTH // 2


def chart_png(blocked: Sequence[int], allowed: Sequence[int]) -> bytes:
    """
    Stacked bars, blocked below allowed, the largest as high as the picture.  Both are of one length.
    """
    count = max(1, min(len(blocked), _BARS_MOST))
    most = max((b + a for b, a in zip(blocked, allowed, strict=True)), default=0) or 1
    rows = [bytearray([_WHITE]) * WIDTH for _ in range(HEIGHT)]
    rows[-1][:] = bytes([_GREY]) * WIDTH
    for number, (red, green) in enumerate(zip(blocked[:count], allowed[:count], strict=True)):
        left, right = number * WIDTH // count, (number + 1) * WIDTH // count
        right = max(left + 1, right - (right - left > 2))  # a gap between wide bars
        full = HEIGHT - 1
        top = round((red + green) * full / most)
        middle = round(red * full / most)
        for height in range(top):
            colour = _RED if height < middle else _GREEN
            rows[full - 1 - height][left:right] = bytes([colour]) * (right - left)
    image = b"".join(b"\0" + bytes(row) for row in rows)  # filter 0: none
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, _INDEXED, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", _PALETTE)
        + _chunk(b"IDAT", zlib.compress(image, 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
