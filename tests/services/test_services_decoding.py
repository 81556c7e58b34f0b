"""
Contents of uploads decoded within bounds of memory and work.
"""

import gzip
import io
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tscm.services.decoding import MAX_FRAMES, WINDOW_BYTES, ContentRefused, count_lines, decoded

MAGIC = b"\x28\xb5\x2f\xfd"
ENDLESS = 1 << 40


def window(bits: int) -> bytes:
    """The head of a frame with a window of 2**bits bytes, and no size (RFC 8878, 3.1.1.1)."""
    return MAGIC + b"\0" + bytes([bits - 10 << 3])


def run(octet: bytes, count: int, *, last: bool = False) -> bytes:
    """A block that stands for *count* times *octet* (RFC 8878, 3.1.1.2)."""
    return (count << 3 | 1 << 1 | last).to_bytes(3, "little") + octet


def refusal(content: bytes, encoding: str, max_plain: int = ENDLESS) -> ContentRefused:
    with pytest.raises(ContentRefused) as caught:
        count_lines(io.BytesIO(content), encoding, max_plain)
    return caught.value


@given(
    st.lists(st.binary(max_size=40).filter(lambda one: b"\n" not in one), max_size=30),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=50)
def test_lines_are_counted_alike_in_every_encoding(lines: list[bytes], parts: int) -> None:
    plain = b"".join(one + b"\n" for one in lines)
    cuts = [len(plain) * number // parts for number in range(parts + 1)]
    pieces = [plain[begin:end] for begin, end in pairwise(cuts)]
    for encoding, content in (
        ("", plain),
        ("gzip", b"".join(map(gzip.compress, pieces))),
        ("zstd", b"".join(map(zstandard.compress, pieces))),
    ):
        assert count_lines(io.BytesIO(content), encoding, 1 << 20) == len(lines)
        assert b"".join(decoded(io.BytesIO(content), encoding)) == plain


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_large_content_is_decoded_whole(encoding: str) -> None:
    plain = b"".join(b"%%ASA-4-106023: line %d\n" % number for number in range(200_000))
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    assert b"".join(decoded(io.BytesIO(compress(plain)), encoding)) == plain


def test_a_bomb_is_refused_before_it_swells() -> None:
    plain = b"\n" * (64 << 20)
    for encoding, content in (("gzip", gzip.compress(plain)), ("zstd", zstandard.compress(plain))):
        assert refusal(content, encoding, 1 << 20).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_no_piece_of_a_bomb_is_large(encoding: str) -> None:
    content = window(23) + run(b"\n", 128 << 10) * 2000 + run(b"\n", 1, last=True)
    if encoding == "gzip":
        content = gzip.compress(b"\n" * (200 << 20), 9)
    pieces: Iterator[bytes] = decoded(io.BytesIO(content), encoding)
    sizes = [len(piece) for piece in pieces]
    assert sum(sizes) > 200_000_000
    assert max(sizes) <= 9 << 20


def test_a_window_over_the_bound_is_another_encoding_than_ours() -> None:
    content = window(27) + run(b"\n", 5, last=True)
    found = refusal(content, "zstd")
    assert found.status == 415
    assert "8,388,608" in str(found)
    second = zstandard.compress(b"line\n") + content
    assert refusal(second, "zstd").status == 415
    good = window(23) + run(b"\n", 5, last=True)
    assert count_lines(io.BytesIO(good), "zstd", ENDLESS) == 5
    assert WINDOW_BYTES == 1 << 23
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=27)
    far = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert refusal(far.compress(b"line\n") + far.flush(), "zstd").status == 415


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_millions_of_empty_frames_are_refused(encoding: str) -> None:
    empty = gzip.compress(b"") if encoding == "gzip" else zstandard.compress(b"")
    line = gzip.compress(b"line\n") if encoding == "gzip" else zstandard.compress(b"line\n")
    most = empty * (MAX_FRAMES - 1) + line
    assert count_lines(io.BytesIO(most), encoding, ENDLESS) == 1
    assert refusal(empty + most, encoding).status == 400
    assert "frames" in str(refusal(empty + most, encoding))


def test_skippable_frames_count_as_frames() -> None:
    skipped = struct.pack("<II", 0x184D2A50, 0)
    assert refusal(skipped * 2000 + zstandard.compress(b"line\n"), "zstd").status == 400


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (zstandard.compress(b"line\n" * 100)[:-4], "zstd"),
        (zstandard.compress(b"line\n")[:3], "zstd"),
        (b"no zstd at all\n", "zstd"),
        (zstandard.compress(b"line\n") + b"rest", "zstd"),
        (gzip.compress(b"line\n" * 100)[:-9], "gzip"),
        (gzip.compress(b"line\n")[:5], "gzip"),
        (gzip.compress(b"line\n")[:-4] + b"\0\0\0\0", "gzip"),
        (b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"name without an end" * 9000, "gzip"),
        (b"no gzip at all\n", "gzip"),
        (b"line", ""),
        (gzip.compress(b"line"), "gzip"),
    ],
)
def test_what_is_broken_is_refused(content: bytes, encoding: str) -> None:
    assert refusal(content, encoding).status == 400
