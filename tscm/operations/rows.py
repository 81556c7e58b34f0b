"""
The row of a device in `tsadmin status`, judged again only when something of the device changes.

That is when the stamps of its parts differ, or when time alone says otherwise.  What each line changes (ages,
backlogs, whether the counts balance) is read for each row.
"""

from tscm.base.clock import wall_seconds
from tscm.manager.node import Manager, Node, parts, updates
from tscm.operations.states import device_state
from tscm.spool.figures import LogGlance
from tscm.standing import Row, Stamped, is_quiet, judge


def row(node: Node, name: str) -> Row:
    """How one device stands, from figures in memory."""
    manager, now = parts(node), wall_seconds(node.clock)
    interval = node.settings().policy.interval_seconds
    glance = manager.spool.glance(name)
    stamp = (interval, is_quiet(glance.last_received_at, now), *_stamp(node, manager, name, glance))
    kept = manager.judged.get(name)
    if kept is None or kept.stamp != stamp or not kept.at <= now < kept.judged.holds_until:
        judged = judge(device_state(node, name), now, interval)
        kept = manager.judged[name] = Stamped(stamp=stamp, at=now, judged=judged)
    return kept.judged.row(name, glance.last_received_at, glance.waiting_lines, now)


def _stamp(node: Node, manager: Manager, name: str, glance: LogGlance) -> tuple[object, ...]:
    return (
        updates(node).stamp(name),
        manager.devices[name].stamp(),
        manager.lists.stamp(name),
        manager.faults.get(name),
        glance.trouble,
        glance.differences,
        glance.appended_lines - manager.intake.stored_lines(name),
        manager.intake.turned_away(name),
    )
