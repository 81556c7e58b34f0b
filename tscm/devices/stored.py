"""
Adding, changing and removing devices: one way for the command line, the manager and the demonstration.

`propose` reads options into settings, `tscm.devices.stored.checks` asks lists and firewall, `store_device` and
`change_device` put the result on disk whole or not at all.  The caller holds the root's lock.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import attrs

from tscm.base.secrets import MASK, Secret
from tscm.devices.answers import Added, Changed, CheckReport, Removed
from tscm.devices.claims import refuse_conflicts
from tscm.errors import (
    DeviceChanged,
    DeviceExists,
    Fault,
    SettingsFaulty,
    SettingsUnreadable,
)
from tscm.kinds.kind import kind_of
from tscm.kinds.question import AUTO
from tscm.model import Json
from tscm.services.publication import withdraw
from tscm.settings import values
from tscm.settings.device import DeviceSettings, made_anew, secrets_of
from tscm.settings.files import (
    device_names,
    key_for_sealing,
    open_device,
    read_device,
    remove_device,
    write_device,
)
from tscm.settings.layout import Layout
from tscm.settings.modules import module
from tscm.settings.node import NodeSettings
from tscm.settings.pulled import PullSettings
from tscm.settings.shapes import FIRST_TYPE, as_options, read_options
from tscm.settings.shapes import options as option_fields
from tscm.store.reading import known_groups

Options = Mapping[str, Any]
"""Settings by name, as text or as JSON gives them; what is absent keeps its default."""

_CLEARED_WITH = {
    "log_proxy": ("log_proxy_user", "log_proxy_password"),
    "log_proxy_user": ("log_proxy_password",),
}
"""What makes no sense any more when something else is cleared."""


def propose(options: Options, present: DeviceSettings | None = None) -> DeviceSettings:
    """
    *options* over the *present* settings, or over the defaults for a new device.

    Without a name the device ID is the name.  What is cleared takes with it what only goes with it.  A secret given as `********` stays as it is.
    Raises `SettingsFaulty` with every fault, each under its option's name.
    """
    table: dict[str, Any] = {"type": FIRST_TYPE} if present is None else as_options(present)
    given = {name: value for name, value in options.items() if value is not None}
    for one in () if present is None else secrets_of(type(present)):
        if given.get(one) == MASK:
            del given[one]
    if proposes_size(options):
        given.pop("max_policy_size", None)
    given.pop("entry", None)  # permanent: a view that is taken back does not carry it elsewhere
    if present is not None and given.get("type", present.type) != present.type:
        table = _for_kind({**table, "type": given["type"]})
    table.update(given)
    for name, dependants in _CLEARED_WITH.items():
        if name in given and values.optional(lambda value: value)(given[name]) is None:
            table.update({one: None for one in dependants if one not in given})
    if present is not None:
        table["name"] = present.name
    else:
        table["entry"] = values.new_entry()
        table.setdefault("name", table.get("device_id"))
    _generate(table)
    settings, faults = read_options(table, () if present is None else present.forward)
    if settings is None or faults:
        if "name" not in options and any(one.where == "device_id" for one in faults):
            faults = [one for one in faults if one.where != "name"]
        raise SettingsFaulty("device settings", [_by_option(one) for one in faults])
    return settings


def _for_kind(table: Mapping[str, Any]) -> dict[str, Any]:
    """*table* without what a device of its type does not have."""
    try:
        known = option_fields(module(table["type"]).settings)
    except ValueError:
        return dict(table)  # the fault will be told
    return {name: value for name, value in table.items() if name in known}


def _generate(table: dict[str, Any]) -> None:
    """Put into *table* what a device of its type has by chance, where it has none yet."""
    try:
        wanted = made_anew(module(table["type"]).settings)
    except ValueError:
        return  # the fault will be told
    for name, make in wanted.items():
        if values.optional(lambda value: value)(table.get(name)) is None:
            table[name] = make()


def _by_option(fault: Fault) -> Fault:
    where = "NAME" if fault.where == "name" else f"--{fault.where}"
    return attrs.evolve(fault, where=where)


def proposes_size(options: Options) -> bool:
    """Is the Max policy size of a new device left to what the platform bears?"""
    return options.get("max_policy_size") is None or asks_for_size(options)


def asks_for_size(options: Options) -> bool:
    """Do the options ask for the Max policy size that the platform bears, by the word `auto`?"""
    size = options.get("max_policy_size")
    return isinstance(size, str) and size.strip().lower() == AUTO


def settings_view(settings: DeviceSettings) -> Json:
    """Settings as they may be shown: JSON, with secrets masked."""
    return {name: _shown(value) for name, value in as_options(settings).items()}


def version_of(settings: DeviceSettings) -> str:
    """A word that is another where any setting is another, but for secrets that are replaced."""
    text = json.dumps(settings_view(settings), sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:16]


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return MASK if value else None
    return list(value) if isinstance(value, tuple) else value


def settle(settings: DeviceSettings, options: Options, check: CheckReport) -> DeviceSettings:
    """*settings* with the Max policy size that the check proposes, unless one was given."""
    if not proposes_size(options):
        return settings
    size = {"max_policy_size": check.proposed_size}
    found, faults = read_options({**as_options(settings), **size}, settings.forward)
    if found is None:
        raise SettingsFaulty("device settings", faults)
    return found


def store_device(layout: Layout, settings: DeviceSettings) -> None:
    """
    Put a new device on disk; the node's sealing key is made with the first secret.

    Raises `DeviceExists`, `SenderConflict`, `SecretUnavailable`; then nothing is stored.
    """
    refuse_taken(layout, settings.name)
    refuse_conflicts(layout, settings)
    key = key_for_sealing(layout)
    folder = layout.device_log(settings.name)
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        write_device(layout, settings, key)
    except OSError:
        if made:
            folder.rmdir()
        raise


def refuse_taken(layout: Layout, name: str) -> None:
    """Raise `DeviceExists` where *name* is a device's already."""
    if name in device_names(layout):
        raise DeviceExists(name)


def stored_device(layout: Layout, name: str) -> DeviceSettings:
    """One device with its secrets opened."""
    unsealed = read_device(layout, name, None)  # an unknown name is told before a lost key
    return open_device(layout, unsealed.name)


def change_device(layout: Layout, present: DeviceSettings, settings: DeviceSettings) -> None:
    """
    Replace a stored device's settings, which were *present* when the change was asked for.

    A check of lists and device takes its time: what another user stored meanwhile is not overwritten.
    Raises `NoSuchDevice`, `DeviceChanged`, `SenderConflict`, `SecretUnavailable`; then nothing has
    changed.
    """
    if stored_device(layout, settings.name) != present:
        raise DeviceChanged(settings.name)
    refuse_conflicts(layout, settings)
    write_device(layout, settings, key_for_sealing(layout))


def added(
    node: NodeSettings, settings: DeviceSettings, check: CheckReport, notes: Sequence[str] = ()
) -> Added:
    """The answer to `add`: what was found, what was stored, what to type on the device."""
    return Added(
        name=settings.name,
        check=check,
        settings=settings_view(settings),
        lines=kind_of(settings).setup(settings, node),
        on=kind_of(settings).called,
        notes=tuple(notes),
    )


def changed(
    present: DeviceSettings,
    settings: DeviceSettings,
    check: CheckReport | None,
    notes: Sequence[str] = (),
) -> Changed:
    """
    The answer to `configure`; its *notes* say what the operator has to do on the device now, and more.
    """
    return Changed(
        name=settings.name,
        check=check,
        settings=settings_view(settings),
        changed=tuple(changed_settings(present, settings)),
        notes=(*notes, *_after_change(present, settings)),
    )


def _after_change(present: DeviceSettings, settings: DeviceSettings) -> Iterator[str]:
    if present.own_names and not settings.own_names:
        yield f"Groups {present.own_names}-… remain on the device until you delete them"
    elif not present.own_names and settings.own_names:
        yield (
            f"The next update creates groups named {settings.own_names}-…; enter the access-lists that use them"
        )
    elif present.own_names != settings.own_names:
        yield (
            f"The next update creates groups named {settings.own_names}-…; change the "
            f"access-lists to use them; groups {present.own_names}-… remain on the device "
            "until you delete them"
        )
    if present.type != settings.type and present.firewall == settings.firewall:
        yield (
            f"The way to the device is {settings.managed_at} from now on; groups and history stay as they are"
        )
    if present.device != settings.device:
        yield (
            "The device address has changed: enter the commands of `tsadmin show "
            f"{settings.name} --lines` on the new device; the configuration on "
            f"{present.device} is not removed"
        )
    both = isinstance(present, PullSettings) and isinstance(settings, PullSettings)
    if both and as_options(present)["pull_secret"] != as_options(settings)["pull_secret"]:
        yield (
            "The URLs of its lists have changed: enter the lines of `tsadmin show "
            f"{settings.name} --lines` on the firewall, which is refused until then"
        )
    if present.log_proxy_user and not settings.log_proxy:
        yield "The user and password of the log upload proxy are also cleared"
    forwards = present.syslog_forward and settings.syslog_forward
    gone = {
        "the SIEM": present.syslog_forward and not settings.syslog_forward,
        "an additional target": forwards and set(_also(present)) - set(_also(settings)),
        "the log service": present.send_logs and not settings.send_logs,
    }
    off = [what for what, left in gone.items() if left]
    if off and settings.backlog == "drop":
        yield f"The backlog of {' and '.join(off)} is dropped; its lines stay in the log"
    elif off:
        yield (
            f"The backlog of {' and '.join(off)} is kept for its return; `tsadmin show "
            f"{settings.name}` shows its size, and the command that discards it"
        )


def _also(settings: DeviceSettings) -> tuple[str, ...]:
    also: tuple[str, ...] = as_options(settings)["forward_also"]
    return also


def changed_settings(present: DeviceSettings, settings: DeviceSettings) -> list[str]:
    """Names of the settings in which the two differ."""
    before, now = as_options(present), as_options(settings)
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def changes(present: DeviceSettings, settings: DeviceSettings) -> Json:
    """Each setting in which the two differ, as `{old, new}`, secrets masked: for the audit."""
    before, now = settings_view(present), settings_view(settings)
    return {
        name: {"old": before.get(name), "new": now.get(name)}
        for name in changed_settings(present, settings)
    }


_CHECKED = frozenset(
    {
        "type",
        "device",
        "block_list",
        "allow_list",
        "dns_port",
        "tsig_name",
        "tsig_key",
    }
)


def needs_check(present: DeviceSettings, settings: DeviceSettings) -> bool:
    """Has something changed that lists or device could object to?"""
    checked = _CHECKED | kind_of(settings).checked
    return not checked.isdisjoint(changed_settings(present, settings))


def forget_device(layout: Layout, node: NodeSettings, name: str) -> Removed:
    """
    All of `tsadmin remove` but the manager's own part: gives the way back.

    Its logs stay where they are.  A device whose file is damaged is forgotten too, without lines.
    """
    on = "firewall"
    try:
        settings = read_device(layout, name, None)
        on = kind_of(settings).called
        groups = known_groups(layout.database, name)
        lines = kind_of(settings).way_back(settings, node, groups)
    except (SettingsFaulty, SettingsUnreadable) as error:
        lines = f"! the settings file is damaged, so the commands cannot be generated: {error}"
    remove_device(layout, name)
    with suppress(OSError):  # it is served to no device any more, whatever the file has
        withdraw(layout.lists / name)
    return Removed(name=name, lines=lines, on=on)
