"""
What is wrong with the way in which a firewall comes to its lists.

Pure: the figures of its pulls, and the time; the same words for every face.
"""

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen

from tscm.services.figures import PulledBy, PullFigures

LATE_INTERVALS = 3.0
"""A consumer that has not come for so many of its intervals is late."""
OLD_INTERVALS = 1.5
"""For so many it may still have the generation before the present one."""


@frozen(kw_only=True)
class PullTrouble:
    """One thing; *grave*: no device can fetch the list at all.  *remedy* is what to do about it."""

    sentence: str
    remedy: str
    grave: bool = False


def latest(pulls: PullFigures) -> PulledBy | None:
    """The last fetch by any host."""
    return pulls.pulled[0] if pulls.pulled else None


def late_at(pulls: PullFigures) -> float | None:
    """When the consumer is late unless it comes before; None where nothing is published."""
    if pulls.generation is None:
        return None
    last = latest(pulls)
    came = 0.0 if last is None else last.last_at
    counted = max(came, pulls.since, pulls.generation_at or 0.0 if last is None else 0.0)
    return counted + LATE_INTERVALS * pulls.interval_seconds


def old_at(pulls: PullFigures) -> float | None:
    """When it is old what the consumer has, unless it comes before; None where it has what is published."""
    last = latest(pulls)
    if pulls.generation is None or last is None or last.generation == pulls.generation:
        return None
    published = max(pulls.generation_at or 0.0, pulls.since)
    return published + OLD_INTERVALS * pulls.interval_seconds


def troubles(pulls: PullFigures, now: float) -> Iterator[PullTrouble]:
    """All that is wrong at *now*."""
    if not pulls.served_at:
        yield PullTrouble(
            sentence="its lists are not served, because the manager has no listener for them",
            remedy="set lists under [listen] in tscm.toml",
            grave=True,
        )
        return
    if pulls.fault:
        yield PullTrouble(
            sentence=f"its lists cannot be served as they were published: {pulls.fault}",
            remedy="update it, which publishes them again",
            grave=pulls.generation is None,
        )
    last, late, old = latest(pulls), late_at(pulls), old_at(pulls)
    if late is not None and now > late:
        came = (
            "no firewall has pulled its lists"
            if last is None
            else f"its lists have not been pulled since {_when(last.last_at)}"
        )
        minutes = round(pulls.interval_seconds / 60)
        yield PullTrouble(
            sentence=f"{came}; a pull is expected every {minutes} min",
            remedy="check the URL, the route and the trusted CA on the firewall, and pull_minutes of the device",
        )
    elif old is not None and now > old and last is not None:
        yield PullTrouble(
            sentence=(
                f"the firewall still has generation {last.generation} of its lists, and {pulls.generation} is published "
                f"since {_when(pulls.generation_at or 0.0)}"
            ),
            remedy="check whether a proxy in between hands out old copies, and pull_minutes of the device",
        )


def turns(pulls: PullFigures, now: float) -> Iterator[float]:
    """When the passage of time alone changes what `troubles` says."""
    for at in (late_at(pulls), old_at(pulls)):
        if at is not None and at >= now:
            yield at


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
