"""
`/api/access/…`: where access-lists are bound, and their entries.

The form of an entry is as recorded by other clients (docs/develop/asa.md, section 3); ids are the hashes that
`show access-list` prints, in decimal.  What stands around a binding was not seen and is ours.
"""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tscm.simulator.access_list import LEVELS, Ace, Binding, Endpoint
from tscm.simulator.device import Device
from tscm.simulator.interface_json import reference
from tscm.simulator.member_json import compact
from tscm.simulator.member_json import to_json as member_to_json

COLLECTION = "/api/access"
WAYS = ("in", "out", "global")
_GROUPS = "/api/objects/networkobjectgroups"
_OBJECTS = "/api/objects/networkobjects"
_ANY = {"any": "AnyIPAddress", "any4": "AnyIPAddress", "any6": "AnyIPv6Address"}


@frozen(kw_only=True)
class Rule:
    """
    An entry with the remarks above it; *position* counts entries from 1, without remarks.
    """

    ace: Ace
    position: int
    remarks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The last part of its link."""
        return str(self.ace.hash)


def bindings(device: Device, way: str | None = None) -> list[Binding]:
    """Where access-lists are bound, *way* being `in`, `out` or `global`."""
    return [one for one in device.configuration.bindings if way in (None, one[1])]


def link_of(root: str, binding: Binding) -> str:
    """The resource of a binding."""
    interface, way = binding
    return f"{root}{COLLECTION}/{way}" + (f"/{interface}" if interface else "")


def binding_to_json(device: Device, binding: Binding, root: str) -> dict[str, Any]:
    """One binding."""
    interface, way = binding
    shown: dict[str, Any] = {
        "kind": "object#AccessGroup",
        "selfLink": link_of(root, binding),
        "direction": way.upper(),
        "ACLName": device.configuration.bindings[binding],
    }
    held = next((one for one in device.interfaces() if one.name == interface), None)
    if held is not None:
        shown["interface"] = reference(root, held, named=True)
    return shown | {"objectId": interface or way}


def rules(device: Device, binding: Binding) -> Iterator[Rule]:
    """The entries of the list that is bound there."""
    name = device.configuration.bindings[binding]
    remarks: list[str] = []
    position = 0
    for ace in device.configuration.access_lists.get(name, ()):
        if ace.action == "remark":
            remarks.append(ace.remark)
            continue
        position += 1
        yield Rule(ace=ace, position=position, remarks=tuple(remarks))
        remarks.clear()


def rule_to_json(rule: Rule, base: str, root: str) -> str:
    """One entry; *base* is the collection that it is asked in."""
    ace = rule.ace
    return (
        f'{{"kind":"object#ExtendedACE","selfLink":{compact(f"{base}/{rule.id}")},'
        f'"permit":{compact(ace.action == "permit")},'
        f'"sourceAddress":{_address(ace.source, root)},'
        f'"destinationAddress":{_address(ace.destination, root)},'
        f'"sourceService":{_service(ace.protocol, ace.source)},'
        f'"destinationService":{_service(ace.protocol, ace.destination)},'
        f'"active":{compact(not ace.inactive)},"remarks":{compact(list(rule.remarks))},'
        f'"ruleLogging":{compact({"logInterval": ace.interval, "logStatus": _status(ace)})},'
        f'"position":{rule.position},"isAccessRule":true,"objectId":"{rule.id}"}}'
    )


def _status(ace: Ace) -> str:
    if ace.log_disabled:
        return "Disabled"
    return LEVELS[ace.level].capitalize() if ace.log else "Default"


def _address(end: Endpoint, root: str) -> str:
    if end.kind in _ANY:
        return compact({"kind": _ANY[end.kind], "value": end.kind})
    if end.kind == "member":
        return member_to_json(end.value, root)
    kind, collection = (
        ("NetworkObjGroup", _GROUPS) if end.kind == "group" else ("NetworkObj", _OBJECTS)
    )
    shown = end.value.replace("/", "_API_SLASH_")
    return compact(
        {
            "kind": f"objectRef#{kind}",
            "refLink": f"{root}{collection}/{shown}",
            "objectId": shown,
        }
    )


def _service(protocol: str, end: Endpoint) -> str:
    if end.ports is None:
        return compact({"kind": "NetworkProtocol", "value": protocol})
    low, high = end.ports
    ports = str(low) if low == high else f"{low}-{high}"
    if end.negated:
        ports = f"!={low}"
    return compact({"kind": "TcpUdpService", "value": f"{protocol}/{ports}"})
