"""
Operations on unknown senders.
"""

from tscm.devices.answers import Changed
from tscm.intake.sender_figures import StrangerFigures
from tscm.operations.arguments import Adoption, Nothing
from tscm.operations.operation import Needs, Operation

SENDERS: Operation[Nothing, tuple[StrangerFigures, ...]] = Operation(
    answer=tuple[StrangerFigures, ...],
    name="senders",
    room="senders",
    verb="GET",
    path="/v1/senders",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of unknown senders",
)
"""Unknown senders."""

ADOPT: Operation[Adoption, Changed] = Operation(
    answer=Changed,
    name="adopt",
    room="senders",
    verb="POST",
    path="/v1/senders/<address>/adopt",
    args=Adoption,
    needs=Needs.FILES,
    noun="adopting a sender",
    long=True,
    changes=True,
)
"""Take an unknown sender in as an additional source of a device."""
