"""
How the event reader of one device stands, as a value.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class EventFigures:
    """
    What the event reader has still to read, what it *counted* so far, and why it does not get on.
    """

    waiting_bytes: int = 0
    counted: Mapping[str, Any] = field(factory=dict)
    """The worker's counts; `unread` are lines of access-lists whose two ends could not be read."""
    fault: str | None = None
    hits: Mapping[str, Mapping[str, int]] = field(factory=dict)
    """Since the manager started: by action (`blocked`, `allowed`), and by name of the list."""

    @property
    def unread(self) -> int:
        """Lines of the device's access-lists whose two ends could not be read."""
        return int(self.counted.get("unread", 0))
