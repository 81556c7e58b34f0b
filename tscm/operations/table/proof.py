"""
The test of the chain.
"""

from tscm.doctor.proof_links import Proven as ProvenChain
from tscm.operations.arguments import Proven
from tscm.operations.operation import Needs, Operation

TEST: Operation[Proven, ProvenChain] = Operation(
    answer=ProvenChain,
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
"""Block an address that no host uses, follow it through the chain, and take it away: `{proven, links, …}`."""
