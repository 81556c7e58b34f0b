"""
The test of the chain.
"""

from tscm.model import Json
from tscm.operations.arguments import Proven
from tscm.operations.operation import Needs, Operation

TEST: Operation[Proven, Json] = Operation(
    name="test",
    room="proof",
    verb="POST",
    path="/v1/devices/<name>/test",
    args=Proven,
    needs=Needs.MANAGER,
    noun="a test of the chain",
    long=True,
    queues=True,
    changes=True,
)
"""Block an address of nobody's, follow it through the chain, and take it away: `{proven, links, …}`."""
