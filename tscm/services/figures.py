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


@frozen(kw_only=True)
class PulledBy:
    """
    What an address last fetched of a device's lists: which file of which generation, from when to when, how often.
    """

    peer: str = ""
    file: str = ""
    generation: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    count: int = 0


@frozen(kw_only=True)
class PullFigures:
    """
    How a device's lists are served, and who has which generation of them.

    *since* is when its pulls began to be counted: no device can be late before that.
    """

    interval_seconds: float = 3600.0
    since: float = 0.0
    served_at: tuple[str, ...] = ()
    """Where the listener is; empty where there is none."""
    fault: str = ""
    """Why no device is served what is published now."""
    generation: int | None = None
    """Of what is published."""
    generation_at: float | None = None
    """When that generation was published."""
    entries: int = 0
    """Networks in the published block list."""
    purged: bool = False
    pulled: tuple[PulledBy, ...] = ()
    """What each address fetched last, the latest first."""
    refused: Mapping[str, int] = field(factory=dict)
    """Requests that were refused since the start, by status."""
