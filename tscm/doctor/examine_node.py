"""
The walk over the host and the manager.

With a manager its *status* comes in, read in the reactor thread; without one it is None, and what only
a manager knows is told as not looked at.
"""

from collections.abc import Sequence

from tscm.base.secrets import load_key
from tscm.doctor import judge_node
from tscm.doctor.finding import Finding, not_looked_at
from tscm.doctor.probe_host import HOST, Host, binding_faults
from tscm.errors import SecretUnavailable, TscmError
from tscm.model import Progress, Report
from tscm.settings.files import device_names, key_is_needed, read_device, read_node
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.state import ManagerState


def walk_node(
    layout: Layout, status: ManagerState | None, report: Report, host: Host = HOST
) -> list[Finding]:
    """All that concerns the host and the manager.  Blocking."""
    report(Progress(phase="check", text="this host"))
    fault, settings = None, NodeSettings()
    try:
        settings = read_node(layout)
    except TscmError as error:
        fault = str(error)
    device_faults = _device_faults(layout)
    if status is not None:
        fault = fault or status.faults.get("")
        for name, text in status.faults.items():
            if name and not _is_about_key(text):
                device_faults.setdefault(name, text)
    names = device_names(layout)
    listeners = None if status is None else status.intake.listeners
    bound = None if status is None else status.listeners
    found = [
        judge_node.judge_manager(status),
        judge_node.judge_settings(fault, device_faults, len(names)),
        judge_node.judge_key(_key_fault(layout, names), there=_key_there(layout), devices=names),
        _judge_disk(layout, settings, host),
        judge_node.judge_clock(host.now(), host.synchronised()),
        judge_node.judge_listeners(
            bound, [] if bound is not None else binding_faults(settings.listen)
        ),
        *judge_node.judge_metrics(settings.listen),
        judge_node.judge_buffers(listeners, settings.intake.receive_buffer_bytes, host.rmem_max()),
    ]
    if status is None or listeners is None:
        if layout.database.exists():
            found.append(judge_node.judge_database(None, host.damage(layout.database)))
        else:
            found += not_looked_at(["database"], "no manager has created it yet")
        return found + not_looked_at(["kernel drops"], "no manager is running")
    fault = status.database
    damaged = None if fault else host.damage(layout.database)
    return [
        *found,
        judge_node.judge_database(fault, damaged),
        judge_node.judge_kernel_drops(listeners),
        *([] if status.uploads is None else [judge_node.judge_uploads(status.uploads)]),
    ]


def _is_about_key(text: str) -> bool:
    return text.startswith("sealing key ")


def _device_faults(layout: Layout) -> dict[str, str]:
    found = {}
    for name in device_names(layout):
        try:
            read_device(layout, name, None)
        except TscmError as error:
            found[name] = str(error)
    return found


def _key_there(layout: Layout) -> bool:
    """Whether the key is there, or is missed: also one that is broken in some way."""
    try:
        return key_is_needed(layout)
    except OSError:
        return True


def _key_fault(layout: Layout, names: Sequence[str]) -> str | None:
    """Why the key does not open what is stored; other faults of a file are not the key's."""
    try:
        if not key_is_needed(layout):
            return None
        key = load_key(layout.key)
        for name in names:
            try:
                read_device(layout, name, key)
            except SecretUnavailable:
                raise
            except TscmError:
                continue
    except SecretUnavailable as error:
        return str(error)
    return None


def _judge_disk(layout: Layout, settings: NodeSettings, host: Host) -> Finding:
    try:
        spaces = [host.free_space(folder) for folder in (layout.logs, layout.state)]
    except OSError as error:
        return judge_node.judge_disk((), 0, f"{error.filename}: {error.strerror}")
    return judge_node.judge_disk(spaces, settings.spool.min_free_mb)
