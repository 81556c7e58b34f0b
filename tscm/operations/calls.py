"""
The one point at which every call enters: here it is refused, queued, carried out and audited.
"""

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import define

from tscm.base.clock import wall_seconds
from tscm.errors import TscmError
from tscm.manager.node import ManagerDown, Node
from tscm.model import Progress, Report
from tscm.operations.audit import audited_arguments, discard
from tscm.operations.call import Actor, Call, quiet
from tscm.operations.jobs import Job, Withdrawn
from tscm.operations.operation import Needs, Operation, check_numbers
from tscm.operations.registry import handler_of
from tscm.store.audit_entry import AuditEntry

Args = TypeVar("Args")
Answer = TypeVar("Answer")
Handlers = Callable[[Operation[Any, Any]], Callable[[Node, Any, Call], Any]]
_SENTENCE_KEPT = 500


@define(eq=False)
class Calls:
    """
    Carries operations out on a node.  *handlers* finds the function for a row: another in tests.
    """

    node: Node
    _audit: Callable[[AuditEntry], None] = discard
    _handlers: Handlers = handler_of

    def answer_at_once(
        self, operation: Operation[Args, Answer], args: Args, actor: Actor
    ) -> Answer:
        """The answer of an operation that is not long.  Raises `TscmError`."""
        self._refuse(operation, args)
        answer: Answer = self._handlers(operation)(self.node, args, Call(actor=actor))
        return answer

    def start(
        self,
        operation: Operation[Args, Answer],
        args: Args,
        actor: Actor,
        report: Report = quiet,
        *,
        attached: bool = True,
    ) -> "tuple[Job, Coroutine[Any, Any, Answer]]":
        """
        A job for a long operation, queued, and the coroutine that does it and gives the answer.

        Raises `ManagerDown`, `RequestFaulty`; the coroutine raises what the operation does, and
        `Withdrawn`.
        """
        self._refuse(operation, args)
        device = getattr(args, "name", None)
        job = self.node.jobs.new(operation.name, device, actor, attached=attached)
        return job, self._work(job, operation, args, report)

    async def _work(
        self, job: Job, operation: Operation[Args, Answer], args: Args, report: Report
    ) -> Answer:
        def told(progress: Progress) -> None:
            job.progress = progress  # a plain assignment: safe from any thread
            report(progress)

        def stoppable(stop: Callable[[str], None]) -> None:
            job.stop = stop

        call = Call(
            actor=job.actor,
            report=told,
            begin=lambda: self.node.jobs.begin(job),
            wait=lambda cause: self.node.jobs.wait(job, cause),
            stoppable=stoppable,
        )
        began = time.monotonic()
        error: BaseException | None = None
        try:
            if not operation.queues:
                call.begin()
            answer: Answer = await self._handlers(operation)(self.node, args, call)
            call.noted.setdefault("sentence", _sentence_of(answer))
            return answer
        except BaseException as caught:
            error = caught
            raise
        finally:
            sentence = call.noted.pop("sentence", None) if error is None else _told(error)
            job.device = job.device or call.noted.pop("device", None)
            self.node.jobs.end(job, sentence, good=error is None)
            if job.attached and not operation.changes:
                self.node.jobs.forget(job)  # who asked has the answer, and no other client wants it
            if operation.changes:
                self._audit(
                    AuditEntry(
                        at=wall_seconds(self.node.clock),
                        actor=job.actor.name,
                        uid=job.actor.uid,
                        on_behalf_of=job.actor.on_behalf_of,
                        operation=operation.name,
                        device=job.device,
                        arguments=audited_arguments(args, call.noted),
                        outcome=_outcome(error),
                        sentence=sentence,
                        seconds=time.monotonic() - began,
                    )
                )

    def _refuse(self, operation: Operation[Any, Any], args: Any) -> None:
        check_numbers(args)
        if operation.needs is Needs.MANAGER and self.node.manager is None:
            raise ManagerDown(operation.noun)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "withdrawn" if isinstance(error, Withdrawn) else "failed"


def _sentence_of(answer: Any) -> str | None:
    if isinstance(answer, dict):
        sentence = answer.get("sentence")
    else:
        sentence = getattr(answer, "sentence", None)
    return None if sentence is None else str(sentence)[:_SENTENCE_KEPT]


def _told(error: BaseException) -> str:
    if isinstance(error, TscmError):
        return str(error)[:_SENTENCE_KEPT]
    return f"internal error: {type(error).__name__}: {error}"[:_SENTENCE_KEPT]
