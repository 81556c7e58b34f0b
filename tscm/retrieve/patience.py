"""
When a publisher may be asked again: its own words in the answer, within bounds.  Pure.
"""

import email.utils
import re
from collections.abc import Mapping

_MOST_SECONDS = 2 * 86400.0
"""A longer time is a slip of the server, and the list would grow old over it."""
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,10})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|,)\s*no-(?:cache|store)\b", re.IGNORECASE)
LATER = frozenset({429, 503})
"""Answers that ask for patience: they say nothing about the list."""


def pause_wanted(status: int, headers: Mapping[str, str], now: float) -> float:
    """
    Seconds from *now* in which the publisher does not want to be asked again; 0 where it says nothing.

    `Retry-After` (RFC 9110, 10.2.3) counts with every answer, `Cache-Control: max-age` less `Age`
    (RFC 9111, 4.2.1 and 5.1) with 200 and 304.  Names of *headers* are in lower case.
    """
    wanted = _retry_after(headers.get("retry-after", ""), now)
    if status in {200, 304}:
        wanted = max(wanted, _fresh_for(headers))
    return min(max(0.0, wanted), _MOST_SECONDS)


def _retry_after(text: str, now: float) -> float:
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0


def _fresh_for(headers: Mapping[str, str]) -> float:
    control = headers.get("cache-control", "")
    found = _MAX_AGE.search(control)
    if found is None or _NO_CACHE.search(control):
        return 0.0
    age = headers.get("age", "").strip()
    return float(found[1]) - (float(age[:10]) if age.isascii() and age.isdigit() else 0.0)
