"""
What an upload did.
"""

from attrs import frozen

from tscm.plural import many


@frozen(kw_only=True)
class UploadOutcome:
    """
    What an upload did: batches taken by the receiver, their lines and bytes, and lines passed over.
    """

    batches: int = 0
    lines: int = 0
    bytes: int = 0
    skipped: int = 0
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
            skipped=self.skipped + other.skipped,
            aside=self.aside + other.aside,
        )
