"""
What the embedded log service keeps and refuses, as values.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tscm.wire.keys import as_key


@frozen(kw_only=True)
class KeptUploads:
    """The uploads of one device, by its device ID: what is kept and what was deleted."""

    batches: int = 0
    lines: int = 0
    kept_bytes: int = field(default=0, metadata=as_key("bytes"))
    deleted_batches: int = 0
    deleted_lines: int = 0
    deleted_bytes: int = 0
    repeated: int = 0


@frozen(kw_only=True)
class LogServiceFigures:
    """
    All devices; uploads *refused* by status, and why none are taken now or none can be deleted.
    """

    devices: Mapping[str, KeptUploads] = field(factory=dict)
    refused: Mapping[str, int] = field(factory=dict)
    refusing: str | None = None
    fault: str | None = None
