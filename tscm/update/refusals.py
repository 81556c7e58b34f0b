"""
What a refused step teaches about the device, so that the next plan does without it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress

from attrs import define, field

from tscm.errors import DeviceFault
from tscm.model import AsaDriver, CreateGroup, Step
from tscm.policy.groups import place_of
from tscm.printable import quoted

_DEFINED = re.compile(r"(?m)^(object(?:-group)? (\S+) (\S+))")


class NameTaken(DeviceFault):
    """
    Something else on the device has the name that a parent must have.
    """


def taken_names(running_config: str, prefix: str) -> dict[str, str]:
    """
    Names of our form that something else than a network group has, each with the line that defines it.

    Objects and object-groups of all types share one namespace (docs/asa.md, section 2).
    """
    return {
        name: line
        for line, kind, name in _DEFINED.findall(running_config)
        if (kind != "network" or line.startswith("object ")) and place_of(prefix, name) is not None
    }


@define(eq=False)
class Lessons:
    """
    Of one run: *taken* are names of our form that no group of ours can have, with what has them.
    """

    device: str
    prefix: str
    taken: dict[str, str] = field(factory=dict, init=False)

    def learn(self, driver: AsaDriver, portion: Sequence[Step]) -> None:
        """
        Look whether *portion* was refused because a name is taken.  Raises `NameTaken` for a parent's.
        """
        made = [step.group for step in portion if isinstance(step, CreateGroup)]
        if not made:
            return
        with suppress(DeviceFault):  # the refusal itself is what is told
            self.taken.update(taken_names(driver.running_config(), self.prefix))
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
        """A sentence for each name that was left out."""
        return [
            f"the name {name} is left out, because another object has it: `{quoted(line)}`"
            for name, line in self.taken.items()
        ]
