"""
What a purge took off a device, and what stays there: `tsadmin remove NAME --purge`.
"""

import attrs
from attrs import frozen

from tscm.model import Json
from tscm.plural import many
from tscm.risks import RiskFound
from tscm.store.generations import Generation
from tscm.update.figures import PlanFigures, Result
from tscm.update.outcome import UpdateOutcome

LINES_SHOWN = 20


@frozen(kw_only=True)
class Obstacle:
    """
    A group that stays, why, and the lines of the configuration that use it.
    """

    group: str
    cause: str
    lines: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """Groups of ours that stay for no other cause than that it nests them."""

    def __str__(self) -> str:
        match self.children:
            case ():
                return self.group
            case (child,):
                return f"{self.group} and its child {child}"
        return f"{self.group} and its {len(self.children):,} children"


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
    """What is in force from now on, where that is less than before; for the store, not in the JSON."""
    accepted: tuple[RiskFound, ...] = ()
    """What was found and accepted; for the history, not in the JSON."""

    @property
    def complete(self) -> bool:
        """Is nothing of ours left?"""
        return not self.obstacles

    def to_json(self) -> Json:
        """For `--json`."""
        told = attrs.asdict(self, filter=lambda one, _: one.name not in {"left", "accepted"})
        return {**told, "complete": self.complete}

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
