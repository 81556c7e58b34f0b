"""
What speaks against an entry by hand, before anything is stored: the guard of every device concerned.

Pure but for files of known networks, so for a thread.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from tscm.errors import TscmError
from tscm.model import Cidr
from tscm.policy.by_hand import ALLOW, BLOCK, HandEntry
from tscm.policy.cidr import CidrSet
from tscm.retrieve.feeds import hosts_of
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings
from tscm.store.generations import decode_entries
from tscm.update.by_hand import judge
from tscm.update.known_name import KnownName
from tscm.update.lookups import LookUp
from tscm.update.rules import known_rules

_SHOWN = 5


class EntryRefused(TscmError):
    """
    The guard has something against an entry by hand; nothing was stored.
    """

    def __init__(self, entry: str, causes: Sequence[str]) -> None:
        self.entry = entry
        self.causes = tuple(causes)
        super().__init__(entry, self.causes)

    def __str__(self) -> str:
        shown = "; ".join(self.causes[:_SHOWN])
        more = len(self.causes) - _SHOWN
        tail = f"; and {more:,} more" if more > 0 else ""
        return f"{self.entry} is rejected, and nothing was stored: {shown}{tail}"


@frozen(kw_only=True, eq=False)
class Concerned:
    """
    A device that an entry is for, as far as the guard needs to know it.

    *allow* is the packed allow list of its newest generation.
    """

    settings: DeviceSettings
    names: Mapping[str, KnownName]
    sources: Sequence[str]
    allow: bytes | None = None


def check_entry(
    entry: HandEntry,
    concerned: Sequence[Concerned],
    standing: Sequence[HandEntry],
    node: NodeSettings,
    look_up: LookUp,
) -> list[str]:
    """
    Notes for the operator.  Raises `EntryRefused`, `NetworksUnreadable`.

    *standing* are the entries by hand that stand.  Names are looked up where nothing was ever known of them.
    """
    causes: dict[str, list[str]] = {}
    for one in concerned:
        for cause in _against(entry, one, node, look_up):
            causes.setdefault(cause, []).append(one.settings.name)
    if causes:
        raise EntryRefused(
            f"{entry.action} {entry.cidr}",
            [_where(cause, names, len(concerned)) for cause, names in causes.items()],
        )
    if entry.action == ALLOW:
        return [
            f"{other} also exists, and has no effect until this entry ends"
            for other in standing
            if other.action == BLOCK and _covers([entry.cidr], other.cidr)
        ]
    return _permitted(entry, concerned, standing)


def _against(
    entry: HandEntry, one: Concerned, node: NodeSettings, look_up: LookUp
) -> Iterator[str]:
    names = dict(one.names)
    sources = [host for source in one.sources for host in hosts_of(source)]
    rules, strangers = known_rules(one.settings, node, names, sources)
    if strangers and entry.action == BLOCK:
        found = look_up([stranger.host for stranger in strangers])
        names |= {
            host: names.get(host, KnownName(name=host)).after(seen, entry.made_at)
            for host, seen in found.items()
        }
        rules, strangers = known_rules(one.settings, node, names, sources)
    for _, cause in judge([entry], rules).left_out:
        yield cause
    if strangers and entry.action == BLOCK and node.policy.unknown_names == "hold":
        for stranger in strangers:
            yield (
                f"{stranger.host}, {stranger.what} ({stranger.where}), does not resolve "
                "and none of its addresses is known, so it could be blocked: correct the "
                'name, or set [policy] unknown_names = "warn"'
            )


def _permitted(
    entry: HandEntry, concerned: Sequence[Concerned], standing: Sequence[HandEntry]
) -> list[str]:
    """
    Notes where an allow list takes a block entry its effect.  Raises `EntryRefused` where it has none at all.
    """
    by_hand = [one for one in standing if one.action == ALLOW]
    for one in by_hand:
        if one.device in {None, entry.device} and _covers([one.cidr], entry.cidr):
            raise EntryRefused(
                f"{entry.action} {entry.cidr}",
                [
                    (
                        f"{one} permits it and comes first; remove that entry with `tsadmin "
                        f"entries remove {one.id}`"
                    )
                ],
            )
    dead: list[Concerned] = []
    partly: list[Concerned] = []
    for device in concerned:
        allow = _allow_list(device)
        if allow.covers(entry.cidr):
            dead.append(device)
        elif allow.overlaps(CidrSet.of_texts([entry.cidr])):
            partly.append(device)
    if dead and len(dead) == len(concerned):
        lists = ", ".join(dict.fromkeys(one.settings.allow_list for one in dead))
        raise EntryRefused(
            f"{entry.action} {entry.cidr}",
            [
                f"the allow list ({lists}) permits it and comes first, so a block would "
                "have no effect"
            ],
        )
    return [
        *(
            (
                f"no effect on {one.settings.name}: its allow list permits {entry.cidr} and "
                "comes first"
            )
            for one in dead
        ),
        *(
            (
                f"part of {entry.cidr} remains permitted on {one.settings.name}: its allow "
                "list comes first"
            )
            for one in partly
        ),
    ]


def _where(cause: str, names: Sequence[str], devices: int) -> str:
    """A cause with the devices that it holds for, where not for all."""
    return cause if len(names) == devices else f"{', '.join(names[:_SHOWN])}: {cause}"


def _allow_list(one: Concerned) -> CidrSet:
    """As it is in force; what is damaged permits nothing that is known."""
    try:
        return CidrSet() if one.allow is None else CidrSet.of(decode_entries(one.allow))
    except ValueError:
        return CidrSet()


def _covers(networks: Sequence[Cidr], other: Cidr) -> bool:
    return CidrSet.of_texts(networks).covers(other)
