"""
Portions carried out on an ASA, where a group that it does not delete stops nothing: it does no harm.

Something of others uses it, or the device answers 500 to that (docs/develop/asa.md, section 2).
"""

from collections.abc import Sequence

from attrs import define, field, frozen

from tscm.errors import DeviceFault
from tscm.kinds.asa.driver import AsaDriver, DeleteGroup, Step
from tscm.kinds.asa.refusals import Lessons
from tscm.kinds.faults import Overloaded, Refused
from tscm.update.patience import ReadBackDiffers


@frozen
class Left:
    """A *group* that is left on the device, and why."""

    group: str
    fault: DeviceFault

    def __str__(self) -> str:
        return (
            f"{self.group} is no longer used but could not be deleted: {self.fault.cause}; check "
            "what else uses it; it does no harm"
        )


@define(eq=False)
class Deletions:
    """
    Of one run: which groups a deletion was asked for in vain.
    """

    _device: str
    _in_vain: set[str] = field(factory=set, init=False)

    def apply(self, driver: AsaDriver, portion: Sequence[Step], lessons: Lessons) -> Left | None:
        """
        Carry out one portion; the group that is left where it was to be deleted and cannot be.

        What a refusal teaches goes into *lessons*.  Raises `DeviceFault`.
        """
        doomed = portion[0].group if isinstance(portion[0], DeleteGroup) else None
        try:
            driver.apply_all(portion)
        except Refused as refused:
            if doomed is None:
                lessons.learn(driver, portion, refused)
                raise
            return Left(doomed, refused)
        except Overloaded as failed:
            if doomed is None:
                if failed.told:
                    lessons.learn(driver, portion, failed)
                raise
            if doomed not in self._in_vain:
                self._in_vain.add(doomed)
                raise
            return Left(doomed, failed)
        return None

    def undone(self, steps: Sequence[Step]) -> Sequence[Left]:
        """
        Groups that are left where *steps* remained after a push: those of which a deletion was taken twice and not done.

        Raises `ReadBackDiffers` where anything else remained.
        """
        if not steps:
            return ()
        fault = ReadBackDiffers(
            self._device,
            f"it does not match what was sent; steps remaining: {len(steps):,}",
            "check whether another user changes the same groups",
            retry=True,
        )
        doomed = {one.group for one in steps if isinstance(one, DeleteGroup)}
        if len(doomed) < len(steps) or not doomed <= self._in_vain:
            self._in_vain |= doomed
            raise fault
        return [Left(group, fault) for group in sorted(doomed)]
