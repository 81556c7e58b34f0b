"""
Whether an Object-Group Size suits what a device was seen to take in a group.

Blocking: what updates learnt is read from the database.
"""

from tscm.devices.claims import known_memories, other_devices
from tscm.kinds.kind import kind_of
from tscm.settings.device import DeviceSettings
from tscm.settings.layout import Layout


def size_notes(
    layout: Layout,
    present: DeviceSettings | None,
    settings: DeviceSettings,
    serial: str | None = None,
) -> list[str]:
    """
    A sentence where lists of the Max policy size do not fit into groups of that size, or do only in larger ones.

    A device that was never updated is known by another entry for the same firewall: its place or *serial* number.
    Nothing where neither size has changed from the *present* settings.
    """
    if not settings.group_size:
        return []
    if present is not None and _sizes(present) == _sizes(settings):
        return []
    limit = _known_limit(layout, settings, serial)
    return [] if limit is None else list(kind_of(settings).sizes(settings, limit))


def _sizes(settings: DeviceSettings) -> tuple[int, int]:
    return settings.group_size, settings.max_policy_size


def _known_limit(layout: Layout, settings: DeviceSettings, serial: str | None) -> int | None:
    known = known_memories(layout)
    same = [
        one.name
        for one in other_devices(layout, settings.name)
        if one.endpoint == settings.endpoint
        or (one.name in known and serial in known[one.name].serials)
    ]
    for name in (settings.name, *same):
        memory = known.get(name)
        if memory is not None and memory.group_limit is not None:
            return memory.group_ceiling or memory.group_limit
    return None
