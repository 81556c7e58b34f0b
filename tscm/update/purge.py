"""
What a purge took off a device, and what stays there: `tsadmin remove NAME --purge`.
"""

import attrs
from attrs import frozen

from tscm.plural import many
from tscm.risks import RiskFound
from tscm.store.generations import Generation
from tscm.update.answers import Obstacle, Purged
from tscm.update.figures import PlanFigures, Result
from tscm.update.outcome import UpdateOutcome

LINES_SHOWN = 20


@frozen(kw_only=True)
class PurgeOutcome:
    """
    What was taken off, and what stands in the way of the rest.
    """

    device: str
    deleted: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]
    saved: bool
    done: str = ""
    """What was done, where it was no deletion of groups."""
    not_saved: str = ""
    """Why what was done would be undone by a reload."""
    left: Generation | None = attrs.field(default=None, repr=False)
    """What is in force from now on, where that is less than before; for the store, not in the answer."""
    accepted: tuple[RiskFound, ...] = ()
    """What was found and accepted; for the history, not in the answer."""

    @property
    def complete(self) -> bool:
        """Is nothing of ours left?"""
        return not self.obstacles

    def told(self) -> Purged:
        """As it is answered."""
        return Purged(
            device=self.device,
            deleted=self.deleted,
            obstacles=self.obstacles,
            saved=self.saved,
            not_saved=self.not_saved,
            complete=self.complete,
            sentence=self.sentence(),
        )

    def outcome(self, started_at: float, finished_at: float) -> UpdateOutcome:
        """As it stands among the updates."""
        return UpdateOutcome(
            device=self.device,
            started_at=started_at,
            finished_at=finished_at,
            result=Result.PURGED,
            act=self.sentence(),
            plan=PlanFigures(groups_deleted=self.deleted),
            notes=tuple(f"{one} not deleted: {one.cause}" for one in self.obstacles[:LINES_SHOWN]),
            saved=self.saved,
            forced=bool(self.accepted),
            accepted=tuple(str(one.risk) for one in self.accepted),
            risks=self.accepted,
        )

    def sentence(self) -> str:
        """One line for the operator."""
        groups = many(len(self.deleted), "group was", "groups were")
        done = self.done or f"{groups} removed from {self.device}"
        if self.not_saved:
            done += (
                f", but a reload would undo this: {self.not_saved}; enter `write memory` on "
                "the device"
            )
        if self.complete:
            return done
        return f"{done}; not deleted: {', '.join(map(str, self.obstacles))}"
