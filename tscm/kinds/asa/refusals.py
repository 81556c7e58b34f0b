"""
What a refused step teaches about the device, so that the next plan does without it.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from attrs import define, field

from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import (
    AddMembers,
    AsaDriver,
    AttachChildren,
    CreateGroup,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.kinds.asa.groups import place_of
from tscm.kinds.asa.portions import weight
from tscm.kinds.faults import Refused
from tscm.printable import quoted

LEAST_LIMIT = 25
"""No device was heard of that bears less."""
SMALL_STEP = 25
"""Members of a step that no agent refuses for its size."""
_DEFINED = re.compile(r"(?m)^(object(?:-group)? (\S+) (\S+))")


class NameTaken(DeviceFault):
    """
    Something else on the device has the name that a parent must have.
    """


def taken_names(running_config: str, prefix: str) -> dict[str, str]:
    """
    Names of our form that something else than a network group has, each with the line that defines it.

    Objects and object-groups of all types share one namespace (docs/develop/asa.md, section 2).
    """
    return {
        name: line
        for line, kind, name in _DEFINED.findall(running_config)
        if (kind != "network" or line.startswith("object ")) and place_of(prefix, name) is not None
    }


def believable(limit: int | None) -> int | None:
    """A limit of members a group that was kept, unless the database lies."""
    return limit if limit is not None and limit >= LEAST_LIMIT else None


@define(eq=False)
class Lessons:
    """
    Of one run: *taken* are names of our form that no group of ours can have, with what has them;
    *limit* is how many members the device takes in a group: addresses in a child, where less than is
    *wished*, or children in their parent.

    No bound on members is documented.  It is the cause when a group takes no more although a request of
    that size was good before, or is small; then what the group holds is the limit.  Where a group that holds hardly
    anything takes no more either, that was not the cause.  A request of several members tells a limit no more
    exactly than that it is below *ceiling*.
    """

    device: str
    prefix: str
    wished: int
    limit: int | None = field(converter=believable)
    ceiling: int | None = field(default=None, converter=believable)
    """What a group can hold at most, where *limit* is only what one was seen to hold."""
    taken: dict[str, str] = field(factory=dict, init=False)
    _before: tuple[int | None, int | None] = field(init=False)
    """What was known before this run."""
    _held: dict[str, int] = field(factory=dict, init=False)
    """Members and children of each group."""
    _good: int = field(default=0, init=False)
    """The largest step that was good."""

    def __attrs_post_init__(self) -> None:
        self._before = self.limit, self.ceiling

    def saw(self, groups: Mapping[str, Group]) -> None:
        """The device was read."""
        self._held = {
            name: len(group.members) + len(group.children) for name, group in groups.items()
        }

    def did(self, portion: Sequence[Step]) -> None:
        """*portion* was good."""
        for step in portion:
            held = self._held.get(step.group, 0)
            if isinstance(step, CreateGroup | AddMembers | AttachChildren):
                self._held[step.group] = held + weight(step)
                self._good = max(self._good, weight(step))
                if self.limit is not None:
                    self.limit = max(self.limit, self._held[step.group])
            elif isinstance(step, RemoveMembers | DetachChild):
                self._held[step.group] = held - weight(step)

    def learn(self, driver: AsaDriver, portion: Sequence[Step], fault: DeviceFault) -> None:
        """
        Look whether *portion* was refused because a name is taken, or a group is full.

        Raises `NameTaken` for a parent's name.
        """
        self._learn_limit(portion, fault)
        self._learn_names(driver, portion)

    def _learn_limit(self, portion: Sequence[Step], fault: DeviceFault) -> None:
        step = portion[0]
        if len(portion) > 1 or not isinstance(step, CreateGroup | AddMembers | AttachChildren):
            return
        if not isinstance(fault, Refused) or not fault.may_be_size:
            return
        if weight(step) > max(self._good, SMALL_STEP):
            return  # it may be the size of the request
        held = self._held.get(step.group, 0)
        if held < LEAST_LIMIT:
            self.limit, self.ceiling = self._before
            return
        self.limit = held if self.limit is None else min(held, self.limit)
        most = held + weight(step) - 1
        self.ceiling = most if self.ceiling is None else min(most, self.ceiling)

    def _learn_names(self, driver: AsaDriver, portion: Sequence[Step]) -> None:
        made = [step.group for step in portion if isinstance(step, CreateGroup)]
        if not made:
            return
        with suppress(DeviceFault):  # the refusal itself is what is told
            self.taken.update(taken_names(driver.running_config(self.prefix).text, self.prefix))
        if len(portion) > 1:
            return  # the next try goes step by step, and what stands before a parent gets done
        for name in made:
            place = place_of(self.prefix, name)
            if name in self.taken and place is not None and not place.number:
                raise NameTaken(
                    self.device,
                    f"cannot create group {name}, because another object has its name: "
                    f"`{quoted(self.taken[name])}`",
                    "rename or delete that object, or set another --prefix for the device",
                )

    @property
    def notes(self) -> Sequence[str]:
        """A sentence for each name of a child that was left out, and one for the limit."""
        full = [self.remedy] if self.remedy else []
        return full + [
            f"the name {name} is skipped, because another object has it: `{quoted(line)}`"
            for name, line in self.taken.items()
            if (place := place_of(self.prefix, name)) is not None and place.number
        ]

    @property
    def remedy(self) -> str:
        """What to set where children take less than the settings say; else empty."""
        if self.limit is None or self.limit >= self.wished:
            return ""
        return (
            f"the device accepts at most {self.limit:,} members in a group, but the "
            f"Object-Group Size is {self.wished:,}; `tsadmin configure "
            f"{self.device} --object_group_size {self.limit}`"
        )
