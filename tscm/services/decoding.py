"""
The content of an upload, decoded piece by piece within bounds of memory and work.

What is decoded is a stranger's as much as a device's: a few octets of zstd can stand for 128 KB, a frame can ask for
a window of gigabytes, and 64 MB can hold millions of frames or members that are empty.
"""

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

WINDOW_BYTES = 8 << 20
"""What a zstd frame may have the decoder keep (RFC 9659 allows no more for the content coding)."""
MAX_FRAMES = 1024
"""Frames or members of one content; an uploader makes one."""
_PIECE = 1 << 20
_ZSTD_PIECE = 256
"""
Octets given to zstd at once: the smallest block takes 4 and stands for 128 KB, so that at most
8 MB come out of them, and the block before.
"""
_GZIP_PIECE = 1 << 16
_GZIP_WINDOW = 31  # 32 KB, with gzip's header and trailer (zlib's manual, inflateInit2)
_HEADER_MOST = 18
"""The longest head of a zstd frame (RFC 8878, 3.1.1)."""


class ContentRefused(Exception):
    """
    Content that does not hold what the headers say; *status* is the answer's.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def count_lines(file: BinaryIO, encoding: str, max_plain: int) -> int:
    """
    Lines of the decoded content of *file*, each closed by LF.  Blocking; holds some MB at most.

    Raises `ContentRefused`: 413 for more than *max_plain* bytes, 415 for a window over the bound, 400
    for what is broken or no lines.
    """
    lines = total = 0
    last = b"\n"
    for piece in decoded(file, encoding):
        total += len(piece)
        if total > max_plain:
            raise ContentRefused(413, f"the content decodes to over {max_plain:,} bytes")
        lines += piece.count(b"\n")
        last = piece[-1:]
    if last != b"\n":
        raise ContentRefused(400, "the last line does not end with LF")
    return lines


def decoded(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    """The plain content in pieces; *encoding* is one of `upload_format.ENCODINGS`, or empty."""
    if encoding == "zstd":
        return _unzstd(file)
    if encoding == "gzip":
        return _gunzip(file)
    return iter(lambda: file.read(_PIECE), b"")


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    decoder, members, begun = zlib.decompressobj(_GZIP_WINDOW), 1, False
    try:
        while piece := file.read(_GZIP_PIECE):
            while piece:
                if decoder.eof:
                    members += 1
                    _bound(members)
                    decoder, begun = zlib.decompressobj(_GZIP_WINDOW), False
                begun = True
                if plain := decoder.decompress(piece, _PIECE):
                    yield plain
                piece = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        while not decoder.eof and (plain := decoder.decompress(b"", _PIECE)):
            yield plain
    except zlib.error:
        raise ContentRefused(400, "the content is not complete gzip") from None
    if begun and not decoder.eof:
        raise ContentRefused(400, "the content is not complete gzip")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    import zstandard

    make = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES).decompressobj
    decoder, frames, head = make(), 1, b""
    try:
        while piece := file.read(_ZSTD_PIECE):
            while piece:
                if decoder.eof:
                    frames += 1
                    _bound(frames)
                    decoder, head = make(), b""
                if len(head) < _HEADER_MOST:
                    head += piece[: _HEADER_MOST - len(head)]
                if plain := decoder.decompress(piece):
                    yield plain
                piece = decoder.unused_data if decoder.eof else b""
    except zstandard.ZstdError:
        if _window(head) > WINDOW_BYTES:
            sentence = f"a zstd frame requires a window over {WINDOW_BYTES:,} bytes"
            raise ContentRefused(415, sentence) from None
        raise ContentRefused(400, "the content is not complete zstd") from None
    if head and not decoder.eof:
        raise ContentRefused(400, "the content is not complete zstd")


def _window(head: bytes) -> int:
    import zstandard

    try:
        found: Any = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError:
        return 0
    return int(found.window_size)


def _bound(frames: int) -> None:
    if frames > MAX_FRAMES:
        raise ContentRefused(400, f"the content has more than {MAX_FRAMES:,} frames")
