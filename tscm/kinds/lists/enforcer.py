"""
The enforcer of a firewall that pulls: the goal is rendered and published, and read back.

No device is reached, so there is nothing to wait for: what can go wrong is the disk of this host.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from attrs import define, evolve, field, frozen

from tscm.errors import DeviceFault, PolicyRefused
from tscm.kinds.faults import Overloaded
from tscm.kinds.lists.consumers import consumer_of
from tscm.kinds.lists.render import Lists, networks_of
from tscm.model import Progress, Report
from tscm.plural import many
from tscm.policy.cidr import CidrSet
from tscm.services.publication import (
    PLAIN_ALLOW,
    PLAIN_BLOCK,
    Body,
    Publication,
    PublicationDamaged,
    publish,
    read_body,
    read_publication,
)
from tscm.settings.pulled import PullSettings, pulling
from tscm.update.enforcer import Brought, Enforcer
from tscm.update.figures import Edits, PlanDiff, PlanFigures
from tscm.update.goal import Goal
from tscm.update.job import UpdateJob


@frozen(kw_only=True, eq=False)
class Present:
    """
    What is published: both lists as consumers read them, and *fault*, why that cannot be told.
    """

    publication: Publication | None = None
    block: CidrSet = field(factory=CidrSet)
    allow: CidrSet = field(factory=CidrSet)
    fault: str = ""

    @property
    def layout(self) -> str:
        """One text for all that is published."""
        digests = {} if self.publication is None else self.publication.digests
        told = "\n".join(f"{name} {digests[name]}" for name in sorted(digests))
        return hashlib.sha256(told.encode()).hexdigest()


def read_present(folder: Path) -> Present:
    """What is published in *folder*.  Blocks."""
    try:
        found = read_publication(folder)
        if found is None:
            return Present()
        for one in found.files.values():  # a file that is damaged is published again
            read_body(folder, one)
            read_body(folder, one, zipped=True)
        block, allow = (
            networks_of(read_body(folder, found.files[name])) for name in (PLAIN_BLOCK, PLAIN_ALLOW)
        )
    except (PublicationDamaged, OSError, ValueError, KeyError) as error:
        return Present(fault=str(error))
    return Present(publication=found, block=block, allow=allow)


def rendered(settings: PullSettings, block: CidrSet, allow: CidrSet) -> Mapping[str, Body]:
    """
    What is served for *block* and *allow*.  Raises `PolicyRefused` where it is over what the consumer reads.

    Taking the allow list out of the block list can make more networks of it than were cut for.
    """
    consumer = consumer_of(settings)
    lists = Lists.of(block, allow, settings.object_prefix, settings.pull_minutes)
    bodies = consumer.render(lists)
    most = settings.max_policy_size
    count, name = max((bodies[one].entries, one) for one in settings.BLOCK_FILES)
    if count > most:
        raise PolicyRefused(
            settings.name,
            [
                f"{name} would have {many(count, 'entry', 'entries')} without what the allow list covers, over the "
                f"{most:,} of Max Policy Size; allow larger networks, or lower Max Policy Size by {count - most:,} so that "
                f"more is cut, if {consumer.title} takes no more"
            ],
        )
    return bodies


def folder_of(job: UpdateJob) -> Path:
    """Where the lists of the device are published.  Raises `DeviceFault` where nothing can be."""
    if job.published is None:
        raise DeviceFault(job.settings.name, "there is no folder to publish its lists in")
    return job.published / job.settings.name


def next_generation(job: UpdateJob, goal: Goal) -> int:
    """The number that the store gives to *goal*: the newest one where that holds the same."""
    if job.applied is None:
        return 1
    return job.applied.number if goal.matches_stored(job.applied) else job.applied.number + 1


@define(eq=False)
class ListEnforcer(Enforcer):
    """
    Publishes, for whatever consumer.
    """

    _figures: PlanFigures | None = field(default=None, init=False)

    @property
    def figures(self) -> PlanFigures | None:
        """Of the first attempt; later ones find less to do."""
        return self._figures

    def given_up(self, fault: DeviceFault) -> DeviceFault:
        """As it is: there is no device whose state would explain it."""
        return fault

    def bring(self, goal: Goal, report: Report) -> Brought:
        """Render, compare with what is published, publish, read back."""
        self.go_on()
        settings, folder = pulling(self.job.settings), folder_of(self.job)
        report(Progress(phase="plan", text="comparing with the published lists"))
        self.reached = True
        present = read_present(folder)
        bodies = rendered(settings, goal.block, goal.allow)
        wanted = Present(
            block=goal.block.difference(goal.allow), allow=goal.allow
        )  # as `Lists.of` has it
        self.bind(present.layout, goal)
        if present.fault and not self.wrote:
            self.notes[f"the published lists were damaged: {present.fault}"] = None
        for name, body in bodies.items():
            if body.left_out:
                left = many(body.left_out, "network", "networks")
                self.notes[
                    f"{name} does not hold {left} of IPv6, which its form cannot express"
                ] = None
        changes = _differ(present, bodies)
        if self._figures is None:
            self._figures = _figures(present, wanted, changes=changes)
        if self.dry:
            return Brought(diff=_diff(present, wanted))
        self._publish(folder, bodies, goal, report, changes=changes)
        return Brought(saved=True)

    def _publish(
        self,
        folder: Path,
        bodies: Mapping[str, Body],
        goal: Goal,
        report: Report,
        *,
        changes: bool,
    ) -> None:
        generation, name = next_generation(self.job, goal), self.job.settings.name
        self.go_on()
        if changes:
            self.wrote = True
            report(Progress(phase="push", text="publishing the lists"))
        try:
            before = read_publication(folder) if not changes else None
            if before is None or before.generation != generation or before.purged:
                publish(folder, bodies, generation=generation, now=self.job.now())
            if changes:
                report(Progress(phase="read back", text="reading the published lists"))
        except (OSError, PublicationDamaged) as error:
            raise Overloaded(
                name,
                f"its lists cannot be published: {error}",
                "check the disk of this host and the owner of the folder",
                told=True,
            ) from None
        after = read_present(folder)
        if after.fault or _differ(after, bodies):
            raise Overloaded(
                name,
                f"its published lists differ from what was written: {after.fault or 'they differ'}",
                "check the disk of this host",
            )
        self.memory = evolve(self.memory, layout=after.layout, test_entry=None)


def _differ(present: Present, bodies: Mapping[str, Body]) -> bool:
    """Is something else published than *bodies*?"""
    if present.publication is None:
        return True
    wanted = {name: hashlib.sha256(one.content).hexdigest() for name, one in bodies.items()}
    return dict(present.publication.digests) != wanted


def _figures(present: Present, wanted: Present, *, changes: bool) -> PlanFigures:
    added = removed = 0
    texts = []
    for kind, before, after in (
        ("block", present.block, wanted.block),
        ("allow", present.allow, wanted.allow),
    ):
        come, go = _difference(before, after)
        added, removed = added + len(come), removed + len(go)
        texts.append(f"{kind} +{len(come):,} -{len(go):,}")
    said = ", ".join(texts)
    return PlanFigures(
        steps=int(changes),
        requests=0,
        added=added,
        removed=removed,
        summary=f"{said}; the lists are published" if changes else f"nothing to change: {said}",
    )


def _difference(before: CidrSet, after: CidrSet) -> tuple[list[str], list[str]]:
    """Networks that come, and that go, in their order."""
    old, new = set(before.cidrs()), set(after.cidrs())
    return (
        [one for one in after.cidrs() if one not in old],
        [one for one in before.cidrs() if one not in new],
    )


def _diff(present: Present, wanted: Present) -> PlanDiff:
    block, allow = (
        Edits(added=tuple(come), removed=tuple(go))
        for come, go in (
            _difference(present.block, wanted.block),
            _difference(present.allow, wanted.allow),
        )
    )
    return PlanDiff(block=block, allow=allow)
