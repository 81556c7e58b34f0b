"""
A change of the network is tried, and taken back unless it is confirmed within a minute.
"""

from attrs import frozen

from tscm.appliance.network import Network, both, parse, render
from tscm.appliance.refusal import NotPossible

CONFIRM_SECONDS = 60


@frozen
class Trial:
    """
    The file in force, and while a change is tried the one before it, the one wanted, and when it ends.

    *until* is in seconds of the host's monotonic clock: first boots set the wall clock.
    """

    present: str
    before: str | None = None
    wanted: str | None = None
    until: float = 0.0

    @property
    def under_way(self) -> bool:
        """Whether a change waits for its confirmation."""
        return self.before is not None


def begin(state: Trial, wanted: Network, now: float) -> Trial:
    """Try a change; it replaces one that is being tried, and what returns stays the last confirmed one."""
    before = state.before if state.before is not None else state.present
    return Trial(
        present=render(both(parse(before), wanted)),
        before=before,
        wanted=render(wanted),
        until=now + CONFIRM_SECONDS,
    )


def confirm(state: Trial, now: float) -> Trial:
    """Keep what is tried.  Raises `NotPossible` where nothing is, or its time is over."""
    if not state.under_way or state.wanted is None:
        raise NotPossible("no change of the network waits for a confirmation; begin one first")
    if now >= state.until:
        raise NotPossible("the time to confirm is over; begin the change again")
    return Trial(present=state.wanted)


def take_back(state: Trial) -> Trial:
    """As it was before the change; the same where none is tried."""
    return state if state.before is None else Trial(present=state.before)
