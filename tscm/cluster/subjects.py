"""
How a log is named in the stream.  Pure.
"""

from zlib import crc32

from attrs import frozen

PARTITIONS = 16
"""For the life of a stream: a device's lines stay in one of them."""
LINES = "tscm.lines"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@frozen
class LogId:
    """
    One log for ever: *number* (8 hex digits) is made with it, so a new log of the same name is another log.
    """

    node: str
    device: str
    number: str

    @property
    def subject(self) -> str:
        """The subject of its messages; no other log is written there."""
        place = f"p{partition(self.device):02d}"
        return f"{LINES}.{place}.{token(self.node)}.{token(self.device)}.{self.number}"

    def __str__(self) -> str:
        return f"{self.node}.{self.device}.{self.number}"


def partition(device: str) -> int:
    """Which of the `PARTITIONS` a device belongs to."""
    return crc32(device.encode()) % PARTITIONS


def token(name: str) -> str:
    """*name* as one token of a subject: dots, wildcards and blanks as %XX."""
    return "".join(chr(one) if one in _PLAIN else f"%{one:02X}" for one in name.encode())
