"""
Operations on the manager itself.
"""

from tscm.ledger.figures import Balance
from tscm.operations.answers import ModuleVersion
from tscm.operations.arguments import Balanced, Nothing
from tscm.operations.operation import Needs, Operation
from tscm.state import ManagerState

STATUS: Operation[Nothing, ManagerState] = Operation(
    answer=ManagerState,
    name="status",
    room="manager",
    verb="GET",
    path="/v1/status",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the state of the manager",
)
"""Version, process, listeners and intake figures of the manager."""

VERSIONS: Operation[Nothing, tuple[ModuleVersion, ...]] = Operation(
    answer=tuple[ModuleVersion, ...],
    name="versions",
    room="manager",
    verb="GET",
    path="/v1/versions",
    args=Nothing,
    needs=Needs.FILES,
    noun="the list of versions",
)
"""Modules and their versions."""

LEDGER: Operation[Balanced, Balance] = Operation(
    answer=Balance,
    name="ledger",
    room="manager",
    verb="GET",
    path="/v1/ledger",
    args=Balanced,
    needs=Needs.MANAGER,
    noun="the ledger",
)
"""The balance of one device or of all."""
