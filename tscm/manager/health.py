"""
All figures of a running manager for `/metrics`, and what is wrong with it for `/healthz`.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from tscm.base.clock import wall_seconds
from tscm.base.schedule import in_slices
from tscm.intake.figures import IntakeFigures, StreamFigures
from tscm.intake.turned_away import recent_faults
from tscm.ledger.balance import balance, balance_of, is_balanced, together
from tscm.ledger.figures import DeviceBalance
from tscm.manager.consumers import DeviceConsumers
from tscm.manager.late_targets import late_targets
from tscm.manager.node import Node, parts, updates
from tscm.manager.paired import managers_of, portals_of
from tscm.operations.rows import row
from tscm.plural import many
from tscm.standing import Verdict, is_unchecked, off_words
from tscm.state import NodeFigures, Watched, WatchedDevice

CERTIFICATE_DAYS = 30.0
"""A certificate that ends sooner is told."""
_DAY = 86400.0
_GOOD = frozenset({Verdict.OK, Verdict.NEW})


async def figures(node: Node) -> Watched:
    """Those of one device are of one moment."""
    manager = parts(node)
    intake = manager.intake.figures()
    whole = balance(intake, {}).balanced
    devices: dict[str, WatchedDevice] = {}
    async for name, device in _devices(node):
        log = manager.spool.figures(name, look=False)
        whole = whole and is_balanced(log, manager.intake.device_figures(name))
        forward = device.forward_figures()
        devices[name] = WatchedDevice(
            policy=updates(node).figures(name),
            log=log,
            lag_seconds=manager.lags.of(name),
            targets=(*(() if forward is None else (forward,)), *device.forward_also_figures()),
            upload=device.upload_figures(),
            events=manager.events.figures(name),
            pulls=manager.lists.figures(name),
            verdict=row(node, name).verdict,
        )
    return Watched(
        now=wall_seconds(node.clock),
        node=NodeFigures(
            started_at=manager.started_at(),
            devices=len(manager.devices),
            settings_faults=len(manager.faults),
            database_bytes=_bytes_of(node.layout.database),
            backup_at=manager.backups.latest_at,
            alarms=manager.alarms().figures(),
            portals=portals_of(manager),
            managers=managers_of(manager),
        ),
        intake=intake,
        uploads=manager.kept_uploads(),
        balanced=whole,
        devices=devices,
    )


async def wrong(node: Node) -> list[str]:
    """
    What is wrong with this process itself, or costs protection or lines: a sentence each.

    What it says of a device, `tsadmin status` calls failed.
    """
    manager = parts(node)
    found = [fault for _, fault in sorted(manager.faults.items())]
    store_fault = node.store.fault or node.store.trouble
    if store_fault is not None:
        found.append(str(store_fault))
    figures = manager.intake.figures()
    present = {name: one for name, one in figures.devices.items() if name in manager.devices}
    found += recent_faults(present, wall_seconds(node.clock))
    unbalanced: dict[str, DeviceBalance] = {}
    async for name, _ in _devices(node):
        log, mine = manager.spool.figures(name, look=False), manager.intake.device_figures(name)
        if log.fault:
            found.append(f"log of {name}: {log.fault}")
        found += _unprotected(node, name)
        if not is_balanced(log, mine):
            unbalanced |= balance_of(name, log, mine).devices
    whole = together(balance(figures, {}), unbalanced)
    manager.bookkeeper.update_alarm(whole)
    if not whole.balanced:
        found.append("the ledger does not balance; see `tsadmin ledger`")
    if manager.backups.fault:
        found.append(manager.backups.fault)
    if manager.bookkeeper.fault:
        found.append(manager.bookkeeper.fault)
    return found


async def noted(node: Node) -> list[str]:
    """
    What an operator should know of the devices, as `tsadmin status` says it: a sentence each.

    It concerns firewalls, targets and decisions, and nothing that ails this process.
    """
    manager, now = parts(node), wall_seconds(node.clock)
    found: list[str] = []
    async for name, _ in _devices(node):
        one = row(node, name)
        if one.verdict not in _GOOD:
            found.append(f"{one.verdict}: {name}: {'; '.join(one.causes)}")
        if one.cut:
            entries = many(one.cut, "entry", "entries")
            found.append(f"{one.verdict}: {name}: {entries} cut to fit Max Policy Size")
    crowded = manager.spool.crowded
    if crowded is not None:
        found.append(f"warning: {crowded}")
    for target in manager.audit_targets():
        if target.failures:
            found.append(f"warning: the audit: {target.sentence}")
        elif target.expired:
            lines = many(target.expired, "entry", "entries")
            found.append(f"warning: the audit: {target.target} was not sent {lines} that expired")
    if manager.publisher is not None:
        late = late_targets(manager.publisher.state, now)
        found += [f"warning: {one.sentence}" for one in late]
    found += [f"warning: {one}" for one in manager.alarms().figures().troubles]
    for listener, ends in certificates(manager.intake.figures()).items():
        days = (ends - now) / _DAY
        if days < CERTIFICATE_DAYS:
            said = f"expires in {max(0.0, days):.0f} days" if days > 0 else "has expired"
            found.append(f"warning: the certificate of {listener} {said}")
    return found


def certificates(figures: IntakeFigures) -> dict[str, float]:
    """When the certificate of each TLS listener ends, as POSIX seconds."""
    return {
        name: one.tls.expires_at
        for name, one in figures.listeners.items()
        if isinstance(one, StreamFigures) and one.tls is not None and one.tls.expires_at
    }


def _unprotected(node: Node, name: str) -> list[str]:
    """Groups that may be gone or that no access-list uses, and names that are unknown for a day."""
    now, known = wall_seconds(node.clock), updates(node).figures(name)
    unused = () if known.never_used else known.unused_groups
    found = [f"{name}: no access-list uses {' and '.join(unused)}"] if unused else []
    in_force = known.in_force
    if in_force is not None and in_force.purged:
        found.append(f"{name}: {off_words(in_force)}")
    if is_unchecked(known, now):
        found.append(
            f"{name}: the firewall logged that {known.upheavals}, and its groups have not "
            "been checked since"
        )
    return found + [
        f"{name}: {one.name}, which must not be blocked, has not resolved for "
        f"{(now - one.failing_since) / 3600:.0f} hours"
        for one in known.unknown_names
        if one.failing_since is not None and one.overdue(now)
    ]


async def _devices(node: Node) -> AsyncIterator[tuple[str, DeviceConsumers]]:
    """Each device in force, in slices of the reactor's time."""
    devices = parts(node).devices
    async for name in in_slices(node.clock, sorted(devices)):
        if name in devices:  # it may have been removed since
            yield name, devices[name]


def _bytes_of(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
