"""
The one point at which calls enter: who is refused, what becomes a job, what the audit is told.
"""

from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tscm.manager.node import ManagerDown
from tscm.operations.arguments import Device, NewDevice, Push, Rollback
from tscm.operations.call import Actor
from tscm.operations.calls import Calls
from tscm.operations.job_figures import JobState
from tscm.operations.jobs import ENDED_KEPT, JobBegun, JobNotStoppable, Jobs, JobUnknown, Withdrawn
from tscm.operations.table.devices import ADD
from tscm.operations.table.logs import LOGS
from tscm.operations.table.policies import PLAN, ROLLBACK, UPDATE
from tscm.store.audit_entry import AuditEntry

ME = Actor(name="me", uid=1000)


class World:
    """Calls on a node that has nothing, with one handler for all."""

    def __init__(self, handler: Any, *, manager: bool = True) -> None:
        self.told: list[AuditEntry] = []
        self.jobs = Jobs(reactor)
        node: Any = SimpleNamespace(
            jobs=self.jobs, manager=object() if manager else None, clock=reactor
        )
        self.calls = Calls(node, self.told.append, lambda _: handler)


async def done(_: Any, args: Any, call: Any) -> dict[str, Any]:
    return {"sentence": f"{args.name} is done"}


@pytest_twisted.ensureDeferred
async def test_what_changes_is_audited_and_what_looks_is_not() -> None:
    world = World(done)
    await world.calls.start(UPDATE, Push(name="fw"), ME)[1]
    await world.calls.start(LOGS, Device(name="fw"), ME)[1]
    job, work = world.calls.start(PLAN, Push(name="fw"), ME)
    await work
    assert [(one.operation, one.device, one.outcome) for one in world.told] == [
        ("update", "fw", "done"),
        ("logs", "fw", "done"),
    ]
    assert world.told[0].sentence == "fw is done"
    assert [job.operation for job in world.jobs] == ["update", "logs"]
    assert job.over


@pytest_twisted.ensureDeferred
async def test_a_failure_is_audited_whatever_it_is() -> None:
    async def fails(*_: Any) -> None:
        raise ZeroDivisionError("x")

    world = World(fails)
    job, work = world.calls.start(UPDATE, Push(name="fw"), ME)
    with pytest.raises(ZeroDivisionError):
        await work
    (entry,) = world.told
    assert (entry.outcome, entry.sentence) == ("failed", "internal error: ZeroDivisionError: x")
    assert job.state is JobState.FAILED


@pytest_twisted.ensureDeferred
async def test_a_new_device_stands_in_the_audit_by_its_name() -> None:
    async def adds(_: Any, args: Any, call: Any) -> dict[str, Any]:
        call.noted["device"] = args.settings["name"]
        return {}

    world = World(adds)
    await world.calls.start(ADD, NewDevice(settings={"name": "fw"}), ME)[1]
    assert world.told[0].device == "fw"


@pytest_twisted.ensureDeferred
async def test_a_withdrawn_call_never_begins() -> None:
    turn: Deferred[None] = Deferred()
    begun = []

    async def waits(_: Any, args: Any, call: Any) -> dict[str, Any]:
        call.wait("somebody else")
        await turn
        call.begin()
        begun.append(args)
        return {}

    world = World(waits)
    job, work = world.calls.start(ROLLBACK, Rollback(name="fw", generation=1), ME)
    running = Deferred.fromCoroutine(work)
    assert (job.state, job.waits_for) == (JobState.QUEUED, "somebody else")
    world.jobs.client_gone(job)
    world.jobs.client_gone(job)
    turn.callback(None)
    with pytest.raises(Withdrawn, match="before it started; nothing was changed"):
        await running
    assert not begun
    assert [one.outcome for one in world.told] == ["withdrawn"]
    with pytest.raises(JobBegun, match="has already finished"):
        world.jobs.withdraw(job.number)


@pytest_twisted.ensureDeferred
async def test_a_detached_job_does_not_depend_on_who_asked() -> None:
    world = World(done)
    job, work = world.calls.start(UPDATE, Push(name="fw"), ME, attached=False)
    world.jobs.client_gone(job)
    await work
    assert job.state is JobState.DONE


def test_without_a_manager_its_operations_are_refused_by_name() -> None:
    world = World(done, manager=False)
    with pytest.raises(ManagerDown, match="rotating and uploading logs requires the manager"):
        world.calls.start(LOGS, Device(name="fw"), ME)
    assert not list(world.jobs)


@pytest_twisted.ensureDeferred
async def test_the_jobs_that_are_kept_are_bounded() -> None:
    world = World(done)
    for _ in range(ENDED_KEPT + 20):
        await world.calls.start(UPDATE, Push(name="fw"), ME)[1]
    assert len(list(world.jobs)) == ENDED_KEPT
    with pytest.raises(JobUnknown):
        world.jobs.job(1)


@pytest_twisted.ensureDeferred
async def test_only_a_job_that_runs_and_can_end_in_the_middle_is_stopped() -> None:
    turn: Deferred[None] = Deferred()
    goes_on: Deferred[None] = Deferred()
    stopped_by: list[str] = []

    async def pushes(_: Any, args: Any, call: Any) -> dict[str, Any]:
        call.stoppable(stopped_by.append)
        await turn
        call.begin()
        await goes_on
        return {}

    world = World(pushes)
    job, work = world.calls.start(UPDATE, Push(name="fw"), ME)
    running = Deferred.fromCoroutine(work)
    with pytest.raises(JobNotStoppable, match="has not started; withdraw it"):
        world.jobs.stop(job.number, "anna")
    turn.callback(None)
    assert job.figures().stoppable
    assert world.jobs.stop(job.number, "anna").figures().stopped_by == "anna"
    assert stopped_by == ["anna"]
    goes_on.callback(None)
    await running
    assert not job.figures().stoppable
    with pytest.raises(JobNotStoppable, match="has already finished"):
        world.jobs.stop(job.number, "anna")

    other = world.jobs.new("purge", "fw", ME, attached=False)
    world.jobs.begin(other)
    with pytest.raises(JobNotStoppable, match="only updates, plans and rollbacks"):
        world.jobs.stop(other.number, "anna")
