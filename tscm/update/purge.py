"""
Taking our groups off a device, as far as its access-lists let it: `tsadmin remove NAME --purge`.

Parents first, for nothing of ours may use what is deleted; a parent that an access-list uses stays with
all its children, and the lines that stand in the way are named.  Can be repeated.
"""

import re
from collections.abc import Mapping, Sequence

import attrs
from attrs import frozen

from tscm.kinds.asa.faults import Replicating
from tscm.kinds.asa.groups import KINDS, Present, parent_name
from tscm.kinds.faults import Overloaded, Refused, SaveFailed
from tscm.model import AsaDriver, DeleteGroup, Json, Progress, Report
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.policy.documentation import PLACEHOLDER
from tscm.risks import RiskFound
from tscm.store.generations import PURGED as PURGED_NOTE
from tscm.store.generations import Generation, pack
from tscm.update.certificate import accepted_certificate
from tscm.update.figures import PlanFigures, Result
from tscm.update.job import UpdateJob
from tscm.update.outcome import UpdateOutcome
from tscm.update.planning import find_owner

LINES_SHOWN = 20
_NOT_DONE = "the device accepted the deletion but did not perform it"


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
        done = f"{groups} removed from {self.device}"
        if self.not_saved:
            done += (
                f", but a reload would undo this: {self.not_saved}; enter `write memory` on "
                "the device"
            )
        if self.complete:
            return done
        return f"{done}; not deleted: {', '.join(map(str, self.obstacles))}"


def purge_device(job: UpdateJob, report: Report) -> PurgeOutcome:
    """
    Delete every group of ours that nothing else uses.  Blocking; raises `DeviceFault`.
    """
    settings = job.asa
    driver = job.opener(
        settings,
        job.node,
        job.memory.get("driver", {}),
        accept_certificate=job.consent.certificate,
    )
    try:
        report(Progress(phase="plan", text="reading the device's groups"))
        who = driver.identify()
        if who.replicating:
            raise Replicating(settings.name)
        groups = driver.read_groups(settings.prefix)
        owner, _ = find_owner(job, groups, () if who.serial is None else (who.serial,))
        certificate = accepted_certificate(job.memory, driver, job.consent)
        present = Present.of(settings.prefix, groups)
        deleted, obstacles = _delete(driver, present, report)
        if deleted:
            still = driver.read_groups(settings.prefix)
            obstacles |= {name: _NOT_DONE for name in deleted if name in still}
            deleted = [name for name in deleted if name not in still]
        children = {
            name: tuple(
                sorted((present.reached(name) & set(present.places)).difference(deleted, obstacles))
            )
            for name in obstacles
        }
        gone = bool(deleted) or not (obstacles or job.applied is None)
        to_save = bool(deleted) and job.node.policy.save_config
        not_saved = _save(driver, report) if to_save else ""
        return PurgeOutcome(
            device=settings.name,
            deleted=tuple(deleted),
            obstacles=tuple(_with_lines(driver, settings.prefix, obstacles, children)),
            saved=to_save and not not_saved,
            not_saved=not_saved,
            left=_left(job, present, deleted) if gone else None,
            accepted=tuple(one for one in (owner, certificate) if one is not None),
        )
    finally:
        driver.close()


def _left(job: UpdateJob, present: Present, deleted: Sequence[str]) -> Generation:
    """What is in force without the *deleted* groups."""
    groups = {name: one for name, one in present.groups.items() if name not in deleted}
    still = Present.of(present.prefix, groups)
    block, allow = (
        CidrSet.of_texts(one for one in still.in_force(kind) if one != PLACEHOLDER)
        for kind in KINDS
    )
    return Generation(
        applied_at=job.now(),
        note=PURGED_NOTE,
        block_entries=len(block),
        allow_entries=len(allow),
        block=pack(block.entries),
        allow=pack(allow.entries),
    )


def _save(driver: AsaDriver, report: Report) -> str:
    """Why the configuration is not saved; empty where it is."""
    report(Progress(phase="save", text="saving the device's configuration"))
    try:
        driver.save()
    except SaveFailed as fault:
        return fault.cause
    return ""


def _delete(
    driver: AsaDriver, present: Present, report: Report
) -> tuple[list[str], dict[str, str]]:
    deleted: list[str] = []
    obstacles: dict[str, str] = {}
    order = deletion_order(present)
    total = len(order)
    for number, name in enumerate(order):
        report(Progress(phase="push", text=f"deleting {name}", done=number, total=total))
        users = [user for user in present.users(name) if user not in deleted]
        if users:
            if not all(user in obstacles for user in users):
                obstacles[name] = f"it is nested in {', '.join(users)}"
            continue
        if present.strangers(present.groups[name]):
            obstacles[name] = "it contains members not managed by tscm"
            continue
        try:
            driver.apply(DeleteGroup(group=name))
        except Refused as refused:
            obstacles[name] = refused.cause
        except Overloaded as failed:
            driver.probe()  # an agent that answers has only said no: some do so with 500
            obstacles[name] = failed.cause
        else:
            deleted.append(name)
    if order:
        report(Progress(phase="push", text="all groups tried", done=total, total=total))
    return deleted, obstacles


def deletion_order(present: Present) -> list[str]:
    """Our groups, each after all groups of the prefix that nest it."""
    parents = [parent_name(present.prefix, kind) for kind in KINDS]
    order: list[str] = []
    waiting = [name for name in (*parents, *sorted(present.places)) if name in present.groups]
    waiting = list(dict.fromkeys(waiting))
    while waiting:
        ready = [
            name
            for name in waiting
            if not any(user in waiting and user != name for user in present.users(name))
        ] or waiting  # a loop, which a device does not hold; then any order is as good
        order += ready
        waiting = [name for name in waiting if name not in ready]
    return order


def _with_lines(
    driver: AsaDriver,
    prefix: str,
    obstacles: Mapping[str, str],
    children: Mapping[str, tuple[str, ...]],
) -> Sequence[Obstacle]:
    if not obstacles:
        return ()
    text = driver.running_config(prefix).text
    return [
        Obstacle(
            group=name,
            cause=cause,
            lines=tuple(lines_using(text, name)),
            children=children[name],
        )
        for name, cause in obstacles.items()
    ]


def lines_using(running_config: str, group: str) -> list[str]:
    """Lines that use *group*: access-lists, and groups of others that nest it."""
    use = re.compile(rf"(?<![\w-])(?:object-group|group-object) {re.escape(group)}(?!\S)")
    found: list[str] = []
    inside = ""
    for line in running_config.splitlines():
        if not line.startswith(" "):
            inside = line
        if line.startswith("object-group "):
            continue  # where it is defined
        if use.search(line):
            found.append(f"{inside} / {line.strip()}" if line.startswith(" ") else line)
    return found[:LINES_SHOWN]
