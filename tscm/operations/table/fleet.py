"""
How all devices stand.
"""

from tscm.model import Json
from tscm.operations.arguments import Nothing
from tscm.operations.operation import Needs, Operation

FLEET: Operation[Nothing, list[Json]] = Operation(
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
