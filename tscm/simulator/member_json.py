"""
Members and named objects in the REST agent's JSON.

Order of keys and spelling as in recorded answers; built as text where a group has thousands.
"""

import json
from typing import Any

from tscm.simulator import members
from tscm.simulator.digits import whole
from tscm.simulator.groups import NetworkObject, object_body
from tscm.simulator.refusal import Cause, Refused
from tscm.simulator.switches import Switches

COLLECTION = "/api/objects/networkobjectgroups"
OBJECTS = "/api/objects/networkobjects"
_ONLY_IN_OBJECTS = frozenset({"IPv4Range", "IPv6Range", "IPv4FQDN", "IPv6FQDN"})


def compact(value: Any) -> str:
    """JSON as the agent writes it: no blanks, `/` not escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _bad(text: str) -> Refused:
    return Refused(Cause.BAD_MEMBER, text)


def from_json(item: Any, switches: Switches) -> str:
    """The canonical text of one member as a client sends it."""
    if not isinstance(item, dict):
        raise _bad("a member must be an object")
    kind = item.get("kind")
    if kind in ("objectRef#NetworkObjGroup", "objectRef#NetworkObj"):
        name = item.get("objectId")
        if not isinstance(name, str) or not name:
            raise _bad(f"{kind} needs objectId")
        return members.group(name) if kind.endswith("Group") else members.named(name)
    value = item.get("value")
    if not isinstance(value, str):
        raise _bad(f"{kind} needs value")
    return _literal(str(kind), value, switches)


def _literal(kind: str, value: str, switches: Switches) -> str:
    match kind:
        case "IPv4Address":
            return members.host(value)
        case "IPv6Address":
            return members.host6(value)
        case "IPv4Network" | "IPv6Network":
            return _network(kind, value, switches)
        case "AnyIPAddress" if value in ("any", "any4"):
            return f"network-object {value}"
        case "AnyIPv6Address" if value == "any6":
            return "network-object any6"
    if kind in _ONLY_IN_OBJECTS:
        raise _bad(f"{kind} can stand in a network object only, not in a group")
    raise _bad(f"kind {kind!r} with value {value!r} is not a member")


def _network(kind: str, value: str, switches: Switches) -> str:
    address, bar, length = value.partition("/")
    bits = whole(length, 999)
    if not bar or bits is None:
        raise _bad(f"{value[:80]!r} is not a network with a prefix length")
    widest = 32 if kind == "IPv4Network" else 128
    if bits == widest and switches.single_host_network == "refused":
        raise _bad(f"{value!r} is a host: kind must be {kind.replace('Network', 'Address')}")
    make = members.network if widest == 32 else members.network6
    return make(address, bits, clear_host_bits=switches.host_bits == "cleared")


def to_json(member: str, root: str) -> str:
    """One member as the agent answers it."""
    name = members.nested_name(member)
    if name is not None:
        return _reference("objectRef#NetworkObjGroup", f"{root}{COLLECTION}", name)
    name = members.object_name(member)
    if name is not None:
        return _reference("objectRef#NetworkObj", f"{root}{OBJECTS}", name)
    words = member.split()
    if words[1] == "host":
        kind = "IPv6Address" if ":" in words[2] else "IPv4Address"
        return f'{{"kind":"{kind}","value":"{words[2]}"}}'
    if words[1] in members.ANY_KINDS:
        return f'{{"kind":"{members.ANY_KINDS[words[1]]}","value":"{words[1]}"}}'
    if ":" in words[1]:
        return f'{{"kind":"IPv6Network","value":"{words[1]}"}}'
    length = members.LENGTH_OF[words[2]]
    return f'{{"kind":"IPv4Network","value":"{words[1]}/{length}"}}'


def _reference(kind: str, collection: str, name: str) -> str:
    shown = name.replace("/", "_API_SLASH_")
    return compact({"kind": kind, "refLink": f"{collection}/{shown}", "objectId": shown})


def object_from_json(item: dict[str, Any]) -> NetworkObject:
    """A named network object as a client sends it."""
    host = item.get("host")
    if not isinstance(host, dict) or not isinstance(host.get("value"), str):
        raise _bad("a network object needs host with kind and value")
    value = host["value"]
    description = item.get("description", "")
    if not isinstance(description, str) or not description.isprintable() or len(description) > 200:
        raise _bad("description must be a printable text of at most 200 characters")
    if not value.isprintable() or len(value.split()) != 1 or len(value) > 253:
        raise _bad(f"{value[:80]!r} is neither an address nor a name")
    match host.get("kind"):
        case "IPv4Address" | "IPv6Address":
            words = ["host", value]
        case "IPv4Network":
            address, _, length = value.partition("/")
            bits = whole(length, 32)
            mask = None if bits is None else members.MASK_OF[bits]
            if mask is None:
                raise _bad(f"{value!r} is not a network with a prefix length")
            words = ["subnet", address, mask]
        case "IPv6Network":
            words = ["subnet", value]
        case "IPv4Range" | "IPv6Range":
            words = ["range", *value.split("-", 1)]
        case "IPv4FQDN" | "IPv6FQDN":
            words = ["fqdn", value] if host["kind"][3] == "4" else ["fqdn", "v6", value]
        case other:
            raise _bad(f"kind {other!r} cannot stand in a network object")
    return NetworkObject(str(item.get("name", "")), object_body(words), description)


def object_to_json(held: NetworkObject, root: str) -> str:
    """A named network object as the agent answers it."""
    words = held.body.split() or ["host", ""]
    six = "6" if ":" in words[-1] or "v6" in words[:2] else "4"
    match words[0]:
        case "subnet" if six == "4":
            host = ("IPv4Network", f"{words[1]}/{members.LENGTH_OF[words[2]]}")
        case "subnet":
            host = ("IPv6Network", words[1])
        case "range":
            host = (f"IPv{six}Range", f"{words[1]}-{words[2]}")
        case "fqdn":
            host = (f"IPv{six}FQDN", words[-1])
        case _:
            host = (f"IPv{six}Address", words[-1])
    shown = held.name.replace("/", "_API_SLASH_")
    value = {
        "kind": "object#NetworkObj",
        "selfLink": f"{root}{OBJECTS}/{shown}",
        "name": held.name,
        "host": {"kind": host[0], "value": host[1]},
    }
    if held.description:
        value["description"] = held.description
    return compact(value | {"objectId": shown})
