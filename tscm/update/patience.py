"""
What a run does after a fault of the device: try again, after how long, or give up.

Pure.  Trying again at once makes an overloaded agent worse (docs/develop/asa.md, section 4), so pauses grow; what
only asks for a new look costs no pause the first time.
"""

from collections.abc import Callable

from tscm.errors import DeviceFault
from tscm.kinds.faults import InterfaceAbsent, Refused, SessionLost, Unreachable
from tscm.update.job import MAX_FAILURES
from tscm.update.outcome import RetryDelay

_SETTLE_SECONDS = 5.0
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


class ReadBackDiffers(DeviceFault):
    """
    After a push without a fault the device does not hold what was sent.
    """


def is_retryable(fault: DeviceFault, *, reached: bool, had_agent: bool) -> bool:
    """
    Can the same run succeed after *fault*?

    A device that cannot be reached at all is left for the next run, unless it was *reached* in this
    one: then it may be starting its agent again, or itself.  So may one that *had_agent* before.
    """
    if isinstance(fault, Unreachable):
        return reached
    if isinstance(fault, InterfaceAbsent):
        return reached or had_agent
    return fault.retry


def retry_delay(
    fault: DeviceFault, count: int, pause_before: Callable[[int], float]
) -> RetryDelay | None:
    """
    How long to leave the device alone after *count* faults; None at the last one.
    """
    if count >= MAX_FAILURES:
        return None
    seconds = pause_before(count)
    if count == 1 and isinstance(fault, Refused | SessionLost):
        seconds = 0.0
    elif count == 1 and isinstance(fault, ReadBackDiffers):
        seconds = min(seconds, _SETTLE_SECONDS)  # a write may have been taken, and be done later
    return RetryDelay(seconds=seconds, reason=f"{_ORDINALS[count - 1]} failure: {fault.cause}")


def quick_retry_delay(fault: DeviceFault, count: int) -> RetryDelay | None:
    """
    The same of a run for which a user waits who wants to know where it failed.

    Only what asks for a new look is tried again, and at once; an agent that fails is left for a later run.
    """
    if count >= MAX_FAILURES or not isinstance(fault, Refused | SessionLost | ReadBackDiffers):
        return None
    seconds = _SETTLE_SECONDS if isinstance(fault, ReadBackDiffers) else 0.0
    return RetryDelay(seconds=seconds, reason=f"{_ORDINALS[count - 1]} failure: {fault.cause}")


def stopped(fault: DeviceFault, remedy: str = "") -> DeviceFault:
    """The last fault as the operator is told of it, with the *remedy* that is known beyond its own."""
    return DeviceFault(
        fault.device,
        f"stopped at the {_ORDINALS[MAX_FAILURES - 1]} failure: {fault.cause}",
        remedy or fault.remedy,
    )
