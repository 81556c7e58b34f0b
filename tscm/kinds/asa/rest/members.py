"""
Members of network object-groups, as the REST API writes them (docs/develop/asa.md, section 2).

Pure: JSON in, values out, and back.
"""

import re
from collections.abc import Mapping
from typing import Any

from tscm.kinds.asa.driver import Group
from tscm.model import Cidr, Json
from tscm.policy.spelling import read_cidr

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_IPV4_NETWORK = re.compile(rf"{_IPV4.pattern}/(?:[0-2]?[0-9]|3[0-2])")
GROUP_KIND = "object#NetworkObjGroup"
_GROUP_REFERENCE = "objectRef#NetworkObjGroup"


def member(cidr: Cidr) -> Json:
    """
    One network as a member.

    A single address must go as `IPv4Address`: the agent rejects `IPv4Network` with /32.
    """
    address, _, length = cidr.partition("/")
    if ":" in address:
        if length == "128":
            return {"kind": "IPv6Address", "value": address}
        return {"kind": "IPv6Network", "value": cidr}
    if length == "32":
        return {"kind": "IPv4Address", "value": address}
    return {"kind": "IPv4Network", "value": cidr}


def reference(group: str) -> Json:
    """A nested group as a member."""
    return {"kind": _GROUP_REFERENCE, "objectId": group}


def cidr_of(value: str) -> Cidr | None:
    """
    A member's value in our spelling; None when it is no network.

    IPv4 keeps the device's digits, since that is the spelling by which it can be removed;
    IPv6 has many spellings and is brought to one.
    """
    if _IPV4.fullmatch(value):
        return Cidr(value + "/32")
    if _IPV4_NETWORK.fullmatch(value):
        return Cidr(value)
    try:
        return read_cidr(value)[0]
    except ValueError:
        return None


def group_of(item: Mapping[str, Any]) -> Group | None:
    """
    One group out of a reply; None when the item has no name, or is something else.
    """
    name = item.get("name") or item.get("objectId")
    members = item.get("members", [])
    if not isinstance(name, str) or not isinstance(members, list):
        return None
    networks: list[Cidr] = []
    children: list[str] = []
    foreign = 0
    for one in members:
        kind = one.get("kind") if isinstance(one, Mapping) else None
        if kind == _GROUP_REFERENCE and isinstance(one.get("objectId"), str):
            children.append(one["objectId"])
            continue
        value = one.get("value") if kind in _NETWORK_KINDS else None
        cidr = cidr_of(value) if isinstance(value, str) else None
        if cidr is None:
            foreign += 1
        else:
            networks.append(cidr)
    description = item.get("description")
    return Group(
        name=name,
        members=tuple(networks),
        children=tuple(children),
        description=description if isinstance(description, str) else "",
        foreign=foreign,
    )


_NETWORK_KINDS = {"IPv4Address", "IPv4Network", "IPv6Address", "IPv6Network"}
