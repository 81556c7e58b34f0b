"""
Plans that users asked for: made in the manager while the browser looks at something else, kept for a day.
"""

import secrets
from collections.abc import Callable

from attrs import define, field
from twisted.python.failure import Failure

from tscm.errors import TscmError
from tscm.faces.backend import ManagerError
from tscm.faces.web.asking import Asking
from tscm.operations.arguments import Push
from tscm.operations.table.policies import PLAN
from tscm.update.figures import UpdateRecord, UpdateTold

KEPT_SECONDS = 86400.0
"""As long as the manager takes the plan's ID."""
MOST_KEPT = 100


@define(eq=False)
class Planned:
    """
    One plan: of which device, asked for by whom and when; *outcome* once it is there, *error* where it is not good.
    """

    key: str
    device: str
    by: str
    asked_at: float
    outcome: UpdateRecord | None = None
    sentence: str = ""
    """What it came to, of a plan that was made."""
    error: str | None = None

    @property
    def under_way(self) -> bool:
        """Is the manager still at it?"""
        return self.outcome is None and self.error is None


@define(eq=False)
class Plans:
    """
    The plans by key.  Who knows a key may look at it, as any viewer may.
    """

    _asking: Asking
    _now: Callable[[], float]
    _plans: dict[str, Planned] = field(factory=dict, init=False)

    def make(self, device: str, user: str) -> Planned:
        """Have the manager plan; gives what will hold the plan."""
        made = Planned(secrets.token_urlsafe(9), device, user, self._now())
        self._plans[made.key] = made
        while len(self._plans) > MOST_KEPT:
            del self._plans[next(iter(self._plans))]
        try:
            asked = self._asking.ask(PLAN, Push(name=device), user)
        except TscmError as error:
            made.error = str(error)
        else:
            asked.addCallbacks(
                lambda outcome: self._came(made, outcome), self._failed, errbackArgs=(made,)
            )
        return made

    def _came(self, made: Planned, outcome: UpdateTold) -> None:
        made.outcome, made.sentence = outcome, outcome.sentence

    def _failed(self, failure: Failure, made: Planned) -> None:
        error = failure.value
        if isinstance(error, ManagerError) and error.outcome is not None:
            made.outcome = error.outcome
        known = isinstance(error, TscmError)
        made.error = str(error) if known else f"internal error: {type(error).__name__}"

    def find(self, key: str) -> Planned | None:
        """The plan of that key while it is kept."""
        found = self._plans.get(key)
        if found is not None and self._now() - found.asked_at > KEPT_SECONDS:
            del self._plans[key]
            return None
        return found
