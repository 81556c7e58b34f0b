"""
Policy commands without a manager: its update service for the time of one command.

The lock on settings and database is held meanwhile, and the outcome goes into the same store, so that a
manager that starts later knows of it.  One that starts meanwhile collects, and updates nothing until then.
"""

from collections.abc import Callable
from time import time
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from tscm.cli.signals import handlers_kept
from tscm.devices import stored_device
from tscm.events.history import with_history
from tscm.events.recent import recent_hits
from tscm.model import Json, Report
from tscm.settings.files import read_node
from tscm.settings.layout import Layout
from tscm.settings.lock import policies_held
from tscm.store.database import Store
from tscm.store.policies import Policies
from tscm.threads import Threads
from tscm.update.service import UpdateService
from tscm.update.ways import ordinary_ways

_THREADS = 2

Ask = Callable[[UpdateService], Any]
"""What is asked of the service: a Deferred, or the answer itself."""


def ask_alone(layout: Layout, name: str, ask: Ask) -> Any:
    """
    The answer to *ask* for the device *name*, by a reactor of its own.

    Raises what the service raises.  On ^C a push that is under way comes to a safe point first.
    """
    reactor = SelectReactor()  # not the installed one: that could run but once in a process
    with policies_held(layout, "tsadmin"):
        node, settings = read_node(layout), stored_device(layout, name)
        threads = Threads(reactor, _THREADS, "tsadmin")
        store = Store(layout.database)
        updates = UpdateService(
            reactor,
            threads,
            node,
            Policies(store),
            # As with a manager, or a list that is cut would be another one.
            evolve(ordinary_ways(), hits_of=lambda one: recent_hits(layout.database, one, time())),
        )
        answers: list[Any] = []
        over: Deferred[None] = Deferred()

        async def work() -> Any:
            threads.startService()
            try:
                store.open()
                updates.set_device(settings)
                answer = ask(updates)
                return await answer if isinstance(answer, Deferred) else answer
            finally:
                await threads.stopService()

        def ended(answer: object) -> None:
            answers.append(answer)
            over.callback(None)
            if not stopping:
                reactor.stop()

        def stop() -> Deferred[None]:
            """On ^C: what is under way comes to a safe point."""
            stopping.append(True)
            threads.hurry()
            updates.stopService()
            return over

        stopping: list[bool] = []
        reactor.addSystemEventTrigger("before", "shutdown", stop)
        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work()).addBoth(ended))
        try:
            with handlers_kept():
                reactor.run()
        finally:
            store.close()
    if isinstance(answers[0], Failure):
        answers[0].raiseException()
    return answers[0]


def outcome_of(outcome: Any) -> Json:
    """An update's or a purge's outcome as the manager answers it; raises `UpdateFailed`."""
    if hasattr(outcome, "raise_if_failed"):
        outcome.raise_if_failed()
    return {**outcome.to_json(), "sentence": outcome.sentence()}


def ask_policy(layout: Layout, name: str, question: str, table: Json, report: Report) -> Json:
    """`why`, `dropped`, `diff` or `rollback` of a device's policy."""
    asks: dict[str, Ask] = {
        "why": lambda updates: updates.why(name, str(table.get("address", ""))).addCallback(
            lambda standing: with_history(layout.database, name, standing)
        ),
        "dropped": lambda updates: updates.dropped(name, table.get("search")),
        "diff": lambda updates: updates.diff(name, table["older"], table.get("newer")),
        "rollback": lambda updates: updates.rollback(name, table["generation"], report),
    }
    answer = ask_alone(layout, name, asks[question])
    found: Json = outcome_of(answer) if question == "rollback" else answer
    return found
