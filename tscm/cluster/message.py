"""
A block of lines as a message of the stream, and back.  Pure.

The payload is one zstd frame: the length of the origins (4 bytes, big endian), the origins as JSON, the lines as they
stand in the log.  What is needed to go on without reading it stands in the headers.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from zlib import crc32

import zstandard
from attrs import frozen

from tscm.cluster.subjects import LogId
from tscm.model import Block, Origin

FORMAT = 1
BLOCK_BYTES = 256 << 10
"""Of lines in one message: packing gains nothing above it, and servers take 1 MB as they come."""
_LENGTH = struct.Struct(">I")
_LEVEL = 1
_DIGITS_MOST = 19

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class MessageFaulty(ValueError):
    """
    What the stream holds is no block of lines.
    """


@frozen(kw_only=True)
class Stretch:
    """
    What one message holds of its log: the lines from offset *start* up to *end*; *before* counts those before *start*.
    """

    start: int
    end: int
    lines: int
    before: int
    crc: int
    """CRC-32 of the lines: by it a log that was set back, and grew again, is told from what the stream has."""
    escaped: bool = False


@frozen(kw_only=True)
class Last:
    """
    The newest message of a log, and its *sequence* in the stream.
    """

    sequence: int
    stretch: Stretch


def stretch_of(block: Block, before: int) -> Stretch:
    """*block* behind *before* lines of its log."""
    return Stretch(
        start=block.start,
        end=block.end,
        lines=block.lines,
        before=before,
        crc=crc32(block.data),
        escaped=block.escaped,
    )


def headers_of(log: LogId, stretch: Stretch, expected: int) -> dict[str, str]:
    """
    The headers of a message: stored only where the last message of the log has the sequence *expected* (0: none).
    """
    return {
        MESSAGE_ID: f"{log}:{stretch.start}",
        EXPECTED: str(expected),
        "Tscm-Format": str(FORMAT),
        "Tscm-Start": str(stretch.start),
        "Tscm-End": str(stretch.end),
        "Tscm-Lines": str(stretch.lines),
        "Tscm-Before": str(stretch.before),
        "Tscm-Crc": str(stretch.crc),
        "Tscm-Escaped": "1" if stretch.escaped else "0",
    }


def read_last(headers: Mapping[str, str]) -> Last:
    """The newest message, by the headers of a direct get (JetStream API, `DIRECT.GET`).  Raises `MessageFaulty`."""
    return Last(sequence=_number(headers, "Nats-Sequence"), stretch=read_stretch(headers))


def read_stretch(headers: Mapping[str, str]) -> Stretch:
    """What a message holds, by its headers.  Raises `MessageFaulty`."""
    if headers.get("Tscm-Format") != str(FORMAT):
        raise MessageFaulty("it has another format")
    found = Stretch(
        start=_number(headers, "Tscm-Start"),
        end=_number(headers, "Tscm-End"),
        lines=_number(headers, "Tscm-Lines"),
        before=_number(headers, "Tscm-Before"),
        crc=_number(headers, "Tscm-Crc"),
        escaped=headers.get("Tscm-Escaped") == "1",
    )
    if found.end <= found.start or not found.lines:
        raise MessageFaulty("it holds no lines")
    return found


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MOST):
        raise MessageFaulty(f"{name} is not a number")
    return int(text)


def pack(block: Block, origins: Sequence[Origin]) -> bytes:
    """The payload."""
    told = json.dumps(
        [[one.start, one.end, one.sender, one.received_at] for one in origins],
        separators=(",", ":"),
    ).encode()
    return zstandard.ZstdCompressor(level=_LEVEL).compress(
        _LENGTH.pack(len(told)) + told + block.data
    )


def unpack(payload: bytes, device: str, stretch: Stretch) -> tuple[Block, list[Origin]]:
    """
    The block in *payload*, and where its lines came from.  No more than the headers tell of is unpacked.

    Raises `MessageFaulty`.
    """
    size = stretch.end - stretch.start
    try:
        unpacked = zstandard.get_frame_parameters(payload).content_size
        if unpacked > size + _LENGTH.size + _origins_most(stretch.lines):
            raise MessageFaulty("it is larger than its headers tell")
        whole = zstandard.ZstdDecompressor().decompress(payload)
        (length,) = _LENGTH.unpack_from(whole)
        told = json.loads(whole[_LENGTH.size : _LENGTH.size + length])
        data = whole[_LENGTH.size + length :]
        origins = [
            Origin(start=start, end=end, sender=sender, received_at=at)
            for start, end, sender, at in told
        ]
    except MessageFaulty:
        raise
    except (zstandard.ZstdError, struct.error, ValueError, TypeError, RecursionError):
        raise MessageFaulty("it cannot be unpacked") from None
    if len(data) != size or data.count(b"\n") != stretch.lines or crc32(data) != stretch.crc:
        raise MessageFaulty("its lines are not those that its headers tell of")
    block = Block(
        device=device,
        start=stretch.start,
        end=stretch.end,
        data=data,
        lines=stretch.lines,
        escaped=stretch.escaped,
    )
    return block, origins


def _origins_most(lines: int) -> int:
    """Bytes of origins: one a line at most, each with an address and numbers."""
    return 2 + 200 * lines
