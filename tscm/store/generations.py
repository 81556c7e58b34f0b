"""
Lists and generations as they lie in the database: packed, with a checksum.

Packing and unpacking is the heavy part, for the thread of the update and not for the reactor.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import zstandard
from attrs import define, evolve, frozen

from tscm.errors import TscmError

if TYPE_CHECKING:  # they bring numpy, which the reactor thread never needs for this
    from tscm.policy.cidr import Entries
    from tscm.policy.lists import PolicyList

PURGED = "the groups were taken off"
"""The note of a generation that a purge left: it holds what could not be deleted."""
BY_HAND = "entries by hand"
"""
The note of a generation in which only entries by hand came or went.

As many of them are kept beside the others: who blocks addresses all day loses no way back.
"""
_LEVEL = -1  # a tenth larger than by level 3, and unpacked in less than half the time: `why` unpacks all that are kept


@define(eq=False)
class StoredDamaged(TscmError):
    """
    A list or a generation of a device is damaged in the database.
    """

    device: str
    what: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.what} of {self.device} is damaged in the database ({self.cause}); {self.remedy}"
        )


def pack(entries: "Entries") -> bytes:
    """Entries as they lie in the database, with a checksum: a flipped bit is no other address."""
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return packer.compress(entries.to_bytes())


def decompress(content: bytes) -> bytes:
    """The bytes that `Entries.to_bytes` gave; `ValueError` where *content* is damaged."""
    try:
        return zstandard.ZstdDecompressor().decompress(content)
    except (zstandard.ZstdError, MemoryError) as error:  # a damaged head may tell of any size
        raise ValueError(f"stored entries are damaged: {error}") from None


def decode_entries(content: bytes) -> "Entries":
    """What `pack` was given; `ValueError` where it is damaged."""
    from tscm.policy.cidr import Entries

    return Entries.from_bytes(decompress(content))


@frozen(kw_only=True)
class StoredList:
    """
    One list as it was last found good.
    """

    name: str
    serial: int | None
    fetched_at: float
    source: str
    count: int
    content: bytes
    besides: str = "{}"
    """What the list held besides its entries, as JSON."""

    def policy_list(self, opened: "Callable[[bytes], Entries]" = decode_entries) -> "PolicyList":
        """With its entries as *opened* unpacks them, for the thread of an update."""
        from tscm.policy.lists import PolicyList, Refused

        besides = json.loads(self.besides)
        return PolicyList(
            name=self.name,
            entries=opened(self.content),
            serial=self.serial,
            fetched_at=self.fetched_at,
            source=self.source,
            refused=tuple(
                Refused(entry=entry, cause=cause) for entry, cause in besides.get("refused", ())
            ),
            refused_count=besides.get("refused_count", 0),
            normalised=besides.get("normalised", 0),
            other_records=besides.get("other_records", 0),
            excepted=besides.get("excepted", 0),
        )

    def readable(
        self, device: str, opened: "Callable[[bytes], Entries]" = decode_entries
    ) -> "PolicyList":
        """The same; raises `StoredDamaged`."""
        try:
            return self.policy_list(opened)
        except ValueError as error:
            remedy = f"fetch it again with `tsadmin update {device}`"
            what = f"the last good list {self.name}"
            raise StoredDamaged(device, what, str(error), remedy) from None


def stored(found: "PolicyList") -> StoredList:
    """*found*, packed."""
    return StoredList(
        name=found.name,
        serial=found.serial,
        fetched_at=found.fetched_at,
        source=found.source,
        count=len(found.entries),
        content=pack(found.entries),
        besides=json.dumps(
            {
                "refused": [(one.entry, one.cause) for one in found.refused],
                "refused_count": found.refused_count,
                "normalised": found.normalised,
                "other_records": found.other_records,
                "excepted": found.excepted,
            }
        ),
    )


@frozen(kw_only=True)
class GenerationRow:
    """
    What was applied once, without its content.
    """

    number: int = 0
    applied_at: float = 0.0
    note: str = ""
    block_entries: int = 0
    allow_entries: int = 0
    block_serial: int | None = None
    allow_serial: int | None = None


@frozen(kw_only=True)
class Generation:
    """
    What a device was made to hold: after guard, merging and cut.

    *number* is given by the store; 0 before that.
    """

    number: int = 0
    applied_at: float
    note: str = ""
    block_entries: int
    allow_entries: int
    block_serial: int | None = None
    allow_serial: int | None = None
    block: bytes
    allow: bytes
    lists_block: bytes | None = None
    """Where entries by hand are in it: what came from the lists alone."""
    lists_allow: bytes | None = None
    lists_block_entries: int | None = None
    lists_allow_entries: int | None = None

    @property
    def of_lists(self) -> "Generation":
        """What of it came from the lists, without entries by hand."""
        block, allow = self.lists_block, self.lists_allow
        return evolve(
            self,
            block=self.block if block is None else block,
            allow=self.allow if allow is None else allow,
            block_entries=(
                self.block_entries if self.lists_block_entries is None else self.lists_block_entries
            ),
            allow_entries=(
                self.allow_entries if self.lists_allow_entries is None else self.lists_allow_entries
            ),
            lists_block=None,
            lists_allow=None,
            lists_block_entries=None,
            lists_allow_entries=None,
        )

    @property
    def purged(self) -> bool:
        """Is it what a purge left, and so no policy that an operator wanted?"""
        return self.note == PURGED

    def entries(self, device: str, kind: str) -> "Entries":
        """Its `block` or `allow` list, for a thread; raises `StoredDamaged`."""
        try:
            return decode_entries(self.block if kind == "block" else self.allow)
        except ValueError as error:
            raise self._damaged(device, error) from None

    def check(self, device: str) -> None:
        """Raises `StoredDamaged` where its content does not come out of its packing."""
        try:
            for content in (self.block, self.allow, self.lists_block, self.lists_allow):
                if content is not None:
                    decompress(content)
        except ValueError as error:
            raise self._damaged(device, error) from None

    def _damaged(self, device: str, error: ValueError) -> StoredDamaged:
        remedy = (
            f"list the others with `tsadmin policy history {device}`; if it is the newest, "
            f"store a new one with `tsadmin update {device}`"
        )
        return StoredDamaged(device, f"generation {self.number}", str(error), remedy)

    @property
    def row(self) -> GenerationRow:
        """Without the content."""
        return GenerationRow(
            number=self.number,
            applied_at=self.applied_at,
            note=self.note,
            block_entries=self.block_entries,
            allow_entries=self.allow_entries,
            block_serial=self.block_serial,
            allow_serial=self.allow_serial,
        )


GENERATION_COLUMNS = (
    "number, applied_at, note, block_entries, allow_entries, block_serial, allow_serial, block, allow, "
    "lists_block, lists_allow, lists_block_entries, lists_allow_entries"
)


def generation_of(row: tuple[object, ...]) -> Generation:
    """A row of `GENERATION_COLUMNS` as a value."""
    names = [name.strip() for name in GENERATION_COLUMNS.split(",")]
    return Generation(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]  # columns are STRICT
