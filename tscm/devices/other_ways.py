"""
Another way to a device that does not answer in the one that was chosen.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tscm.errors import DeviceFault
from tscm.kinds.faults import InterfaceAbsent, Overloaded, Unreachable
from tscm.kinds.kind import kind_of, kinds, loaded
from tscm.settings.device import DeviceSettings

NOT_THIS_WAY = (Unreachable, InterfaceAbsent, Overloaded)
"""Faults for which another way may be open; with a wrong password none is."""

OtherWays = Callable[[DeviceSettings], Sequence[str]]


def other_ways(settings: DeviceSettings) -> Sequence[str]:
    """Types by which the device answers too, of those that change it in the same manner.  Blocking, for seconds."""
    own = kind_of(settings)
    asked = [one for one in kinds() if one.answers and one.enforcer == own.enforcer and one != own]
    if not asked:
        return ()
    with ThreadPoolExecutor(len(asked)) as pool:
        found = pool.map(lambda one: loaded(one.answers)(settings), asked)
        return [one.type for one, answers in zip(asked, found, strict=True) if answers]


def with_other_ways(
    fault: DeviceFault, settings: DeviceSettings, ways: OtherWays = other_ways
) -> DeviceFault:
    """*fault*, with the ways that are open in its remedy where it may be the way that is closed."""
    if not isinstance(fault, NOT_THIS_WAY):
        return fault
    names = {one.type: one.way for one in kinds()}
    found = [one for one in ways(settings) if one in names]
    if found:
        said = " and ".join(names[one] for one in found)
        verb = "answers" if len(found) == 1 else "answer"
        types = " or ".join(f"`--type {one}`" for one in found)
        told = f"{said} {verb} at {settings.device}: {types}"
        fault.remedy = f"{fault.remedy}; {told}" if fault.remedy else told
    return fault
