"""
Adding, changing and removing devices: one way for the command line, the manager and the demonstration.

`propose` reads options into settings, `check_device` asks lists and firewall (blocking, for a
thread), `store_device` and `change_device` put the result on disk whole or not at all.  The
caller holds the root's lock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen

from tscm.arrival import AskService, ask_service
from tscm.claims import refuse_conflicts
from tscm.errors import (
    DeviceChanged,
    DeviceExists,
    Fault,
    ListUnavailable,
    SettingsFaulty,
    SettingsUnreadable,
    TscmError,
)
from tscm.model import AsaDriver, Identity, Json, Progress, Report
from tscm.secrets import MASK, Secret
from tscm.settings import values
from tscm.settings.device import DEFAULT_MAX_POLICY_SIZE, SECRETS, DeviceSettings, disagreements
from tscm.settings.feed import feed_named, published
from tscm.settings.files import (
    device_names,
    key_for_sealing,
    open_device,
    read_device,
    remove_device,
    write_device,
)
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.settings.schema import read_table
from tscm.store.reading import known_groups

Options = Mapping[str, Any]
"""Settings by name, as text or as JSON gives them; what is absent keeps its default."""

AUTO = "auto"
"""As Max policy size: what the device's platform bears."""


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
    table = {} if present is None else attrs.asdict(present, recurse=False)
    given = {name: value for name, value in options.items() if value is not None}
    for one in SECRETS:
        if given.get(one) == MASK and present is not None:
            del given[one]
    if proposes_size(options):
        given.pop("max_policy_size", None)
    given.pop("entry", None)  # permanent: a view that is taken back does not carry it elsewhere
    table.update(given)
    for name, dependants in _CLEARED_WITH.items():
        if name in given and values.optional(lambda value: value)(given[name]) is None:
            table.update({one: None for one in dependants if one not in given})
    if present is not None:
        table["name"] = present.name
    else:
        table["entry"] = values.new_entry()
        table.setdefault("name", table.get("device_id"))
    settings, faults = read_table(DeviceSettings, table)
    faults = [*faults, *([] if settings is None else disagreements(settings))]
    if settings is None or faults:
        if "name" not in options and any(one.where == "device_id" for one in faults):
            faults = [one for one in faults if one.where != "name"]
        raise SettingsFaulty("device settings", [_by_option(one) for one in faults])
    return settings


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
    return {name: _shown(value) for name, value in attrs.asdict(settings, recurse=False).items()}


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return MASK
    return list(value) if isinstance(value, tuple) else value


def device_row(settings: DeviceSettings) -> Json:
    """What `tsadmin list` needs to know of a device."""
    wanted = (
        "name",
        "type",
        "device_id",
        "device",
        "send_logs",
        "log_rotate_size",
        "policy_updates",
    )
    return {name: getattr(settings, name) for name in wanted}


def device_rows(layout: Layout) -> list[Json]:
    """
    A row for each stored device; one whose file is damaged gives its name and `fault`.

    Needs no sealing key, so that a lost one does not hide the devices.
    """
    rows: list[Json] = []
    for name in device_names(layout):
        try:
            rows.append(device_row(read_device(layout, name, None)))
        except TscmError as error:
            rows.append({"name": name, "fault": str(error)})
    return rows


@frozen(kw_only=True)
class CheckReport:
    """
    What the lists and the device answered before anything was stored.

    *proposed_size* is the Max policy size that the device's platform bears, or the
    careful default where the platform cannot be told.
    """

    block_entries: int
    allow_entries: int
    identity: Identity
    proposed_size: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """As the control interface carries it."""
        return attrs.asdict(self)


def count_entries(layout: Layout, settings: DeviceSettings, node: NodeSettings, name: str) -> int:
    """
    Entries of the list *name* as it is published now.  Blocking; raises `ListUnavailable`.
    """
    from time import time

    from tscm.retrieve.sources import Fetcher, list_source

    found = Fetcher(layout)(list_source(settings, node, name), None, time())
    return 0 if found is None else len(found.entries)


def connect(settings: DeviceSettings, node: NodeSettings) -> AsaDriver:
    """The driver of this device, opened."""
    from tscm.asa.driver import open_driver

    return open_driver(settings, node)


def look_up(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Addresses of names, by the system's resolver, within a few seconds."""
    from tscm.update import ways

    return ways.look_up(names)


@frozen(kw_only=True)
class Reach:
    """
    How a check reaches out: entries of a list by its name, the device's driver, addresses of names, what the
    receiver of uploads says of the device.
    """

    count_entries: Callable[[Layout, DeviceSettings, NodeSettings, str], int] = count_entries
    connect: Callable[[DeviceSettings, NodeSettings], AsaDriver] = connect
    look_up: Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]] = look_up
    ask_service: AskService = ask_service


NETWORK = Reach()


def refuse_without_servers(layout: Layout, node: NodeSettings) -> None:
    """Raise `SettingsFaulty` where no policy server is set: then no list can be fetched at all."""
    if not node.policy.servers and not node.policy.feeds:
        raise SettingsFaulty(
            str(layout.settings_file),
            [
                Fault(
                    where="policy.servers",
                    wrong="no policy server is set, so no list can be fetched",
                    allowed='servers = ["address[:port]", …] under [policy]',
                )
            ],
        )


def refuse_unknown_names(
    layout: Layout,
    node: NodeSettings,
    settings: DeviceSettings,
    present: DeviceSettings | None = None,
    *,
    reach: Reach = NETWORK,
) -> None:
    """
    Raise `SettingsFaulty` where a name that a block list must not reach cannot be looked up.

    Of a device that is there already, only names count that its *present* settings do not have.
    Blocking: for a thread.
    """
    from tscm.update.names import hosts

    before = set() if present is None else {one.host for one in hosts(present, node)}
    names = [one for one in hosts(settings, node) if one.named and one.host not in before]
    found = reach.look_up([one.host for one in names]) if names else {}
    faults = [
        Fault(
            where=one.where
            if one.where.startswith("--")
            else f"{one.where} in {layout.settings_file}",
            wrong=f"{values.shown(one.host)} cannot be looked up, so that a block list could cut it off",
            allowed="an address, or a name that this host can look up",
        )
        for one in names
        if not found.get(one.host)
    ]
    if faults:
        raise SettingsFaulty("device settings", faults)


def check_device(
    layout: Layout,
    node: NodeSettings,
    settings: DeviceSettings,
    report: Report,
    *,
    reach: Reach = NETWORK,
) -> CheckReport:
    """
    Can both lists be fetched, and does the device answer?  Blocking: for a thread.

    Raises `SettingsFaulty` where no policy server is set, `ListUnavailable`, `DeviceFault`.
    """
    refuse_without_servers(layout, node)
    counts = []
    for kind, names in (("block", settings.block_list), ("allow", settings.allow_list)):
        counts.append(0)
        for name in published(node.policy.feeds, names):
            report(Progress(phase="fetch", text=f"{kind} list {name}"))
            count = reach.count_entries(layout, settings, node, name)
            feed = feed_named(node.policy.feeds, name)
            if kind == "block" and not count and not (feed and feed.may_be_empty):
                raise ListUnavailable(
                    name,
                    "the list is empty, and a block list must not be",
                    "wait 15 minutes for a new device or policy, choose another block list, or where the "
                    "server keeps its transfers for others, set the TSIG key or have this address allowed",
                )
            counts[-1] += count
    report(Progress(phase="check", text=f"device at {settings.device}"))
    driver = reach.connect(settings, node)
    try:
        identity = driver.identify()
    finally:
        driver.close()
    return CheckReport(
        block_entries=counts[0],
        allow_entries=counts[1],
        identity=identity,
        proposed_size=identity.entries or DEFAULT_MAX_POLICY_SIZE,
        notes=tuple(_notes(settings, counts, identity)),
        warnings=tuple(_warnings(settings, node)),
    )


def _notes(settings: DeviceSettings, counts: Sequence[int], who: Identity) -> Sequence[str]:
    parts = [
        who.model or "model unknown",
        f"version {who.version}" if who.version else "version unknown",
        f"serial number {who.serial}" if who.serial else "",
        f"REST API agent {who.agent}" if who.agent else "",
        who.role or "",
    ]
    return [
        f"Block list {settings.block_list}: {_entries(counts[0])}",
        f"Allow list {settings.allow_list}: {_entries(counts[1])}",
        f"Device {settings.device}: {', '.join(part for part in parts if part)}",
        "Support of the ASA by its REST API is beta",
    ]


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _warnings(settings: DeviceSettings, node: NodeSettings) -> Sequence[str]:
    found = []
    if settings.allow_self_signed:
        found.append(
            "Self-signed certificates are allowed: this is not safe, for anybody on the way can "
            "pose as the device and take the password; prefer --ca_file or --fingerprint"
        )
    if settings.send_logs and node.upload.url is None:
        found.append(
            "Logs are kept and not uploaded: no log service is set (url under [upload] in tscm.toml)"
        )
    return found


def cut_told(settings: DeviceSettings, check: CheckReport) -> str | None:
    """What the Max policy size leaves out of lists as they are now; None where nothing."""
    published, size = check.block_entries + check.allow_entries, settings.max_policy_size
    if published <= size:
        return None
    return (
        f"{published - size:,} of {published:,} entries will be cut, for the Max Policy Size is {size:,}, "
        f"unless they can be merged"
    )


def settle(settings: DeviceSettings, options: Options, check: CheckReport) -> DeviceSettings:
    """*settings* with the Max policy size that the check proposes, unless one was given."""
    if not proposes_size(options):
        return settings
    return attrs.evolve(settings, max_policy_size=check.proposed_size)


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

    A check of lists and device takes its time: what somebody else stored meanwhile is not overwritten.
    Raises `DeviceUnknown`, `DeviceChanged`, `SenderConflict`, `SecretUnavailable`; then nothing has
    changed.
    """
    if stored_device(layout, settings.name) != present:
        raise DeviceChanged(settings.name)
    refuse_conflicts(layout, settings)
    write_device(layout, settings, key_for_sealing(layout))


def added(
    node: NodeSettings, settings: DeviceSettings, check: CheckReport, notes: Sequence[str] = ()
) -> Json:
    """The answer to `add`: what was found, what was stored, what to type on the device."""
    from tscm.asa.lines import setup_lines

    return {
        "name": settings.name,
        "check": check.as_json(),
        "settings": settings_view(settings),
        "lines": setup_lines(settings, node),
        "notes": list(notes),
    }


def changed(
    present: DeviceSettings,
    settings: DeviceSettings,
    check: CheckReport | None,
    notes: Sequence[str] = (),
) -> Json:
    """
    The answer to `configure`; its *notes* say what the operator has to do on the device now, and more.
    """
    return {
        "name": settings.name,
        "check": None if check is None else check.as_json(),
        "settings": settings_view(settings),
        "changed": changed_settings(present, settings),
        "notes": [*notes, *_after_change(present, settings)],
    }


def _after_change(present: DeviceSettings, settings: DeviceSettings) -> Iterator[str]:
    if present.prefix != settings.prefix:
        yield (
            f"The next update makes groups named {settings.prefix}-…; the access-lists must be changed "
            f"to them, and the groups {present.prefix}-… stay on the device until you delete them"
        )
    if present.device != settings.device:
        yield (
            f"The device is another now: it needs the lines of `tsadmin show {settings.name} --lines`, "
            f"and what stands on {present.device} stays there"
        )
    if present.log_proxy_user and not settings.log_proxy:
        yield "The user and the password of the log upload proxy are cleared with it"
    both = present.syslog_forward and settings.syslog_forward
    gone = {
        "the SIEM": present.syslog_forward and not settings.syslog_forward,
        "a further target": both and set(present.forward_also) - set(settings.forward_also),
        "the log service": present.send_logs and not settings.send_logs,
    }
    off = [what for what, left in gone.items() if left]
    if off and settings.backlog == "drop":
        yield f"Lines that waited for {' and '.join(off)} are dropped for it; they stay in the log"
    elif off:
        yield (
            f"Lines that wait for {' and '.join(off)} are kept for its return; `tsadmin show {settings.name}` "
            f"shows how many, and the command that gives them up"
        )


def changed_settings(present: DeviceSettings, settings: DeviceSettings) -> list[str]:
    """Names of the settings in which the two differ."""
    return [
        one.name
        for one in attrs.fields(DeviceSettings)
        if getattr(present, one.name) != getattr(settings, one.name)
    ]


def changes(present: DeviceSettings, settings: DeviceSettings) -> Json:
    """Each setting in which the two differ, as `{old, new}`, secrets masked: for the audit."""
    before, now = settings_view(present), settings_view(settings)
    return {
        name: {"old": before[name], "new": now[name]}
        for name in changed_settings(present, settings)
    }


_CHECKED = frozenset(
    {
        "device",
        "block_list",
        "allow_list",
        "dns_port",
        "tsig_name",
        "tsig_key",
        "token_auth",
        "allow_self_signed",
        "username",
        "password",
        "rest_url",
        "ca_file",
        "fingerprint",
    }
)


def needs_check(present: DeviceSettings, settings: DeviceSettings) -> bool:
    """Has something changed that lists or device could object to?"""
    return not _CHECKED.isdisjoint(changed_settings(present, settings))


def forget_device(layout: Layout, node: NodeSettings, name: str) -> Json:
    """
    All of `tsadmin remove` but the manager's own part: gives `{name, lines}`, the way back.

    Its logs stay where they are.  A device whose file is damaged is forgotten too, without lines.
    """
    from tscm.asa.lines import removal_lines

    try:
        settings = read_device(layout, name, None)
        lines = removal_lines(settings, node, known_groups(layout.database, name))
    except (SettingsFaulty, SettingsUnreadable) as error:
        lines = f"! the settings were damaged, so the lines cannot be told: {error}"
    remove_device(layout, name)
    return {"name": name, "lines": lines}
