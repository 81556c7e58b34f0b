"""
How the uploads of one device stand, as a value.
"""

from enum import StrEnum

from attrs import field, frozen

from tscm.wire.keys import as_key


class UploadState(StrEnum):
    """What an uploader is doing."""

    OFF = "off"
    IDLE = "idle"
    SENDING = "sending"
    WAITING = "waiting"
    """For the next try."""


@frozen(kw_only=True)
class UploadFigures:
    """
    Where the uploads stand; *sentence* is for people.  Lines are counted since the log began, batches and
    bytes since the uploader did.
    """

    state: UploadState = UploadState.OFF
    sentence: str = ""
    backlog_bytes: int = 0
    sent: int = 0
    not_selected: int = field(default=0, metadata=as_key("skipped"))
    expired: int = 0
    batches: int = 0
    sent_bytes: int = field(default=0, metadata=as_key("bytes"))
    """Compressed."""
    repeats_known: int = 0
    """Batches that the receiver had already when they were sent again."""
    rejected_batches: int = field(default=0, metadata=as_key("set_aside"))
    """Those that wait for a decision."""
    batch: str | None = None
    """The key of the batch in hand."""
    encoding: str = "none"
    last_upload_at: float | None = None
    failures: int = 0
    """In a row."""
    failing_since: float | None = None
    retry_at: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
