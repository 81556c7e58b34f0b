"""
Operations on devices: list, view, add, change, remove.

The same with and without a manager: what only a manager does stands behind `Node.apply` and `Node.retire`.
"""

from collections.abc import Mapping, Sequence

import attrs
from attrs import frozen

from tscm.devices import checks, stored
from tscm.devices.answers import Added, Changed, CheckReport, Prospected, Removed
from tscm.devices.arrival import decides, upload_warnings
from tscm.devices.claims import (
    refuse_address,
    refuse_conflicts,
    refuse_loops,
    refuse_same_firewall,
    relay_notes,
)
from tscm.devices.group_size import size_notes
from tscm.devices.other_ways import with_other_ways
from tscm.devices.paired import refuse_managed
from tscm.errors import (
    DeviceChanged,
    DeviceFault,
    NoSuchDevice,
    SettingsFaulty,
    SettingsUnreadable,
    TscmError,
    for_a_new_device,
)
from tscm.forward.own import listeners_of
from tscm.kinds.kind import kind_of
from tscm.manager.node import Node
from tscm.manager.renaming import unless_renamed
from tscm.operations.answers import DeviceView, SetupLines
from tscm.operations.arguments import ChangedDevice, Device, NewDevice, Prospect
from tscm.operations.call import PORTAL, Call
from tscm.operations.registry import handles
from tscm.operations.table import devices as table
from tscm.pairing.bonds import drop_bond, read_bond
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device
from tscm.settings.own_service import key_wanted_at
from tscm.settings.sealed import as_set
from tscm.store.reading import failing_names
from tscm.update.known_name import KnownName
from tscm.wire.reading import read


def refuse_unknown(node: Node, name: str) -> None:
    """Raise `NoSuchDevice` for a device that is not in force; without a manager, that is not stored."""
    if node.manager is not None:
        if name not in node.manager.devices:
            raise NoSuchDevice(name)
    elif name not in device_names(node.layout):
        read_device(node.layout, name, None)  # raises what is wrong with the name


@handles(table.VIEW)
def view(node: Node, args: Device, call: Call) -> DeviceView:
    """
    Settings in force and state; without a manager what is stored, and of the state only the names that the last
    update could not look up, in `unknown_names`.

    Beside them the node's setting that asks about large changes.
    """
    del call
    manager, name = node.manager, args.name
    percent = node.settings().policy.confirm_changes_percent
    if manager is None:
        settings = read_device(node.layout, name, None)
        unknown = failing_names(node.layout.database, settings.name)
        return DeviceView(
            settings=stored.settings_view(settings),
            unknown_names=tuple(read(KnownName, one) for one in unknown),
            confirm_changes_percent=percent,
            version=stored.version_of(settings),
            portal=_portal_of(node, settings),
        )
    from tscm.operations.states import device_state

    refuse_unknown(node, name)
    settings = as_set(node.layout, manager.devices[name].settings)
    return DeviceView(
        settings=stored.settings_view(settings),
        state=device_state(node, name),
        confirm_changes_percent=percent,
        version=stored.version_of(settings),
        portal=_portal_of(node, settings),
    )


def _portal_of(node: Node, settings: DeviceSettings) -> str | None:
    """The portal of a paired device: as the follower knows it, without a manager from the file."""
    follower = None if node.manager is None else node.manager.follower()
    if follower is not None:
        found = follower.bonds().get(settings.name)
        return None if found is None else found[0].portal
    try:
        bond = read_bond(node.layout, settings.entry, sealed=True)
    except TscmError:
        return None  # `tsadmin paired` tells what is wrong with it
    return None if bond is None else bond.portal


@handles(table.SETUP_LINES)
def setup_lines(node: Node, args: Device, call: Call) -> SetupLines:
    """What to enter on the firewall; secrets that must be in it are masked."""
    del call
    refuse_unknown(node, args.name)
    known = None if node.manager is None else node.manager.devices[args.name].settings
    found = read_device(node.layout, args.name, None) if known is None else known
    settings = stored.propose(stored.settings_view(found))
    return SetupLines(name=args.name, text=kind_of(settings).setup(settings, node.settings()))


def _listeners(node: Node) -> Mapping[str, Sequence[str]]:
    """Where lines come in: a target there would send them round for ever."""
    if node.manager is not None:
        return node.manager.intake.addresses()
    return listeners_of(node.settings().listen)


async def _asked_for_uploads(node: Node, settings: DeviceSettings, call: Call) -> tuple[str, ...]:
    found: list[str] = await node.slow.run(
        upload_warnings,
        node.layout,
        node.settings(),
        settings,
        call.report,
        running=node.manager is not None,
        ask=node.reach.ask_service,
    )
    return tuple(found)


@handles(table.PROSPECT)
async def prospect(node: Node, args: Prospect, call: Call) -> Prospected:
    """What must be known before the other questions are asked.  Raises `SenderConflict`."""
    del call
    if args.address is not None:
        await node.quick.run(refuse_address, node.layout, args.name, args.address)
    return Prospected(key_wanted_at=key_wanted_at(node.settings()))


@frozen(kw_only=True)
class Checked:
    """A new device whose lists and firewall have answered; nothing is stored yet."""

    settings: DeviceSettings
    check: CheckReport
    notes: tuple[str, ...]


@handles(table.ADD)
async def add(node: Node, args: NewDevice, call: Call) -> Added:
    """Check lists and device, then store and put in force."""
    return await add_checked(node, await checked_for_add(node, args, call), call)


async def checked_for_add(node: Node, args: NewDevice, call: Call) -> Checked:
    """Check lists and device."""
    node.hold()
    settings = stored.propose(args.settings)
    call.noted["device"] = settings.name
    stored.refuse_taken(node.layout, settings.name)
    await node.quick.run(refuse_conflicts, node.layout, settings)
    await node.quick.run(refuse_loops, settings, _listeners(node))
    unknown: list[str] = await node.slow.run(
        checks.refuse_unknown_names, node.layout, node.settings(), settings, reach=node.reach
    )
    try:
        check = await node.slow.run(
            checks.check_device,
            node.layout,
            node.settings(),
            settings,
            call.report,
            reach=node.reach,
        )
    except DeviceFault as fault:
        told = await node.slow.run(with_other_ways, fault, settings, node.reach.other_ways)
        raise for_a_new_device(told) from None
    await node.quick.run(refuse_same_firewall, node.layout, settings, check.identity.serial)
    check = attrs.evolve(check, warnings=(*check.warnings, *unknown))
    settings = stored.settle(settings, args.settings, check)
    cut = checks.cut_told(settings, check)
    notes = await node.quick.run(relay_notes, node.layout, None, settings)
    sizes = await node.quick.run(size_notes, node.layout, None, settings, check.identity.serial)
    notes = (*([] if cut is None else [cut]), *sizes, *notes)
    return Checked(settings=settings, check=check, notes=notes)


async def add_checked(node: Node, checked: Checked, call: Call) -> Added:
    """Store a device that was checked, and put it in force."""
    settings = checked.settings
    warnings = await _asked_for_uploads(node, settings, call)
    check = attrs.evolve(checked.check, warnings=(*checked.check.warnings, *warnings))
    await node.write(unless_renamed, stored.store_device, node.layout, settings.name, settings)
    node.apply(None, settings)
    node.note_serial(settings.name, check.identity)
    return stored.added(node.settings(), settings, check, checked.notes)


@handles(table.CHANGE)
async def change(node: Node, args: ChangedDevice, call: Call) -> Changed:
    """Check what lists and device could object to, then store and put in force."""
    node.hold()
    present = stored.stored_device(node.layout, args.name)  # as it is when this is asked for
    if args.version is not None and args.version != stored.version_of(present):
        raise DeviceChanged(args.name)
    settings = stored.propose(args.settings, present)
    if call.actor != PORTAL:
        await node.quick.run(refuse_managed, node.layout, present, settings)
    await node.quick.run(refuse_conflicts, node.layout, settings)
    await node.quick.run(refuse_loops, settings, _listeners(node))
    unknown: list[str] = await node.slow.run(
        checks.refuse_unknown_names,
        node.layout,
        node.settings(),
        settings,
        present,
        reach=node.reach,
    )
    check = None
    proposed = stored.asks_for_size(args.settings)
    if proposed or stored.needs_check(present, settings):
        check = await node.slow.run(
            checks.check_device,
            node.layout,
            node.settings(),
            settings,
            call.report,
            reach=node.reach,
        )
        if proposed:
            settings = stored.settle(settings, args.settings, check)
    if check is not None or present.own_names != settings.own_names:
        serial = None if check is None else check.identity.serial
        await node.quick.run(refuse_same_firewall, node.layout, settings, serial)
    notes = await node.quick.run(relay_notes, node.layout, present, settings)
    serial = None if check is None else check.identity.serial
    sizes = await node.quick.run(size_notes, node.layout, present, settings, serial)
    notes = [*unknown, *sizes, *notes]
    if decides(stored.changed_settings(present, settings)):
        notes = [*notes, *await _asked_for_uploads(node, settings, call)]
    await node.write(
        unless_renamed, stored.change_device, node.layout, settings.name, present, settings
    )
    node.apply(present, settings)
    if check is not None:
        node.note_serial(settings.name, check.identity)
    call.noted["changes"] = stored.changes(present, settings)
    return stored.changed(present, settings, check, notes)


@handles(table.REMOVE)
async def remove(node: Node, args: Device, call: Call) -> Removed:
    """Forget the device and all that is kept of it but its log."""
    del call
    try:
        settings = read_device(node.layout, args.name, None)
    except (SettingsFaulty, SettingsUnreadable):
        settings = None
    gone: Removed = await node.write(
        unless_renamed, stored.forget_device, node.layout, args.name, node.settings(), args.name
    )
    if settings is not None:
        await node.write(drop_bond, node.layout, settings.entry)
    await node.retire(args.name, settings)
    return gone
