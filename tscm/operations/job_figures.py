"""
A long call as who looks at it sees it.
"""

from enum import StrEnum

from attrs import field, frozen

from tscm.model import Progress
from tscm.wire.keys import as_key


class JobState(StrEnum):
    """
    Where a job is in its life.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


UNDER_WAY = frozenset({JobState.QUEUED, JobState.RUNNING})


@frozen(kw_only=True)
class JobFigures:
    """
    One long call: who asked for what, whether it waits or runs, and how it ended.  Times are POSIX seconds.
    """

    number: int = field(default=0, metadata=as_key("id"))
    operation: str = ""
    device: str | None = None
    actor: str = ""
    attached: bool = False
    """Whether its caller waits for the answer."""
    state: JobState = JobState.QUEUED
    waits_for: str | None = None
    asked_at: float = 0.0
    begun_at: float | None = None
    ended_at: float | None = None
    progress: Progress | None = None
    sentence: str | None = None
    """How it ended."""
    stoppable: bool = False
    """Whether it can be stopped in the middle, and runs."""
    stopped_by: str = ""
    """Who wants it to end after the request in progress."""
