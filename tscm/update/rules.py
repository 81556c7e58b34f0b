"""
The guard's rules for a device, from the settings and from what is known of names.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from attrs import evolve

from tscm.policy.guard import GuardRules, Protected
from tscm.settings.device import DeviceSettings
from tscm.settings.feed import feed_named
from tscm.settings.node import NodeSettings
from tscm.update.known_name import KnownName
from tscm.update.names import Host, hosts, protected, unknown
from tscm.update.networks import known_networks
from tscm.update.ways import own_address_towards

Share = TypeVar("Share", float, float | None)


def guard_rules(
    settings: DeviceSettings, node: NodeSettings, spared: Iterable[Protected]
) -> GuardRules:
    """
    The guard's rules for a device's block list, with the addresses that are to be *spared*.

    Without the warning lists, which are files to be read (`tscm.update.networks`).
    """
    policy = node.policy
    growth = policy.max_growth_percent
    return GuardRules(
        protected=tuple(spared),
        widest_v4=policy.widest_ipv4,
        widest_v6=policy.widest_ipv6,
        allow_special=policy.allow_special or settings.allow_special,
        shrink_share=policy.max_shrink_percent / 100,
        readable_share=policy.min_readable_percent / 100,
        growth_share=None if growth is None else growth / 100,
        max_entries=policy.max_list_entries,
    )


def rules_of(node: NodeSettings, name: str, rules: GuardRules) -> GuardRules:
    """*rules* with what a feed says of its own size instead."""
    feed = feed_named(node.policy.feeds, name)
    if feed is None:
        return rules
    return evolve(
        rules,
        empty_is_right=feed.may_be_empty,
        may_be_empty=rules.may_be_empty or feed.may_be_empty,
        shrink_share=_share(feed.shrink_percent, rules.shrink_share),
        growth_share=_share(feed.max_growth_percent, rules.growth_share),
        readable_share=_share(feed.min_readable_percent, rules.readable_share),
        min_entries=feed.min_entries,
        max_entries=rules.max_entries if feed.max_entries is None else feed.max_entries,
    )


def _share(percent: int | None, otherwise: Share) -> Share:
    return otherwise if percent is None else percent / 100


def spared(
    settings: DeviceSettings,
    node: NodeSettings,
    people: Iterable[Host],
    known: Mapping[str, KnownName],
) -> Iterator[Protected]:
    """The manager's own address, and all that are known of *people*; each once, as what comes first."""
    device = known.get(settings.device)
    towards = next(iter(device.addresses), None) if device else settings.device
    own = node.address or (None if towards is None else own_address_towards(towards))
    ours = () if own is None else (Protected(own.partition("%")[0], "the manager"),)
    seen: set[str] = set()
    for one in (*ours, *protected(people, known)):
        if one.cidr not in seen:
            seen.add(one.cidr)
            yield one


def known_rules(
    settings: DeviceSettings,
    node: NodeSettings,
    names: Mapping[str, KnownName],
    sources: Iterable[str],
) -> tuple[GuardRules, list[Host]]:
    """
    The guard's rules for what is entered by hand, without looking any name up, and whose address is unknown.

    *sources* are the hosts that lists came by way of.  Raises `NetworksUnreadable`.
    """
    people = hosts(settings, node, sources)
    rules = evolve(
        guard_rules(settings, node, spared(settings, node, people, names)),
        warning_lists=known_networks(node.policy.networks).warning_lists,
    )
    return rules, unknown(people, names)
