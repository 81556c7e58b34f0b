"""
A generation of a policy that is not kept.  Light: `tsadmin` says it too.
"""

from attrs import define

from tscm.errors import TscmError


@define(eq=False)
class GenerationUnknown(TscmError):
    """
    There is no such generation of a device's policy.
    """

    absent = True

    device: str
    number: int

    def __str__(self) -> str:
        return (
            f"generation {self.number} of {self.device} is not stored; list the stored "
            f"ones with `tsadmin policy history {self.device}`"
        )
