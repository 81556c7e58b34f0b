"""
The name of a plan: what it starts from, what it is to come to, and when it was made.

Pure, and nothing is stored: an update that is bound to a plan makes its own and compares.
"""

import hashlib
import re

from attrs import define

from tscm.errors import TscmError
from tscm.policy.cidr import CidrSet

KEPT_SECONDS = 86400.0
_FORM = re.compile(r"([0-9a-f]{8})-([0-9a-f]{24})")


@define(eq=False)
class PlanFaulty(TscmError):
    """
    What was given as a plan's name is none.
    """

    exit_status = 2

    given: str

    def __str__(self) -> str:
        return f"{self.given[:60]!r} is not a plan ID; `tsadmin plan` prints it on its last line"


@define(eq=False)
class PlanOutdated(TscmError):
    """
    An update was bound to a plan that is too old, or that lists or device have left behind.
    """

    device: str
    plan: str
    cause: str

    def __str__(self) -> str:
        return (
            f"{self.device} was not changed: {self.cause}; check the plan that is shown now, and push "
            f"it with `tsadmin update {self.device} --plan {self.plan}`"
        )


def plan_id(layout: str, block: CidrSet, allow: CidrSet, now: float) -> str:
    """
    The ID of the plan that brings what *layout* is a digest of to *block* and *allow*: made at *now*, good for a day.
    """
    return f"{max(0, int(now)):08x}-{_digest(layout, block, allow)}"


def refuse_malformed(given: str) -> None:
    """Raise `PlanFaulty` where *given* cannot be the ID of any plan."""
    if _FORM.fullmatch(given.strip().lower()) is None:
        raise PlanFaulty(given)


def refuse_other_plan(device: str, given: str, made: str, now: float) -> None:
    """
    Raise where *given* is not the plan that was *made* now: `PlanFaulty`, `PlanOutdated`.
    """
    matched, present = _FORM.fullmatch(given.strip().lower()), _FORM.fullmatch(made)
    if matched is None or present is None:
        raise PlanFaulty(given)
    age = now - int(matched[1], 16)
    if not -KEPT_SECONDS <= age <= KEPT_SECONDS:
        raise PlanOutdated(device, made, "the plan is older than a day")
    if matched[2] != present[2]:
        raise PlanOutdated(device, made, "lists or groups have changed since the plan was printed")


def _digest(layout: str, block: CidrSet, allow: CidrSet) -> str:
    digest = hashlib.sha256(layout.encode())
    for goal in (block, allow):
        content = goal.entries.to_bytes()
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()[:24]
