"""
What the agent answers to a request that it does not follow.
"""

from tscm.simulator.http_values import Reply, message
from tscm.simulator.refusal import Cause, Refused
from tscm.simulator.switches import Switches


class BodyFaulty(ValueError):
    """The body is no JSON object of the expected form."""


def refused(switches: Switches, refusal: Refused) -> Reply:
    """The status and the code of a refusal; where no document names one, a switch does."""
    status, code = 400, switches.error_code
    match refusal.cause:
        case Cause.ABSENT:
            status, code = 404, "RESOURCE-NOT-FOUND"
        case Cause.DUPLICATE | Cause.OTHER_TYPE:
            status, code = switches.duplicate_status, "DUPLICATE"
        case Cause.IN_USE | Cause.WOULD_EMPTY:
            status = switches.in_use_status
        case Cause.MEMBER_PRESENT | Cause.MEMBER_ABSENT:
            status = switches.member_error_status
        case Cause.UNKNOWN_REFERENCE:
            status = switches.unknown_reference_status
        case Cause.READ_ONLY:
            code = "READ-ONLY-FIELD"
    return message(status, code, refusal.text)
