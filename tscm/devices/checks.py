"""
Checking a device before its settings are stored: can its lists be fetched, and does it answer?

Blocking, for a thread.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from tscm.devices.answers import CheckReport
from tscm.devices.reach import NETWORK, Reach
from tscm.errors import Fault, ListUnavailable, SettingsFaulty
from tscm.kinds.kind import kind_of
from tscm.model import Identity, Progress, Report
from tscm.plural import many
from tscm.settings import values
from tscm.settings.device import DEFAULT_MAX_POLICY_SIZE, DeviceSettings
from tscm.settings.feed import feed_named, published
from tscm.settings.layout import Layout
from tscm.settings.node import NodeSettings
from tscm.store.reading import good_list

if TYPE_CHECKING:
    from tscm.policy.lists import PolicyList


def refuse_without_servers(layout: Layout, node: NodeSettings) -> None:
    """Raise `SettingsFaulty` where no policy server is set: then no list can be fetched at all."""
    if not node.policy.servers and not node.policy.feeds:
        raise SettingsFaulty(
            str(layout.settings_file),
            [
                Fault(
                    where="policy.servers",
                    wrong="no policy server is configured, so no list can be fetched",
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
) -> list[str]:
    """
    Raise `SettingsFaulty` where a name that a block list must not reach cannot be looked up.

    Of a device that is there already, only names count that its *present* settings do not have.  Where
    something of the forwarding is new, gives a sentence for each other SIEM whose name cannot be looked up: one
    that was set before, or to which nothing is forwarded yet.  Blocking: for a thread.
    """
    from tscm.update.names import hosts, is_address, siems

    before = set() if present is None else {one.host for one in hosts(present, node)}
    names = [one for one in hosts(settings, node) if one.named and one.host not in before]
    new = {one.host for one in names}
    others = {host: where for host, where in siems(settings) if host not in new}
    if present is not None and _forwarding(present) == _forwarding(settings):
        others = {}
    asked = [*new, *(host for host in others if not is_address(host))]
    found = reach.look_up(asked) if asked else {}
    faults = [
        Fault(
            where=one.where
            if one.where.startswith("--")
            else f"{one.where} in {layout.settings_file}",
            wrong=f"{values.shown(one.host)} does not resolve, so a block list could block it",
            allowed="an address, or a name that this host can resolve",
        )
        for one in names
        if not found.get(one.host)
    ]
    if faults:
        raise SettingsFaulty("device settings", faults)
    then = (
        "its lines are kept until it does"
        if settings.syslog_forward
        else "nothing would reach it if forwarding were enabled now"
    )
    return [
        f"The SIEM {values.shown(host)} ({where}) does not resolve, and {then}; check the "
        "name, and the resolver of this host"
        for host, where in others.items()
        if host in asked and not found.get(host)
    ]


def _forwarding(settings: DeviceSettings) -> dict[str, object]:
    return attrs.asdict(settings, filter=lambda one, _: one.name in {"syslog_forward", "forward"})


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
    from tscm.devices.lists import remarks

    refuse_without_servers(layout, node)
    counts: list[int] = []
    said: list[str] = []
    for kind, names in (("block", settings.block_list), ("allow", settings.allow_list)):
        counts.append(0)
        for name in published(node.policy.feeds, names):
            report(Progress(phase="fetch", text=f"{kind} list {name}"))
            found = reach.fetch_list(layout, settings, node, name)
            count, feed = len(found.entries), feed_named(node.policy.feeds, name)
            if kind == "block" and not count and not (feed and feed.may_be_empty):
                raise _empty(settings, node, found)
            counts[-1] += count
            said += remarks(found, kind, settings, node, _known(layout, settings.name, name))
    report(Progress(phase="check", text=f"device at {settings.device}"))
    identity = kind_of(settings).check(lambda: reach.connect(settings, node))
    return CheckReport(
        block_entries=counts[0],
        allow_entries=counts[1],
        identity=identity,
        proposed_size=identity.entries or usual_size(settings),
        notes=tuple(_notes(settings, counts, identity)),
        warnings=(*said, *_warnings(settings, node)),
    )


def usual_size(settings: DeviceSettings) -> int:
    """The Max Policy Size of a device of that type of which nothing is known."""
    field = attrs.fields_dict(type(settings)).get("max_policy_size")
    usual = DEFAULT_MAX_POLICY_SIZE if field is None else field.default
    return usual if isinstance(usual, int) else DEFAULT_MAX_POLICY_SIZE


def _empty(settings: DeviceSettings, node: NodeSettings, found: "PolicyList") -> ListUnavailable:
    """That a block list has no entry, with what may be wrong where it comes from."""
    from tscm.retrieve.feeds import FeedUnavailable
    from tscm.retrieve.sources import list_source

    feed = list_source(settings, node, found.name).feed
    cause, remedy = "the list is empty, and a block list must not be empty", ""
    if found.refused_count:
        entries = many(found.refused_count, "entry", "entries")
        cause = f"nothing in it could be read, of {entries}, and a block list must not be empty"
        remedy = "correct the list, or choose another block list"
    if feed is not None:
        remedy = (
            "look at it, and at the feed's format, pick and where settings (in the pick of a json a list is a `*`: "
            "`prefixes.*.ip_prefix`); `may_be_empty = true` takes it where that is right"
        )
        return FeedUnavailable(found.name, feed.shown, cause, remedy)
    return ListUnavailable(
        found.name,
        cause,
        remedy
        or "if the device or policy is new, wait 15 minutes; otherwise choose another block "
        "list, or, if the server restricts transfers, set the TSIG key or have this "
        "address allowed",
    )


def _known(layout: Layout, device: str, name: str) -> "tuple[str, PolicyList] | None":
    from tscm.store.generations import StoredDamaged

    found = good_list(layout.database, device, name)
    if found is None:
        return None
    owner, one = found
    with suppress(StoredDamaged):  # the next update of that device fetches it again
        return owner, one.readable(owner)
    return None


def _notes(settings: DeviceSettings, counts: Sequence[int], who: Identity) -> Sequence[str]:
    return [
        f"Block list {settings.block_list}: {many(counts[0], 'entry', 'entries')}",
        f"Allow list {settings.allow_list}: {many(counts[1], 'entry', 'entries')}",
        *kind_of(settings).notes(settings, who),
    ]


def _warnings(settings: DeviceSettings, node: NodeSettings) -> Sequence[str]:
    found = [*kind_of(settings).warnings(settings)]
    if settings.send_logs and node.upload.url is None:
        found.append(
            "Logs are stored but not uploaded: no log service is configured (url under "
            "[upload] in tscm.toml)"
        )
    return found


def cut_told(settings: DeviceSettings, check: CheckReport) -> str | None:
    """What the Max policy size leaves out of lists as they are now; None where nothing."""
    published, size = check.block_entries + check.allow_entries, settings.max_policy_size
    if published <= size:
        return None
    return (
        f"{published - size:,} of {published:,} entries will be cut to fit Max Policy Size "
        f"({size:,}), unless merging makes room"
    )
