"""
How all devices stand.
"""

from tscm.operations.arguments import Nothing
from tscm.operations.operation import Needs, Operation
from tscm.standing import Row

FLEET: Operation[Nothing, tuple[Row, ...]] = Operation(
    answer=tuple[Row, ...],
    name="fleet",
    verb="GET",
    path="/v1/fleet",
    args=Nothing,
    room="fleet",
    needs=Needs.MANAGER,
    noun="the state of the devices",
    long=True,
)
"""How each device stands, the worst first: standing, causes, ages, entries, backlogs."""
