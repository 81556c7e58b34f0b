"""
Numbers by the hour as a picture: bars in SVG, drawn here, so that no script is needed for them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

HOUR = 3600
DAY = 86400
BARS_MOST = 24 * 14
"""More hours than these are drawn by the day."""
_WIDTH, _HEIGHT = 960.0, 120.0


@frozen(kw_only=True)
class Bar:
    """One hour or day: where it is drawn, and what it says."""

    x: float
    width: float
    blocked_y: float
    blocked_height: float
    allowed_y: float
    allowed_height: float
    title: str


@frozen(kw_only=True)
class Point:
    """The numbers of a bar, for the table."""

    at: float
    word: str
    blocked: int
    allowed: int


@frozen(kw_only=True)
class Chart:
    """The picture, and its numbers as text."""

    bars: tuple[Bar, ...]
    points: tuple[Point, ...]
    """Those that are not 0."""
    most: int
    width: int = int(_WIDTH)
    height: int = int(_HEIGHT)
    unit: str
    summary: str
    first: str
    last: str
    """When the first and the last bar begin."""


def chart(
    blocked: Mapping[int, int], allowed: Mapping[int, int], since: float, until: float
) -> Chart:
    """Hits by the hour (POSIX seconds of its begin) from *since* to *until*."""
    first, last = int(since) // HOUR * HOUR, max(int(since), int(until) - 1) // HOUR * HOUR
    by_day = (last - first) // HOUR + 1 > BARS_MOST
    step = DAY if by_day else HOUR
    if by_day:
        blocked, allowed = _by_day(blocked), _by_day(allowed)
        first, last = _day_of(first), _day_of(last)
    starts = list(range(first, last + 1, step))
    most = max((blocked.get(at, 0) + allowed.get(at, 0) for at in starts), default=0)
    width = _WIDTH / max(1, len(starts))
    scale = _HEIGHT / most if most else 0.0
    bars, points = [], []
    for number, at in enumerate(starts):
        b, a = blocked.get(at, 0), allowed.get(at, 0)
        word = _word(at, by_day=by_day)
        if b or a:
            high_b, high_a = b * scale, a * scale
            bars.append(
                Bar(
                    x=round(number * width + width * 0.1, 2),
                    width=round(max(width * 0.8, 0.6), 2),
                    blocked_y=round(_HEIGHT - high_b, 2),
                    blocked_height=round(high_b, 2),
                    allowed_y=round(_HEIGHT - high_b - high_a, 2),
                    allowed_height=round(high_a, 2),
                    title=f"{word}: {b:,} blocked, {a:,} allowed",
                )
            )
            points.append(Point(at=at, word=word, blocked=b, allowed=a))
    unit = "day" if by_day else "hour"
    summary = (
        f"Hits by the {unit}: {sum(blocked.get(at, 0) for at in starts):,} blocked and "
        f"{sum(allowed.get(at, 0) for at in starts):,} allowed, at most {most:,} in one {unit}"
    )
    return Chart(
        bars=tuple(bars),
        points=tuple(points),
        most=most,
        unit=unit,
        summary=summary,
        first=_word(starts[0], by_day=by_day),
        last=_word(starts[-1], by_day=by_day),
    )


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()


def _day_of(at: int) -> int:
    return at // DAY * DAY


def _by_day(hours: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for at, hits in hours.items():
        found[_day_of(at)] = found.get(_day_of(at), 0) + hits
    return found


def _word(at: int, *, by_day: bool) -> str:
    if by_day:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d (UTC)")
    return _local(at).strftime("%Y-%m-%d %H:00")
