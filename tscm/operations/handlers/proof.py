"""
The operation that proves a device's whole chain with an entry of its own.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol

from tscm.kinds.kind import Capability
from tscm.manager.node import Node, parts, updates
from tscm.model import OwnReader
from tscm.operations.arguments import Proven
from tscm.operations.bodies import RequestFaulty
from tscm.operations.call import Call
from tscm.operations.handlers.policies import asker_of, refuse_sealed
from tscm.operations.registry import handles
from tscm.operations.table import proof as table

if TYPE_CHECKING:
    from tscm.doctor.proof_links import Proven as ProvenChain
    from tscm.forward.service import ForwardService

WAIT_MOST_SECONDS = 600.0
"""The firewall's turn is held for so long: no update comes meanwhile."""
_PORT = 80
_KNOCK_SECONDS = 20.0


@handles(table.TEST)
async def prove(node: Node, args: Proven, call: Call) -> "ProvenChain":
    """Block, follow, take away."""
    from tscm.doctor.proof import Proof, Target

    if not 0 <= args.wait_seconds <= WAIT_MOST_SECONDS:
        raise RequestFaulty(
            f"wait_seconds is {args.wait_seconds:g}; allowed: 0 to {WAIT_MOST_SECONDS:.0f}"
        )
    refuse_sealed(node, args.name, Capability.TEST)
    manager, name = parts(node), args.name
    device = manager.devices[name]
    proof = Proof(
        name=name,
        database=node.layout.database,
        clock=node.clock,
        threads=node.slow,  # type: ignore[arg-type]
        log=manager.spool.reader(name, OwnReader.EVENTS),
        targets={
            reader: Target(
                name=str(one.target),
                answers=one.target.protocol != "UDP",
                reader=manager.spool.reader(name, reader),
                fault=partial(_fault, one),
            )
            for reader, one in device.forward.items()
        },
        events_fault=lambda: manager.events.figures(name).fault,
        expect=lambda entry: manager.events.expect_test(name, entry),
        wait_seconds=args.wait_seconds,
        knock=(lambda address: _knock(node.clock, address)) if args.send else None,
    )
    found: ProvenChain = await updates(node).proofs.hold(
        name, lambda hold: proof.run(hold, call.report), asker_of(call, table.TEST)
    )
    call.noted["entry"] = found.entry
    return found


def _fault(one: "ForwardService") -> str | None:
    """Why a target is not sent to at present."""
    figures = one.figures()
    return figures.last_error if figures.failures else None


class _Silent(Protocol):
    """A connection that should not have been accepted."""

    def connectionMade(self) -> None:
        """Nothing is sent to the peer."""
        assert self.transport is not None
        self.transport.loseConnection()


def _knock(reactor: Any, address: str) -> Deferred[object]:
    """A TCP connection to *address*, which no host answers: a firewall on the way sees its first packets."""
    place = HostnameEndpoint(reactor, address, _PORT, timeout=_KNOCK_SECONDS)
    return place.connect(Factory.forProtocol(_Silent)).addBoth(lambda _: None)
