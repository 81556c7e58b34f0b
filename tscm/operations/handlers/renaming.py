"""
Renaming a device: at once where no manager runs, and beside it without losing a line.
"""

from attrs import define

from tscm.devices.answers import Renamed
from tscm.errors import TscmError
from tscm.manager.node import Manager, Node, updates
from tscm.manager.renaming import (
    Renaming,
    begin_renaming,
    check_renaming,
    complete_renaming,
    end_renaming,
    move_settings,
    notes_on,
    rename_stored,
)
from tscm.operations.arguments import RenamedDevice
from tscm.operations.call import Call
from tscm.operations.handlers.devices import refuse_unknown
from tscm.operations.registry import handles
from tscm.operations.table import devices as table


@define(eq=False)
class DeviceBusy(TscmError):
    """
    A device cannot be renamed while it is being updated or tested.
    """

    name: str

    def __str__(self) -> str:
        return f"device {self.name} is being updated or tested; rename it when that is complete"


@handles(table.RENAME)
async def rename(node: Node, args: RenamedDevice, call: Call) -> Renamed:
    """Rename what is on the disk, in the database and in force."""
    node.hold()
    call.noted["device"] = args.name
    call.noted["to"] = args.to
    if node.manager is None:
        complete_renaming(node.layout, node.store)  # what a crash left
        one = check_renaming(node.layout, args.name, args.to)
        begin_renaming(node.layout, one)
        rename_stored(node.layout, one, node.store)
    else:
        refuse_unknown(node, args.name)
        one = await node.quick.run(check_renaming, node.layout, args.name, args.to)
        await _rename_in_force(node, node.manager, one)
    notes = await node.quick.run(lambda: tuple(notes_on(node.layout, one)))
    return Renamed(name=one.to, before=one.name, notes=notes)


async def _rename_in_force(node: Node, manager: Manager, one: Renaming) -> None:
    """
    Readers end first; then, in one turn of the reactor, so that no line comes in between, the log, the settings and
    the database change their names.  Where that fails, the device goes on under its earlier name.
    """
    if updates(node).is_under_way(one.name):
        raise DeviceBusy(one.name)
    await node.write(begin_renaming, node.layout, one)
    try:
        await manager.leave(one.name)
    except TscmError:  # its file was deleted by hand: nothing is renamed
        await node.quick.run(end_renaming, node.layout)
        raise
    done = False
    try:
        await manager.events.rename(one.name, one.to)
        try:
            _rename_in_one_turn(node, manager, one)
            done = True
        finally:
            if not done:
                await manager.events.rename(one.to, one.name)
    finally:
        manager.take(one.name, one.to if done else one.name)
        if not done:
            await node.quick.run(end_renaming, node.layout)
    await manager.bookkeeper.rename_log(one.name, one.to)
    await manager.alarms().rename_device(one.name, one.to)
    await node.quick.run(end_renaming, node.layout)


def _rename_in_one_turn(node: Node, manager: Manager, one: Renaming) -> None:
    if updates(node).is_under_way(one.name):
        raise DeviceBusy(one.name)
    manager.release(one.name)
    manager.spool.rename_log(one.name, one.to)
    try:
        updates(node).rename_device(one.name, one.to)
        try:
            move_settings(node.layout, one)
        except OSError:
            updates(node).rename_device(one.to, one.name)
            raise
    except BaseException:
        manager.spool.rename_log(one.to, one.name)
        raise
    manager.lists.rename_device(one.name, one.to)
