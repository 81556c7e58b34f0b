"""
Why a setting of the appliance is refused.
"""

from attrs import define

from tscm.errors import TscmError


@define(eq=False)
class NotPossible(TscmError):
    """
    What was asked for cannot be; the sentence says why, and what can.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause
