"""
`/api/interfaces/…` and `/api/monitoring/arp`: key order and spelling as in recorded answers.
"""

from collections.abc import Iterator
from typing import Any

from tscm.simulator.device import Device
from tscm.simulator.interfaces import (
    PHYSICAL,
    PORT_CHANNEL,
    REDUNDANT,
    VLAN,
    Interface,
    neighbours,
)

KINDS = (PHYSICAL, VLAN, PORT_CHANNEL, REDUNDANT)
_COLLECTION = "/api/interfaces"
_COLLECTION_KINDS = {
    PHYSICAL: "GigabitInterface",
    VLAN: "VlanInterface",
    PORT_CHANNEL: "PCInterface",
    REDUNDANT: "RedundantInterface",
}
_NO_ADDRESS = "NoneSelected"


def id_of(hardware: str) -> str:
    """The last part of its link."""
    return hardware.replace("/", "_API_SLASH_")


def reference(root: str, one: Interface, *, named: bool = False) -> dict[str, str]:
    """How other objects point to it."""
    found = {
        "kind": "objectRef#Interface",
        "refLink": f"{root}{_COLLECTION}/{one.kind}/{id_of(one.hardware)}",
        "objectId": id_of(one.hardware),
    }
    return found | {"name": one.name} if named else found


def kind_of(one: Interface) -> str:
    """What the agent calls an interface of its kind."""
    management = one.hardware.startswith("Management")
    if one.kind == VLAN:
        return "VlanMgmtInterface" if management else "VlanInterface"
    if one.kind == PHYSICAL and management:
        return "MgmtInterface"
    if one.hardware.startswith("TenGigabit"):
        return "TenGigabitInterface"
    return _COLLECTION_KINDS[one.kind]


def listed(device: Device, kind: str) -> list[Interface]:
    """The interfaces of one collection."""
    return [one for one in device.interfaces() if one.kind == kind]


def collection_kind(held: list[Interface], kind: str) -> str:
    """The collection goes by the kind of its first member (recorded)."""
    return kind_of(held[0]) if held else _COLLECTION_KINDS[kind]


def to_json(device: Device, one: Interface, root: str) -> dict[str, Any]:
    """One interface as the agent answers it."""
    return dict(_fields(device, one, root))


def _fields(device: Device, one: Interface, root: str) -> Iterator[tuple[str, Any]]:
    physical = one.kind == PHYSICAL
    yield "kind", f"object#{kind_of(one)}"
    yield "selfLink", f"{root}{_COLLECTION}/{one.kind}/{id_of(one.hardware)}"
    yield "hardwareID", one.hardware
    yield "interfaceDesc", one.description
    if physical:
        yield "channelGroupID", one.group
        yield "channelGroupMode", "active"
        yield "duplex", "auto"
        yield "flowcontrolOn", False
        yield "flowcontrolHigh", -1
        yield "flowcontrolLow", -1
        yield "flowcontrolPeriod", -1
    yield "forwardTrafficCX", False
    yield "forwardTrafficSFR", False
    if one.kind in (PHYSICAL, REDUNDANT):
        yield "lacpPriority", -1
    yield "activeMacAddress", ""
    yield "standByMacAddress", ""
    yield "managementOnly", one.management
    yield "mtu", one.mtu
    yield "name", one.name
    yield "securityLevel", one.level
    yield "shutdown", one.shutdown
    if physical:
        yield "speed", "auto"
    if one.kind == VLAN:
        yield "vlanID", -1 if one.vlan is None else one.vlan
    if one.kind == PORT_CHANNEL:
        yield "channelGroupMin", 1
        yield "channelGroupMax", 8
        yield "channelGroupLoadBal", 4
    yield "ipAddress", _address(one)
    if one.kind == PORT_CHANNEL:
        number = one.hardware.removeprefix("Port-channel")
        members = [held for held in listed(device, PHYSICAL) if held.group == number]
        yield "pcMemberInterfaces", [reference(root, held) for held in members]
    yield "ipv6Info", _ipv6(one)
    yield "objectId", id_of(one.hardware)


def _address(one: Interface) -> Any:
    if not one.address:
        return _NO_ADDRESS
    return {
        "kind": "StaticIP",
        "ip": {"kind": "IPv4Address", "value": one.address},
        "netMask": {"kind": "IPv4NetMask", "value": one.mask},
    }


def _ipv6(one: Interface) -> dict[str, Any]:
    return {
        "enabled": bool(one.ipv6),
        "autoConfig": False,
        "enforceEUI64": False,
        "managedAddressConfig": False,
        "nsInterval": 1000,
        "dadAttempts": 1,
        "nDiscoveryPrefixList": [],
        "otherStatefulConfig": False,
        "routerAdvertInterval": 200,
        "routerAdvertIntervalUnit": "sec",
        "routerAdvertLifetime": 1800,
        "suppressRouterAdvert": False,
        "reachableTime": 0,
        "ipv6Addresses": [_ipv6_address(text) for text in one.ipv6],
        "kind": "object#Ipv6InterfaceInfo",
    }


def _ipv6_address(text: str) -> dict[str, Any]:
    address, _, length = text.partition("/")
    return {
        "address": {"kind": "IPv6Address", "value": address},
        "prefixLength": int(length) if length.isascii() and length.isdigit() else 128,
    }


def arp(device: Device, link: str) -> dict[str, Any]:
    """The ARP table, whole; its `rangeInfo` says one whatever it holds (recorded)."""
    items = [
        {
            "interface": one.interface,
            "ipAddress": one.address,
            "macAddress": one.mac,
            "proxyArp": one.proxy,
        }
        for one in neighbours(device.configuration.plain)
    ]
    count = 1 if items else 0
    return {
        "kind": "collection#Arp",
        "selfLink": link,
        "rangeInfo": {"offset": 0, "limit": count, "total": count},
        "items": items,
    }
