"""
Which device the lines of an address belong to: conflicts, and addresses that stand for a relay; and
targets that would send a device's lines back to us.

Blocking: the files of all devices are compared.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from tscm.errors import ForwardsToItself, SameFirewall, SenderConflict, TscmError
from tscm.forward.own import Listeners, loop_of
from tscm.forward.target import targets_of
from tscm.intake.senders import normal_address
from tscm.printable import visible
from tscm.settings.device import DeviceSettings
from tscm.settings.files import device_names, read_device
from tscm.settings.layout import Layout
from tscm.store.reading import read_only
from tscm.update.job import Seen
from tscm.update.lookups import LookUp
from tscm.update.memory import DeviceMemory


def refuse_conflicts(layout: Layout, settings: DeviceSettings) -> None:
    """
    Raise `SenderConflict` where two devices would have one of their own addresses in common, and
    `SameFirewall` where both would be reached in the same place and manage groups of one prefix.

    The management address is no other device's in any way, not even as an additional source: the
    manager would not take such a file (`SenderTable.claim`).  Needs no sealing key; a device whose file is
    damaged cannot be compared.
    """
    own, senders = _plain(settings.own_addresses), _plain(settings.senders)
    for other in other_devices(layout, settings.name):
        shared = own & _plain(other.own_addresses)
        shared |= _plain([settings.device]) & _plain(other.senders)
        shared |= senders & _plain([other.device])
        if shared:
            raise SenderConflict(min(shared), settings.name, other.name)
        same = (other.endpoint, other.own_names) == (settings.endpoint, settings.own_names)
        if same and settings.own_names:
            raise SameFirewall(settings.managed_at, settings.name, other.name, settings.own_names)


def refuse_address(layout: Layout, name: str, address: str) -> None:
    """
    Raise `SenderConflict` where *address* cannot be the management address of device *name*: all that can be told
    before its other settings are known.
    """
    for other in other_devices(layout, name):
        if normal_address(address) in _plain(other.senders):
            raise SenderConflict(address, name, other.name)


def refuse_same_firewall(layout: Layout, settings: DeviceSettings, serial: str | None) -> None:
    """
    Raise `SameFirewall` where another device of that prefix has the *serial* number; None for the device's own known ones.

    Serial numbers are a set, for each unit of a failover pair has one.  Without the database none is known.
    """
    known = _known_serials(layout)
    own = known.get(settings.name, frozenset()) if serial is None else {serial}
    for other in other_devices(layout, settings.name):
        shared = own & known.get(other.name, frozenset())
        if shared and settings.own_names and other.own_names == settings.own_names:
            number = f"serial number {visible(min(shared))}"
            raise SameFirewall(number, settings.name, other.name, settings.own_names)


def claimed_by_another(
    layout: Layout, settings: DeviceSettings, seen: Seen, look_up: LookUp
) -> tuple[str, str] | None:
    """
    Another stored device with this prefix that is the same firewall, as far as is known, and by what that
    is known; None where there is none.

    The same place, serial number or address; and groups as they were *seen* that are what an update of the other
    left, for earlier versions kept no serial numbers.  Blocking: names are looked up.
    """
    memories = known_memories(layout)
    serials = {*seen.serials, *_serials(memories, settings.name)}
    rivals = [
        one for one in other_devices(layout, settings.name) if one.own_names == settings.own_names
    ]
    for other in rivals:
        if other.endpoint == settings.endpoint:
            return other.name, settings.managed_at
        shared = serials & _serials(memories, other.name)
        if shared:
            return other.name, f"serial number {visible(min(shared))}"
        memory = memories.get(other.name)
        if memory is not None and memory.layout == seen.layout:
            return other.name, "its last update left the groups as they are now"
    return _same_address(settings, rivals, look_up)


def _same_address(
    settings: DeviceSettings, rivals: Sequence[DeviceSettings], look_up: LookUp
) -> tuple[str, str] | None:
    from tscm.update.names import is_address  # heavy: not for `tsadmin list`

    places = {one.name: urlsplit(f"//{one.endpoint}") for one in (settings, *rivals)}
    hosts = {place.hostname or "" for place in places.values()}
    found = look_up([one for one in hosts if not is_address(one)]) if rivals else {}

    def addresses(name: str) -> set[str]:
        host = places[name].hostname or ""
        return _plain(found.get(host) or [host])

    for other in rivals:
        shared = addresses(settings.name) & addresses(other.name)
        if shared and places[settings.name].port == places[other.name].port:
            return other.name, f"address {min(shared)}"
    return None


def _known_serials(layout: Layout) -> dict[str, frozenset[str]]:
    """By device, what it was seen to call itself."""
    memories = known_memories(layout)
    return {name: _serials(memories, name) for name in memories}


def _serials(memories: Mapping[str, DeviceMemory], name: str) -> frozenset[str]:
    return frozenset(memories[name].serials) if name in memories else frozenset()


def known_memories(layout: Layout) -> dict[str, DeviceMemory]:
    """By device, what its updates left; nothing without the database."""
    found = {}
    if layout.database.exists():
        with suppress(TscmError), read_only(layout.database) as database:
            for name, kept in database.execute("SELECT device, memory FROM devices"):
                found[name] = DeviceMemory.from_json(json.loads(kept))
    return found


def refuse_loops(settings: DeviceSettings, listeners: Listeners) -> None:
    """
    Raise `ForwardsToItself` where a target of the device is one of the manager's own *listeners*.

    Names are looked up; one that does not resolve now is looked at again before each connection.
    """
    for target in targets_of(settings).values():
        own = loop_of(target, listeners)
        if own is not None:
            raise ForwardsToItself(str(target), own)


def relay_notes(
    layout: Layout, present: DeviceSettings | None, settings: DeviceSettings
) -> list[str]:
    """
    A sentence for each additional source that is new here and that another device has already.

    That is how a relay is told (`SenderTable.claim`), and nothing else: who adopts a sender for the
    wrong device would have the lines of both sorted by what their headers say.
    """
    had = _plain(() if present is None else present.senders)
    new = _plain(settings.senders) - had
    notes = []
    for other in other_devices(layout, settings.name):
        notes += [
            f"{address} is also a source of {other.name}, so it is treated as a relay: "
            "each line goes to the device named in its header, and lines that name "
            "neither are dropped and counted; if it is not a relay, remove it from the "
            "other device's `--syslog_sources`"
            for address in sorted(new & _plain(other.senders))
        ]
    return notes


def other_devices(layout: Layout, name: str) -> Iterator[DeviceSettings]:
    """Stored devices but *name*; one whose file is damaged cannot be compared."""
    for one in device_names(layout):
        if one != name:
            try:
                yield read_device(layout, one, None)
            except TscmError:
                continue


def _plain(addresses: Iterable[str]) -> set[str]:
    return {normal_address(one) for one in addresses}
