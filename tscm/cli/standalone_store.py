"""
Commands without a manager that need the database: its update service for the time of one command.

On a reactor of its own, under the lock on settings and database; the outcome goes into the same
database, so that a manager that starts later knows of it.  One that starts meanwhile collects, and
updates nothing until then.
"""

import time
from functools import partial
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from tscm.base.threads import Threads
from tscm.cli.signals import handlers_kept
from tscm.cli.standalone_node import HOLDER, kept_audit, node_on_files, this_user
from tscm.devices.claims import claimed_by_another
from tscm.devices.reach import Reach
from tscm.devices.stored import stored_device
from tscm.events.recent import recent_hits
from tscm.model import Report
from tscm.operations.calls import Calls
from tscm.operations.operation import Operation
from tscm.settings.files import device_names, read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import policies_held
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.update.service import UpdateService
from tscm.update.ways import default_gateways

Args = TypeVar("Args")
Answer = TypeVar("Answer")
_THREADS = 2


def call_with_store(
    layout: Layout,
    operation: Operation[Args, Answer],
    args: Args,
    report: Report,
    reach: Reach,
) -> Answer:
    """
    The answer, by a reactor of its own.  On ^C a push that is in progress comes to a safe point first.
    """
    reactor = SelectReactor()  # not the installed one: that could run but once in a process
    with policies_held(layout, HOLDER):
        name = getattr(args, "name", None)
        settings = None if name is None else stored_device(layout, name)
        threads = Threads(reactor, _THREADS, "tsadmin")
        store = Store(layout.database)
        updates = UpdateService(
            reactor,
            threads,
            read_node(layout),
            Policies(store),
            # As with a manager, or a list that is cut would be another one.
            evolve(
                default_gateways(layout),
                hits_of=lambda one: recent_hits(layout.database, one, time.time()),
                stored=lambda: device_names(layout),
                claimed=partial(claimed_by_another, layout),
            ),
        )
        node = node_on_files(
            layout, store, clock=reactor, blocking=threads, updates=updates, reach=reach
        )
        calls = Calls(node, kept_audit(layout, store))
        answers: list[Any] = []
        stopping: list[bool] = []
        over: Deferred[None] = Deferred()

        async def work() -> Any:
            threads.startService()
            try:
                store.open()
                if settings is not None:
                    updates.set_device(settings)
                if not operation.long:
                    return calls.answer_at_once(operation, args, this_user())
                _, answer = calls.start(operation, args, this_user(), report)
                return await answer
            finally:
                await threads.stopService()

        def ended(answer: object) -> None:
            answers.append(answer)
            over.callback(None)
            if not stopping:
                reactor.stop()

        def stop() -> Deferred[None]:
            """On ^C: what is in progress comes to a safe point."""
            stopping.append(True)
            threads.hurry()
            updates.stopService()
            return over

        reactor.addSystemEventTrigger("before", "shutdown", stop)
        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work()).addBoth(ended))
        try:
            with handlers_kept():
                reactor.run()
        finally:
            store.close()
    if isinstance(answers[0], Failure):
        answers[0].raiseException()
    answer: Answer = answers[0]
    return answer
