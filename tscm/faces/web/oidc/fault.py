"""
Why a login by the provider did not come about.
"""

from attrs import define

from tscm.errors import TscmError


@define(eq=False)
class OidcFault(TscmError):
    """
    The provider is away, its answer is wrong, or it says no; *is_denied* where trying again helps nothing.
    """

    cause: str
    is_denied: bool = False

    def __str__(self) -> str:
        return self.cause


@define(eq=False)
class OidcUnusable(TscmError):
    """
    The settings of the provider cannot be used.
    """

    exit_status = 2

    cause: str

    def __str__(self) -> str:
        return self.cause
