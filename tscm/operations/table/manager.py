"""
Operations on the manager itself.
"""

from tscm.model import Json
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.operation import Needs, Operation

STATUS: Operation[Nothing, Json] = Operation(
    name="status",
    room="manager",
    verb="GET",
    path="/v1/status",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the state of the manager",
)
"""Version, process, listeners and intake figures of the manager."""

VERSIONS: Operation[Nothing, list[Json]] = Operation(
    name="versions",
    room="manager",
    verb="GET",
    path="/v1/versions",
    args=Nothing,
    needs=Needs.FILES,
    noun="the list of versions",
)
"""Modules and their versions."""

LEDGER: Operation[Balanced, Json] = Operation(
    name="ledger",
    room="manager",
    verb="GET",
    path="/v1/ledger",
    args=Balanced,
    needs=Needs.MANAGER,
    noun="the ledger",
)
"""The balance of one device or of all."""
