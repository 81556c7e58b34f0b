"""
Operations on what was counted: reports and recounts.
"""

from attrs import evolve

from tscm.base.clock import wall_seconds
from tscm.events.answers import DeviceHits, EventReport, Recount, SeveralReport
from tscm.events.report import ask, ask_several, read_question
from tscm.manager.node import Node, parts
from tscm.model import Json
from tscm.operations.arguments import Asked, AskedOfSeveral, Device
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.table import events as table
from tscm.policy.cidr import CidrSet
from tscm.portal.attributes import Wanted, networks_meant
from tscm.settings.files import device_names


@handles(table.REPORT)
async def report(node: Node, args: Asked, call: Call) -> EventReport:
    """What the lists did on a device; without a manager what was counted before it stopped."""
    del call
    refuse_unknown(node, args.name)
    _refuse_without_store(node)
    question = read_question(args.name, args.options, wall_seconds(node.clock))
    question = evolve(question, listed=await _meant(node, args.options))
    found: EventReport = await node.slow.run(ask, node.layout.database, question)
    return found


@handles(table.REPORT_SEVERAL)
async def report_several(node: Node, args: AskedOfSeveral, call: Call) -> SeveralReport:
    """What the lists did on several devices together, and on each."""
    del call
    for name in args.devices:
        refuse_unknown(node, name)
    _refuse_without_store(node)
    names = list(dict.fromkeys(args.devices)) or device_names(node.layout)
    first = read_question("", args.options, wall_seconds(node.clock))
    first = evolve(first, listed=await _meant(node, args.options))
    questions = [evolve(first, device=name) for name in names] or [first]
    together, each = await node.slow.run(ask_several, node.layout.database, questions)
    return SeveralReport(
        since=together.since,
        until=together.until,
        by=together.by,
        rows=together.rows,
        lines=together.lines,
        hits=together.hits,
        groups=together.groups,
        counts_are_low=together.counts_are_low,
        unread_lines=together.unread_lines,
        devices=tuple(
            DeviceHits(device=one.device, hits=one.hits, lines=one.lines)
            for one in each
            if one.device
        ),
    )


@handles(table.REBUILD_EVENTS)
async def rebuild(node: Node, args: Device, call: Call) -> Recount:
    """Recount from the log that is still on disk."""
    refuse_unknown(node, args.name)
    _refuse_without_store(node)
    return await parts(node).events.rebuild(args.name, call.report)


async def _meant(node: Node, options: Json) -> CidrSet | None:
    """The networks of the targets that are asked for; None where none are.  Raises `ItemFaulty`."""
    wanted = Wanted.of(options)
    if wanted is None:
        return None
    found: CidrSet = await node.slow.run(
        networks_meant, node.layout.database, node.layout.portal, wanted, wall_seconds(node.clock)
    )
    return found


def _refuse_without_store(node: Node) -> None:
    if node.store.fault is not None:
        raise node.store.fault.with_traceback(None)
