"""
Who sends, as values.
"""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class StrangerFigures:
    """One unknown sender; the *sample* is harmless for a terminal."""

    address: str
    lines: int = 0
    first_seen_at: float = 0.0
    last_seen_at: float = 0.0
    sample: str = ""


@frozen(kw_only=True)
class SenderFigures:
    """Host names with their addresses, addresses that several devices share, and devices with pins."""

    names: Mapping[str, tuple[str, ...]] = field(factory=dict)
    relays: Mapping[str, tuple[str, ...]] = field(factory=dict)
    pinned: tuple[str, ...] = ()
