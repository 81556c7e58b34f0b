"""
Long calls as jobs: who asked for what, whether it waits or runs, and how it ended.

Lives in the reactor thread.  Ended jobs are kept for a while for display.
"""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field

from tscm.base.clock import wall_seconds
from tscm.errors import TscmError
from tscm.model import Progress
from tscm.operations.call import Actor
from tscm.operations.job_figures import UNDER_WAY, JobFigures, JobState

ENDED_KEPT = 200


@define(eq=False)
class Withdrawn(TscmError):
    """
    A call was withdrawn before it had begun.
    """

    exit_status = 130

    operation: str
    device: str | None

    def __str__(self) -> str:
        of = f" of {self.device}" if self.device else ""
        return f"the {self.operation}{of} was withdrawn before it started; nothing was changed"


@define(eq=False)
class JobUnknown(TscmError):
    """
    No job has this number, or it ended long ago.
    """

    absent = True

    number: int

    def __str__(self) -> str:
        return f"no job {self.number}; list the jobs with `tsadmin jobs`"


@define(eq=False)
class JobBegun(TscmError):
    """
    A job is in progress or over, so that it cannot be withdrawn.
    """

    number: int
    state: JobState

    def __str__(self) -> str:
        if self.state is JobState.RUNNING:
            return (
                f"job {self.number} has started and cannot be withdrawn; `tsadmin jobs "
                f"{self.number}` shows its progress"
            )
        return f"job {self.number} has already finished ({self.state})"


@define(eq=False)
class JobNotStoppable(TscmError):
    """
    A job is not in progress, or is one that comes to its end by itself.
    """

    number: int
    operation: str
    state: JobState

    def __str__(self) -> str:
        if self.state is JobState.QUEUED:
            return f"job {self.number} has not started; withdraw it with `tsadmin jobs {self.number} --withdraw`"
        if self.state is JobState.RUNNING:
            return f"job {self.number} cannot be stopped: only updates, plans and rollbacks can"
        return f"job {self.number} has already finished ({self.state})"


@define(eq=False)
class Job:
    """
    One long call.
    """

    number: int
    operation: str
    device: str | None
    actor: Actor
    attached: bool
    """A client waits for its answer; when it goes away before it has begun, it is withdrawn."""
    asked_at: float
    state: JobState = JobState.QUEUED
    waits_for: str | None = None
    begun_at: float | None = None
    ended_at: float | None = None
    progress: Progress | None = None
    sentence: str | None = None
    """How it ended."""
    stop: Callable[[str], None] | None = None
    """Ends it at a safe point while it runs."""
    stopped_by: str = ""
    """Who wanted it to end."""
    _watchers: list[Callable[["Job"], None]] = field(factory=list, init=False)

    def watch(self, watcher: Callable[["Job"], None]) -> None:
        """Call *watcher* when the state changes, and now."""
        self._watchers.append(watcher)
        watcher(self)

    def moved(self, state: JobState) -> None:
        """The job is in another state: tell the watchers."""
        self.state = state
        for watcher in self._watchers:
            watcher(self)

    @property
    def over(self) -> bool:
        """Has it ended, or was it withdrawn?"""
        return self.state not in UNDER_WAY

    def figures(self) -> JobFigures:
        """As it stands."""
        return JobFigures(
            number=self.number,
            operation=self.operation,
            device=self.device,
            actor=str(self.actor),
            attached=self.attached,
            state=self.state,
            waits_for=self.waits_for,
            asked_at=self.asked_at,
            begun_at=self.begun_at,
            ended_at=self.ended_at,
            progress=self.progress,
            sentence=self.sentence,
            stoppable=self.state is JobState.RUNNING and self.stop is not None,
            stopped_by=self.stopped_by,
        )


@define(eq=False)
class Jobs:
    """
    The jobs of this manager since its start: all that are in progress, and the last that ended.
    """

    _clock: Any
    _jobs: dict[int, Job] = field(factory=dict, init=False)
    _last: int = field(default=0, init=False)

    def new(self, operation: str, device: str | None, actor: Actor, *, attached: bool) -> Job:
        """A job that is queued."""
        self._last += 1
        job = Job(self._last, operation, device, actor, attached, wall_seconds(self._clock))
        self._jobs[job.number] = job
        return job

    def wait(self, job: Job, cause: str) -> None:
        """The job waits: *cause* says for what, since when and who asked for that."""
        if job.state is JobState.QUEUED:
            job.waits_for = cause
            job.moved(JobState.QUEUED)

    def begin(self, job: Job) -> None:
        """The job's turn has come.  Raises `Withdrawn` where its client is gone."""
        if job.state is JobState.WITHDRAWN:
            raise Withdrawn(job.operation, job.device)
        if job.state is JobState.QUEUED:
            job.waits_for = None
            job.begun_at = wall_seconds(self._clock)
            job.moved(JobState.RUNNING)

    def end(self, job: Job, sentence: str | None, *, good: bool) -> None:
        """The job has answered."""
        if job.over:
            return
        job.sentence = sentence
        job.ended_at = wall_seconds(self._clock)
        job.moved(JobState.DONE if good else JobState.FAILED)
        self._forget_old()

    def withdraw(self, number: int) -> Job:
        """Take back a job that has not begun.  Raises `JobUnknown`, `JobBegun`."""
        job = self.job(number)
        if job.state is not JobState.QUEUED:
            raise JobBegun(number, job.state)
        job.ended_at = wall_seconds(self._clock)
        job.waits_for = None
        job.moved(JobState.WITHDRAWN)
        self._forget_old()
        return job

    def stop(self, number: int, by: str) -> Job:
        """
        End a job after the request in progress.  Raises `JobUnknown`, `JobNotStoppable`.

        A job runs while it has the turn of its device, so that nothing else is stopped.
        """
        job = self.job(number)
        if job.state is not JobState.RUNNING or job.stop is None:
            raise JobNotStoppable(number, job.operation, job.state)
        job.stopped_by = by
        job.stop(by)
        return job

    def client_gone(self, job: Job) -> None:
        """Who asked for the job went away: one that has not begun is withdrawn."""
        if job.attached and job.state is JobState.QUEUED:
            self.withdraw(job.number)

    def forget(self, job: Job) -> None:
        """A job that has ended and that will not be asked about."""
        self._jobs.pop(job.number, None)

    def job(self, number: int) -> Job:
        """One job.  Raises `JobUnknown`."""
        try:
            return self._jobs[number]
        except KeyError:
            raise JobUnknown(number) from None

    def __iter__(self) -> Iterator[Job]:
        """All that are known, the oldest first."""
        return iter(self._jobs.values())

    def _forget_old(self) -> None:
        over = [job.number for job in self._jobs.values() if job.over]
        for number in over[:-ENDED_KEPT]:
            del self._jobs[number]
