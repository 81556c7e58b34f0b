r"""
From blocks of a log to records: the line as text, who sent it, when it came.

Pure.  What is no UTF-8 in a line is written as `\xNN`, for JSON carries text alone; such lines are counted.
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from tscm.model import Block, Origin
from tscm.syslog.escape import unescape
from tscm.syslog.header import read_header

_STEP = 1 << 24
_PRI_MAX = 191


@frozen
class Piece:
    """A block, and who sent its lines."""

    block: Block
    origins: Sequence[Origin]


@frozen(kw_only=True)
class Record:
    """
    One line.

    *offset* is where it begins in the log, *end* where the next one does.  *received_at* is in POSIX seconds, 0
    where it is not known.
    """

    offset: int
    end: int
    text: str
    host: str
    """The name in its header, else the sender's address, else the device."""
    sender: str | None
    received_at: float
    priority: int | None
    """PRI: eight times the facility, and the severity (RFC 5424, 6.2.1)."""
    number: str | None
    """The firewall's message number, as 106023."""

    @property
    def nanoseconds(self) -> int:
        """
        A time of its own for each line: that of receipt, and up to 17 ms by its place in the log.

        Loki takes a line once where time and text are equal, and a firewall says the same thing often.
        """
        return int(self.received_at * 1e6) * 1000 + self.offset % _STEP


@frozen(kw_only=True)
class Records:
    """
    The records of one batch.
    """

    device: str
    lines: Sequence[Record]
    log: str = ""
    """The number of the log (`spool.log_number`): another one where a log of that name began again."""
    altered: int = 0
    """Lines with bytes that are no UTF-8."""


def records_of(device: str, pieces: Sequence[Piece], now: float, log: str = "") -> Records:
    """The lines of *pieces* in order; *now* stands for a time of receipt that is not known."""
    altered = 0
    found: list[Record] = []
    for piece in pieces:
        for offset, end, line, origin in _lines(piece):
            message = unescape(line) if piece.block.escaped else line
            try:
                text = message.decode("utf-8")
            except UnicodeDecodeError:
                text = message.decode("utf-8", "backslashreplace")
                altered += 1
            header = read_header(message)
            sender = None if origin is None else origin.sender
            name = header.names[0].decode("ascii", "replace") if header.names else sender
            found.append(
                Record(
                    offset=offset,
                    end=end,
                    text=text,
                    host=name or device,
                    sender=sender,
                    received_at=(origin.received_at if origin else 0.0) or now,
                    priority=_priority(message),
                    number=header.tag[4].decode("ascii", "replace") if header.tag else None,
                )
            )
    return Records(device=device, lines=found, log=log, altered=altered)


def _lines(piece: Piece) -> Iterator[tuple[int, int, bytes, Origin | None]]:
    stretches = iter(piece.origins)
    stretch = next(stretches, None)
    at = piece.block.start
    lines = piece.block.data.split(b"\n")
    lines.pop()  # what stands behind the last LF: nothing
    for line in lines:
        while stretch is not None and stretch.end <= at:
            stretch = next(stretches, None)
        end = at + len(line) + 1
        yield at, end, line, stretch
        at = end


def _priority(message: bytes) -> int | None:
    if message[:1] != b"<":
        return None
    digits = message[1:5].partition(b">")[0]
    value = int(digits) if digits.isdigit() and len(digits) < 4 else None
    return value if value is not None and value <= _PRI_MAX else None
