"""
Operations on what was counted: reports and recounts.
"""

from tscm.base.clock import wall_seconds
from tscm.events.report import ask, read_question
from tscm.manager.node import Node, parts
from tscm.model import Json
from tscm.operations.arguments import Asked, Device
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.table import events as table


@handles(table.REPORT)
async def report(node: Node, args: Asked, call: Call) -> Json:
    """What the lists did on a device; without a manager what was counted before it stopped."""
    del call
    refuse_unknown(node, args.name)
    _refuse_without_store(node)
    question = read_question(args.name, args.options, wall_seconds(node.clock))
    answer = await node.slow.run(ask, node.layout.database, question)
    found: Json = answer.as_json()
    return found


@handles(table.REBUILD_EVENTS)
async def rebuild(node: Node, args: Device, call: Call) -> Json:
    """Recount from the log that is still on disk."""
    refuse_unknown(node, args.name)
    _refuse_without_store(node)
    return await parts(node).events.rebuild(args.name, call.report)


def _refuse_without_store(node: Node) -> None:
    if node.store.fault is not None:
        raise node.store.fault.with_traceback(None)
