"""
A large change is shown and asked about before `tsadmin update` pushes it, where a setting says so.
"""

import sys

from attrs import define

from tscm.cli import say
from tscm.cli.plan import tell_plan
from tscm.cli.progress import shown_progress, waits_told
from tscm.cli.prompts import confirmed
from tscm.errors import TscmError
from tscm.faces.backend import Backend
from tscm.operations.arguments import Push
from tscm.operations.table.policies import PLAN
from tscm.risks import Consent
from tscm.update.figures import PlanFigures, UpdateRecord


@define(eq=False)
class NotConfirmed(TscmError):
    """
    A large change was shown, and the answer was no.
    """

    name: str

    def __str__(self) -> str:
        return f"{self.name} was not changed"


def is_large(outcome: UpdateRecord, percent: int) -> bool:
    """
    Would more than *percent* of the entries in force come or go?  Where nothing is in force any change is large.
    """
    figures = outcome.plan or PlanFigures()
    after = sum(one.desired for one in (outcome.block, outcome.allow) if one is not None)
    before = max(0, after - figures.added + figures.removed)
    changes = figures.added + figures.removed
    return changes > 0 and changes * 100 > percent * before


def asks(*, yes: bool) -> bool:
    """Whether to ask for confirmation; impossible without a terminal."""
    return not yes and sys.stdin.isatty()


def shown_and_confirmed(
    backend: Backend, name: str, consent: Consent, percent: int, *, aside: bool
) -> str | None:
    """
    The ID of the plan that was made, to push just that; shown and asked about where it is large.

    Raises `NotConfirmed`, and what a plan ends with.
    """
    with shown_progress(aside=aside) as report:
        asked = Push(name=name, accept=consent.words)
        outcome = backend.call(PLAN, asked, report, waits_told(aside=aside))
    if is_large(outcome, percent):
        if aside:
            say.info(outcome.sentence, aside=True)
        else:
            tell_plan(outcome)
        question = (
            f"More than {percent} % of {name}'s entries would change: push anyway? (y or n) "
            "[default n] "
        )
        if not confirmed(question):
            raise NotConfirmed(name)
    return outcome.plan_id
