"""
Targets whose feeds have not been fetched for several of their intervals.  Pure.
"""

from collections.abc import Iterator

from tscm.alarms.observed import LateTarget
from tscm.portal.publishing import Published
from tscm.portal.sources import TargetState
from tscm.standing import STALE_INTERVALS, age_words


def late_targets(published: Published, now: float) -> Iterator[LateTarget]:
    """
    Those that are fetched, as policies use them, and late.

    A feed that was fetched and is not used, for its bounds, makes its target late too: what the target holds is as old.
    """
    for name, state in published.targets.items():
        target = published.site.targets.get(name)
        if target is not None and target.feeds and state.fault:
            found = _late(name, state, STALE_INTERVALS * target.interval_seconds, now)
            if found is not None:
                yield found


def _late(name: str, state: TargetState, longest: float, now: float) -> LateTarget | None:
    if state.good_at is None:
        told, since = "has never been fetched", now if state.tried_at is None else state.tried_at
    elif now - state.good_at > longest:
        told = f"was last fetched {age_words(now - state.good_at)} ago"
        since = state.good_at + longest
    else:
        return None
    return LateTarget(name=name, sentence=f"target {name} {told}: {state.fault}", since=since)
