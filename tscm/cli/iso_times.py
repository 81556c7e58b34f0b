"""
Times in JSON as people and other programs read them, beside the seconds since 1970.
"""

from datetime import UTC, datetime
from typing import Any

_WORDS = ("at", "since", "until")
_FIRST, _LAST = 1e8, 1e11
"""A number outside (1973 to 5138) is not a time: an offset, a count, or nothing yet."""
ISO = "_iso"
"""Ends the name of the added field."""


def with_iso(value: Any) -> Any:
    """
    JSON *value* with a field `NAME_iso` (ISO 8601, UTC) behind each field NAME that holds a time in seconds.

    Such names are `at`, `since` and `until`, or end with `_at`, `_since` or `_until`.  What is there already stays.
    """
    if isinstance(value, list):
        return [with_iso(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, one in value.items():
        found[name] = with_iso(one)
        if f"{name}{ISO}" not in value and _is_time(name, one):
            found[f"{name}{ISO}"] = datetime.fromtimestamp(one, UTC).isoformat(timespec="seconds")
    return found


def _is_time(name: object, value: object) -> bool:
    return (
        isinstance(name, str)
        and name.rpartition("_")[2] in _WORDS
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and _FIRST <= value < _LAST
    )
