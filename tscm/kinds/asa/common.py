"""
What the kinds of ASA share, whichever way leads to the device.  Light: what is heavy is imported where it is called.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tscm import __version__
from tscm.kinds.asa.settings import asa, asa_https
from tscm.kinds.kind import Kind
from tscm.model import Identity
from tscm.settings.device import DeviceSettings

if TYPE_CHECKING:
    from tscm.settings.node import NodeSettings


def holders(settings: DeviceSettings) -> Mapping[str, str]:
    """The parents, by the list that they hold."""
    from tscm.kinds.asa.groups import KINDS, parent_name

    return {kind: parent_name(asa(settings).prefix, kind) for kind in KINDS}


def told_of(settings: DeviceSettings, who: Identity) -> str:
    """A sentence of what the device said of itself."""
    parts = [
        who.model or "model unknown",
        f"version {who.version}" if who.version else "version unknown",
        f"serial number {who.serial}" if who.serial else "",
        f"REST API agent {who.agent}" if who.agent else "",
        who.role or "",
    ]
    return f"Device {settings.device}: {', '.join(part for part in parts if part)}"


def notes(settings: DeviceSettings, who: Identity) -> Sequence[str]:
    """What the device said of itself, for who adds it."""
    return [told_of(settings, who)]


def unsafe_certificates(settings: DeviceSettings) -> Sequence[str]:
    """What is said where any certificate is allowed."""
    if not asa_https(settings).allow_self_signed:
        return ()
    return [
        "Self-signed certificates are allowed, which is not safe: an attacker on the path "
        "can impersonate the device and capture the password; prefer --ca_file or "
        "--fingerprint"
    ]


def way_back(settings: DeviceSettings, node: "NodeSettings", groups: Sequence[str]) -> str:
    """What to type to take everything away."""
    from tscm.kinds.asa.lines import removal_lines

    return removal_lines(settings, node, groups)


def sizes(settings: DeviceSettings, limit: int) -> Sequence[str]:
    """What to say where lists of the Max policy size do not fit into groups of *limit* members, or only in larger children."""
    return tuple(_sizes(settings.group_size, settings.max_policy_size, limit))


def _sizes(size: int, most: int, limit: int) -> Iterator[str]:
    from tscm.kinds.asa.capacity import children_needed, most_entries, size_for

    said = f"The device was seen to take no more than {limit:,} members in a group"
    enough = size_for(most, limit)
    if enough is None:
        yield (
            f"{said}, so its groups hold about {most_entries(limit):,} entries of a list, and the Max Policy Size is "
            f"{most:,}: an update with a larger list is refused"
        )
    elif size < enough:
        children = children_needed(most, 0, size)
        yield (
            f"{said}, and {most:,} entries take {children:,} children of {size:,}: children will be larger where there "
            f"would be too many; --object_group_size {enough} is the smallest that is enough"
        )
    elif size > limit:
        yield f"{said}, and the Object-Group Size is {size:,}: children hold what the device takes"


asa_kind = partial(
    Kind,
    version=__version__,
    enforcer="tscm.kinds.asa.enforcer:AsaEnforcer",
    purge="tscm.kinds.asa.purge:purge_device",
    proof="tscm.kinds.asa.proving:PROVER",
    way_back=way_back,
    holders=holders,
    sizes=sizes,
    reloads=True,
    silence="enter `show logging` on the device",
    called="ASA",
)
"""A `Kind` whose devices are ASAs; what remains to be said is the way that leads to one."""
