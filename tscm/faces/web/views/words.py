"""
Numbers and times as the page writes them: the same words as `tsadmin`.
"""

from datetime import UTC, datetime

from tscm.standing import age_words

NEVER = "never"
UNKNOWN = "unknown"


def count(value: float | None) -> str:
    """A whole number with its thousands; what is not known is never 0."""
    return UNKNOWN if value is None else f"{int(value):,}"


def duration(seconds: float | None) -> str:
    """`12 s`, `5 min`, `3 h`, `2 d`."""
    return age_words(seconds)


def ago(at: float | None, now: float) -> str:
    """How long ago something was, or how long until it is."""
    if not at:
        return NEVER
    if at > now + 1:
        return f"in {age_words(at - now)}"
    return f"{age_words(max(0.0, now - at))} ago"


def iso(at: float | None) -> str:
    """A moment with date and zone, in the server's zone."""
    if not at:
        return NEVER
    try:
        return datetime.fromtimestamp(at, UTC).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def clock(at: float | None) -> str:
    """The time of day alone."""
    return NEVER if not at else iso(at)[11:19]


def size(value: float | None) -> str:
    """Bytes in the unit that fits."""
    if value is None:
        return UNKNOWN
    for unit in ("B", "KB", "MB", "GB"):
        if value < 10_000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.0f} TB"
