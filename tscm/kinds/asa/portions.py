"""
Steps in portions that one request carries.

Pure.  A large step is split, neighbouring small ones are joined; their order stays, so that
whatever holds after each step of a plan holds after each portion too.
"""

from collections.abc import Iterator, Sequence

from attrs import evolve

from tscm.kinds.asa.driver import (
    AddMembers,
    AttachChildren,
    CreateGroup,
    DeleteGroup,
    RemoveMembers,
    Step,
)

MAX_JOINED = 100
"""Steps in one bulk request; the agent takes 1,000 entries since 1.2.2.200 (docs/develop/asa.md, section 3)."""


def weight(step: Step) -> int:
    """How many members a step carries; one without members counts as one."""
    if isinstance(step, CreateGroup):
        return max(1, len(step.members) + len(step.children))
    if isinstance(step, AddMembers | RemoveMembers):
        return max(1, len(step.members))
    if isinstance(step, AttachChildren):
        return max(1, len(step.children))
    return 1


def split(step: Step, batch: int) -> Iterator[Step]:
    """*step* in pieces of at most *batch* members or children."""
    if isinstance(step, AttachChildren):
        for start in range(0, len(step.children), batch):
            yield evolve(step, children=step.children[start : start + batch])
        return
    if not isinstance(step, CreateGroup | AddMembers | RemoveMembers):
        yield step
        return
    members = step.members
    yield evolve(step, members=members[:batch])
    for start in range(batch, len(members), batch):
        piece = members[start : start + batch]
        if isinstance(step, RemoveMembers):
            yield RemoveMembers(group=step.group, members=piece)
        else:
            yield AddMembers(group=step.group, members=piece)


def portions(steps: Sequence[Step], batch: int, *, join: bool) -> list[tuple[Step, ...]]:
    """
    What goes out together: at most *batch* members and `MAX_JOINED` steps at a time.

    A deletion goes alone: the device may refuse it for reasons that cannot be seen, and that must
    not take other steps with it.
    """
    made: list[tuple[Step, ...]] = []
    waiting: list[Step] = []
    load = 0
    for step in (piece for whole in steps for piece in split(whole, batch)):
        heavy = weight(step)
        before = waiting[-1] if waiting else None
        alone = not join or isinstance(step, DeleteGroup) or isinstance(before, DeleteGroup)
        if waiting and (alone or load + heavy > batch or len(waiting) >= MAX_JOINED):
            made.append(tuple(waiting))
            waiting, load = [], 0
        waiting.append(step)
        load += heavy
    if waiting:
        made.append(tuple(waiting))
    return made
