"""
What a refused step teaches about the device, so that the next plan does without it.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from attrs import define, field

from tscm.errors import DeviceFault
from tscm.kinds.asa.faults import StepRefused
from tscm.kinds.asa.groups import place_of
from tscm.kinds.asa.portions import weight
from tscm.model import (
    AddMembers,
    AsaDriver,
    AttachChildren,
    CreateGroup,
    DetachChild,
    Group,
    RemoveMembers,
    Step,
)
from tscm.printable import quoted

LEAST_LIMIT = 25
"""No device was heard of that bears less."""
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


def _believable(limit: int | None) -> int | None:
    """A limit that was kept, unless the database lies."""
    return limit if limit is not None and limit >= LEAST_LIMIT else None


@define(eq=False)
class Lessons:
    """
    Of one run: *taken* are names of our form that no group of ours can have, with what has them;
    *limit* is how many members the device takes in a group, where less than is *wished*.

    No bound on members is documented.  It is the cause when a group takes no more although a request of
    that size was good before; then what the group holds is the limit.
    """

    device: str
    prefix: str
    wished: int
    limit: int | None = field(converter=_believable)
    taken: dict[str, str] = field(factory=dict, init=False)
    full_parent: str | None = field(default=None, init=False)
    """A parent that takes no more children."""
    _held: dict[str, int] = field(factory=dict, init=False)
    """Members and children of each group."""
    _good: int = field(default=0, init=False)
    """The largest step that was good."""

    @property
    def size(self) -> int:
        """Members in a child at most."""
        return self.wished if self.limit is None else min(self.limit, self.wished)

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
        if len(portion) > 1 or not isinstance(step, AddMembers | AttachChildren):
            return
        if not isinstance(fault, StepRefused) or not fault.may_be_size:
            return
        held = self._held.get(step.group, 0)
        if held < LEAST_LIMIT or weight(step) > self._good:
            return
        if isinstance(step, AttachChildren):
            self.full_parent = step.group
        else:
            self.limit = min(held, self.size)

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
                    f"the group {name} cannot be made, because another object has its name: "
                    f"`{quoted(self.taken[name])}`",
                    "rename or delete that object, or give the device another --prefix",
                )

    @property
    def notes(self) -> Sequence[str]:
        """A sentence for each name of a child that was left out, and one for the limit."""
        full = [self.remedy] if self.remedy else []
        return full + [
            f"the name {name} is left out, because another object has it: `{quoted(line)}`"
            for name, line in self.taken.items()
            if (place := place_of(self.prefix, name)) is not None and place.number
        ]

    @property
    def remedy(self) -> str:
        """What to set where groups take less than the settings say; else empty."""
        if self.full_parent is not None:
            return (
                f"the device takes no more than {self._held[self.full_parent]:,} children in "
                f"{self.full_parent}; raise the Object-Group Size, which is {self.wished:,}, or lower the "
                f"Max policy size (`tsadmin configure {self.device}`)"
            )
        if self.size == self.wished:
            return ""
        return (
            f"the device takes no more than {self.size:,} members in a group, and the Object-Group Size is "
            f"{self.wished:,}; `tsadmin configure {self.device} --object_group_size {self.size}`"
        )
