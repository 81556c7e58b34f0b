"""
Why the simulated firewall does not do as it is told.
"""

from enum import StrEnum

from attrs import define, field

from tscm.errors import TscmError

INVALID = "ERROR: % Invalid input detected at '^' marker."
INCOMPLETE = "ERROR: % Incomplete command"
AMBIGUOUS = "ERROR: % Ambiguous command:"


class Cause(StrEnum):
    """
    What was wrong; the REST agent turns it into a status, the command line into text.
    """

    ABSENT = "absent"
    UNKNOWN_REFERENCE = "unknown reference"
    DUPLICATE = "duplicate"
    OTHER_TYPE = "other type"
    BAD_NAME = "bad name"
    BAD_MEMBER = "bad member"
    MEMBER_PRESENT = "member present"
    MEMBER_ABSENT = "member absent"
    IN_USE = "in use"
    WOULD_EMPTY = "would become empty"
    EMPTY = "empty"
    LOOP = "loop"
    TOO_DEEP = "too deep"
    TOO_MANY = "too many"
    READ_ONLY = "read only"
    SYNTAX = "syntax"


@define(eq=False)
class Refused(TscmError):
    """
    The configuration stays as it is; *text* is what the ASA's command line would print.

    *at* is the place of the word that is not understood, from 0; the caret stands under it.
    """

    cause: Cause
    text: str
    at: int = field(kw_only=True, default=1)

    def __str__(self) -> str:
        return self.text


@define(eq=False)
class SimulatorUnavailable(TscmError):
    """
    An address of the simulator cannot be bound, or one of its options cannot be used.
    """

    exit_status = 4

    what: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.cause}; {self.remedy}"
