"""
Receipts of batches that were deleted: what makes a late repeat of one known, though its lines are gone.

`uploads/DEVICE_ID/.receipts` has a line for each: `BATCH~LINES~SHA256~BYTES`.  A receipt is on the disk before its
batch is deleted, so that at every moment one of the two is there.  The first line may tell how many older
receipts were dropped, and the lines and bytes of their batches: `#COUNT~LINES~BYTES`.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen

MOST_RECEIPTS = 20_000
"""For each device: the oldest go, once there are twice as many."""
NAME = ".receipts"
_LINE = re.compile(rb"([A-Za-z0-9._-]{1,128})~(\d{1,12})~([0-9a-f]{64})~(\d{1,15})")
_DROPPED = re.compile(rb"#(\d{1,15})~(\d{1,18})~(\d{1,18})")
_MAX_BYTES = 16 << 20  # twice what so many receipts can take


@frozen(kw_only=True)
class Stored:
    """
    One batch that is safe, or was: *at* is when it was stored, *name* the file that it lies in.
    """

    batch: str
    lines: int
    digest: bytes
    size: int
    at: float = 0.0
    name: str = ""


@define
class Tally:
    """
    Batches, and their lines and bytes.
    """

    batches: int = 0
    lines: int = 0
    bytes: int = 0

    def add(self, one: Stored, sign: int = 1) -> None:
        """Count *one* in, or out."""
        self.batches += sign
        self.lines += sign * one.lines
        self.bytes += sign * one.size


@define(eq=False)
class Receipts:
    """
    What was deleted of one device: *known* by batch, oldest first, and the *total* of all that ever was.
    """

    known: dict[str, Stored] = field(factory=dict)
    total: Tally = field(factory=Tally)
    _dropped: Tally = field(factory=Tally)

    def add(self, one: Stored) -> None:
        """A batch is deleted."""
        if one.batch not in self.known:
            self.total.add(one)
        self.known[one.batch] = one

    def drop_oldest(self, most: int = MOST_RECEIPTS) -> bool:
        """Keep the latest *most* where there are twice as many; True: the file is to be written again."""
        if len(self.known) <= 2 * most:
            return False
        for batch in list(self.known)[:-most]:
            self._dropped.add(self.known.pop(batch))
        return True

    def content(self) -> bytes:
        """The file as it is written again."""
        gone = self._dropped
        head = f"#{gone.batches}~{gone.lines}~{gone.bytes}\n".encode()
        return head + b"".join(map(_line, self.known.values()))

    @classmethod
    def of(cls, content: bytes) -> "Receipts":
        """From a file; a line that a crash cut off, or that is damaged, is passed over."""
        found = cls()
        for line in content.split(b"\n"):
            if said := _LINE.fullmatch(line):
                found.add(
                    Stored(
                        batch=said[1].decode(),
                        lines=int(said[2]),
                        digest=bytes.fromhex(said[3].decode()),
                        size=int(said[4]),
                    )
                )
            elif head := _DROPPED.fullmatch(line):
                found._dropped = Tally(int(head[1]), int(head[2]), int(head[3]))
        gone = found._dropped
        found.total.batches += gone.batches
        found.total.lines += gone.lines
        found.total.bytes += gone.bytes
        return found


def _line(one: Stored) -> bytes:
    return f"{one.batch}~{one.lines}~{one.digest.hex()}~{one.size}\n".encode()


def read_receipts(folder: Path) -> Receipts:
    """Those of the device whose uploads lie in *folder*.  Blocking."""
    try:
        with (folder / NAME).open("rb") as file:
            return Receipts.of(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return Receipts()


def write_receipts(folder: Path, batches: Iterable[Stored]) -> None:
    """Add receipts; they are on the disk on return.  Blocking."""
    handle = os.open(
        folder / NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
    )
    with os.fdopen(handle, "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        text = b"".join(map(_line, batches))
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a crash cut the last one off
                text = b"\n" + text
        _write_all(file.fileno(), text)
        os.fsync(handle)
    _sync(folder)


def rewrite_receipts(folder: Path, content: bytes) -> None:
    """Put *content* in the place of the file, whole or not at all.  Blocking."""
    temporary = folder / f"{NAME}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
    try:
        _write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    temporary.rename(folder / NAME)
    _sync(folder)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
