"""
A listed address put to the test: what to ask `packet-tracer`, and what its answer means.  Pure.
"""

import ipaddress
import re
from collections.abc import Mapping

from attrs import frozen

from tscm.doctor.finding import Finding, failed, not_checked, ok, warning
from tscm.doctor.firewall import Heard
from tscm.kinds.asa.access_lists import Entry
from tscm.kinds.asa.driver import Group
from tscm.kinds.asa.enforcing import entries_in_force
from tscm.kinds.asa.groups import KINDS, members_under, parent_name
from tscm.kinds.asa.running import Binding, Interface, RunningConfig
from tscm.plural import many

_ANY_HOST = "192.168.1.10"
_CANDIDATES = 200
_RESULT = re.compile(r"(?mi)^Action:\s*(\S+)")


@frozen(kw_only=True)
class PacketTrace:
    """
    A packet that the block list should stop.

    *listed* is the address of the list, *entry* the access-list's line that should take it.
    """

    listed: str
    entry: Entry
    interface: str
    source: str
    destination: str

    @property
    def command(self) -> str:
        """What to type; it changes nothing, and sends no packet."""
        return f"packet-tracer input {self.interface} tcp {self.source} 1025 {self.destination} 80"


def build_trace(
    config: RunningConfig, groups: Mapping[str, Group], prefix: str
) -> PacketTrace | None:
    """
    A packet to or from a blocked address that the allow list does not spare; None where none is to be had.
    """
    block, allow = (parent_name(prefix, kind) for kind in KINDS)
    if block not in groups:
        return None
    listed = _listed(
        members_under(groups, block), members_under(groups, allow) if allow in groups else ()
    )
    if listed is None:
        return None
    return trace_of(config, prefix, listed)


def trace_of(config: RunningConfig, prefix: str, listed: str) -> PacketTrace | None:
    """
    A packet to or from *listed* that one of our entries should stop; None where none can be made up.
    """
    block = parent_name(prefix, "Block")
    for entry in entries_in_force(config, prefix, "Block"):
        to_listed = entry.destination == f"object-group {block}"
        if (entry.source if to_listed else entry.destination) != "any" or entry.narrowed:
            continue
        for binding in config.bound(entry.access_list):
            interface = _way_in(config, binding, inside=to_listed)
            host = _host_behind(config, inside=True)
            if interface is not None:
                return PacketTrace(
                    listed=listed,
                    entry=entry,
                    interface=interface.name,
                    source=host if to_listed else listed,
                    destination=listed if to_listed else host,
                )
    return None


def _listed(blocked: tuple[str, ...], spared: tuple[str, ...]) -> str | None:
    allowed = [ipaddress.ip_network(one) for one in spared if ":" not in one]
    for member in [one for one in blocked if ":" not in one][:_CANDIDATES]:
        network = ipaddress.ip_network(member)
        address = network[0] if network.num_addresses == 1 else network[1]
        if not any(address in one for one in allowed):
            return str(address)
    return None


def _way_in(config: RunningConfig, binding: Binding, *, inside: bool) -> Interface | None:
    """The interface where the packet comes in: inside has the highest security level."""
    through = [one for one in config.interfaces if not one.management]
    if binding.way == "in":
        return next((one for one in through if one.name == binding.interface), None)
    if binding.way == "out":
        through = [one for one in through if one.name != binding.interface]
    ranked = sorted(through, key=lambda one: one.level)
    if not ranked:
        return None
    return ranked[-1] if inside else ranked[0]


def _host_behind(config: RunningConfig, *, inside: bool) -> str:
    """An address that could be a host of the inside network."""
    ranked = sorted(
        (one for one in config.interfaces if not one.management and one.address and one.mask),
        key=lambda one: one.level,
    )
    if not ranked or not inside:
        return _ANY_HOST
    interface = ranked[-1]
    network = ipaddress.ip_network(f"{interface.address}/{interface.mask}", strict=False)
    own = ipaddress.ip_address(str(interface.address))
    host = own + 1 if own + 1 in network and own + 1 != network[-1] else own - 1
    return str(host) if host in network and host != network[0] else _ANY_HOST


def judge_trace(trial: PacketTrace | None, said: str | None, *, looked: bool = True) -> Finding:
    """*said* is what `packet-tracer` printed; None where it was not asked."""
    link = "test address"
    if not looked:
        return not_checked(link, "the device was not reached")
    if trial is None:
        return warning(
            link,
            "no test packet could be built that an active entry would match",
            "try `packet-tracer input` by hand, from an address inside to one of the block list",
        )
    by_hand = f"by hand: `{trial.command}`"
    found = None if said is None else _RESULT.search(said)
    if found is None:
        return warning(link, "the device did not respond to packet-tracer", by_hand)
    if found[1].lower() != "drop":
        return failed(
            link,
            f"the device permits {trial.listed}, which is on the block list",
            f"{by_hand}; its output shows the line that decides",
        )
    if said is not None and f"object-group {_group(trial)}" not in said:
        return warning(
            link,
            f"{trial.listed} is dropped, but not by an entry of tscm",
            f"find the cause {by_hand}",
        )
    return ok(link, f"{trial.listed} from the block list is dropped")


def _group(trial: PacketTrace) -> str:
    sides = (trial.entry.source, trial.entry.destination)
    return next((side.split()[1] for side in sides if side.startswith("object-group ")), "")


def judge_events(trial: PacketTrace | None, heard: Heard, name: str) -> Finding:
    """
    Does what is blocked come back as an event?  A real ASA writes no line for packet-tracer as a rule.
    """
    link = "blocked and logged"
    if not heard.counted:
        return failed(link, heard.fault or "the event reader is stalled", "see the manager's log")
    if heard.awaited and trial is not None:
        return ok(link, f"the line about {trial.listed} arrived")
    if heard.hits:
        return ok(link, f"{many(heard.hits, 'hit', 'hits')} in the last 24 hours")
    address = "an address from the block list" if trial is None else trial.listed
    return warning(
        link,
        (
            "no hits were logged in the last 24 hours; a firewall does not normally log "
            "packet-tracer packets"
        ),
        f"by hand: from a host behind the firewall open a connection to {address}, then `tsadmin report {name}`",
    )
