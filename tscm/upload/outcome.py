"""
What an upload did, and the batches that were rejected, as values.  Light: the table of operations names them.
"""

from attrs import field, frozen

from tscm.plural import many
from tscm.wire.keys import OMIT_NONE, as_key


@frozen(kw_only=True)
class UploadOutcome:
    """
    What an upload did: batches taken by the receiver, their lines and bytes, and lines passed over.
    """

    batches: int = 0
    lines: int = 0
    bytes: int = 0
    not_selected: int = field(default=0, metadata=as_key("skipped"))
    aside: int = 0

    def __str__(self) -> str:
        """For people."""
        if not self.batches and not self.aside:
            return "nothing to send"
        text = (
            f"{many(self.lines, 'line', 'lines')} in {many(self.batches, 'upload', 'uploads')}, "
            f"{many(self.bytes, 'byte', 'bytes')} compressed"
        )
        aside = f"; {many(self.aside, 'batch', 'batches')} rejected" if self.aside else ""
        return text + aside

    def plus(self, other: "UploadOutcome") -> "UploadOutcome":
        """Both together."""
        return UploadOutcome(
            batches=self.batches + other.batches,
            lines=self.lines + other.lines,
            bytes=self.bytes + other.bytes,
            not_selected=self.not_selected + other.not_selected,
            aside=self.aside + other.aside,
        )


@frozen(kw_only=True)
class RejectedBatch:
    """
    A batch that the receiver rejected: kept as a file, listed, and sent again on request.
    """

    key: str
    start: int
    end: int
    lines: int
    cause: str
    at: float


@frozen(kw_only=True)
class Uploaded(UploadOutcome):
    """What became of a device's log: it was rotated, and what waited was uploaded."""

    name: str = ""
    rotated: bool | None = field(default=None, metadata=OMIT_NONE)
    """Of a device that uploads nothing."""
    sentence: str = ""


@frozen(kw_only=True)
class RejectedBatches:
    """The batches of a device that the log service rejected for good; *off* says why none can come."""

    name: str = ""
    batches: tuple[RejectedBatch, ...] = ()
    off: str | None = None


@frozen(kw_only=True)
class BatchesHandled:
    """How many rejected batches were resent or dropped, and their lines."""

    name: str = ""
    batches: int = 0
    lines: int = 0
    sentence: str = ""
