"""
Resources of the agent that are only read: monitoring, interfaces, access rules and the like.

Each answers from the configuration as it stands.  Where no recorded answer tells the form, it is ours
and docs/operate/simulator.md says so.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tscm.simulator import access_json, interface_json, time_range
from tscm.simulator.access_list import Binding
from tscm.simulator.device import Device
from tscm.simulator.group_resource import page_of
from tscm.simulator.http_values import Reply, Request, ok
from tscm.simulator.member_json import compact
from tscm.simulator.refusal import Cause, Refused

Reader = Callable[[Device, Request, list[str], float], Reply]
TIME_RANGES = "/api/objects/timeranges"
SECURITY_GROUPS = "/api/objects/securityobjectgroups"


def reader_of(segments: Sequence[str]) -> tuple[Reader, list[str]] | None:
    """What answers to a GET of *segments*, those behind `api`, and what is left of them."""
    for length in (2, 1):
        reader = _READERS.get("/".join(segments[:length]))
        if reader is not None:
            return reader, list(segments[length:])
    return None


def _absent(text: str = "no such resource") -> Refused:
    return Refused(Cause.ABSENT, text)


def _plain_name(segment: str) -> str:
    return segment.replace("_API_SLASH_", "/")


# -- monitoring ------------------------------------------------------------------


def _monitoring(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    shown = int(now + device.switches.clock_ahead_seconds)
    known: dict[str, Callable[[], dict[str, Any]]] = {
        "device/components/version": lambda: {
            "kind": "object#Version",
            "currentTimeinSeconds": shown,
            "asaVersion": device.asa_version,
            "totalFlashinMB": device.profile.flash_mb,
            "deviceType": device.profile.device_type,
            "upTimeinSeconds": max(0, int(now - device.started_at)),
            "firewallMode": "Router",
            "selfLink": "/api/monitoring/device/version",
        },
        "serialnumber": lambda: {
            "kind": "object#QuerySerialNumber",
            "serialNumber": device.serial,
        },
        "clock": lambda: {"kind": "object#Clock", "currentTimeinSeconds": shown},
        "arp": lambda: interface_json.arp(device, _own_link(request)),
    }
    body = known.get("/".join(rest))
    if body is None:
        raise _absent()
    return ok(body())


def _own_link(request: Request) -> str:
    return request.root + (request.path or "/" + "/".join(request.segments))


# -- interfaces ------------------------------------------------------------------


def _interfaces(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    del now
    if not rest or rest[0] not in interface_json.KINDS or len(rest) > 2:
        raise _absent()
    held = interface_json.listed(device, rest[0])
    if len(rest) == 2:
        name = _plain_name(rest[1])
        for one in held:
            if one.hardware == name:
                return ok(interface_json.to_json(device, one, request.root))
        raise _absent(f"interface {name[:80]} does not exist")
    kind = interface_json.collection_kind(held, rest[0])
    items = (compact(interface_json.to_json(device, one, request.root)) for one in held)
    return page_of(device, request, kind, [one.hardware for one in held], items)


# -- access rules ----------------------------------------------------------------


def _access(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    del now
    if not rest:
        return _bindings(device, request, access_json.bindings(device))
    way = rest[0]
    if way not in access_json.WAYS:
        raise _absent()
    if way != "global" and len(rest) == 1:
        return _bindings(device, request, access_json.bindings(device, way))
    binding: Binding = ("", way) if way == "global" else (rest[1], way)
    below = rest[1:] if way == "global" else rest[2:]
    if below and below[0] != "rules":
        raise _absent()
    if binding not in device.configuration.bindings:
        if way == "global":
            return page_of(device, request, "ExtendedACE" if below else "AccessGroup", [], [])
        raise _absent(f"no access-list is bound to {binding[0][:80]} in direction {way}")
    if not below:
        if way == "global":
            return _bindings(device, request, [binding])
        return ok(access_json.binding_to_json(device, binding, request.root))
    return _rules(device, request, binding, below[1:])


def _bindings(device: Device, request: Request, held: list[Binding]) -> Reply:
    items = (compact(access_json.binding_to_json(device, one, request.root)) for one in held)
    return page_of(device, request, "AccessGroup", [one[0] or one[1] for one in held], items)


def _rules(device: Device, request: Request, binding: Binding, rest: list[str]) -> Reply:
    base = access_json.link_of(request.root, binding) + "/rules"
    held = list(access_json.rules(device, binding))
    if len(rest) > 1:
        raise _absent()
    if rest:
        for rule in held:
            if rule.id == rest[0]:
                return Reply(status=200, body=access_json.rule_to_json(rule, base, request.root))
        raise _absent(f"rule {rest[0][:80]} does not exist")
    items = (access_json.rule_to_json(rule, base, request.root) for rule in held)
    return page_of(device, request, "ExtendedACE", [rule.id for rule in held], items)


# -- objects ---------------------------------------------------------------------


def _time_ranges(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    del now
    made = {
        name: time_range.to_json(name, below, f"{request.root}{TIME_RANGES}/{name}")
        for line, below in device.configuration.plain.items()
        if line.startswith("time-range ")
        for name in [line.removeprefix("time-range ")]
    }
    return _named(device, request, rest, "TimeRange", made)


def _security_groups(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    del now
    made = {
        name: _security_group(name, lines, request.root)
        for name, (kind, lines) in device.configuration.other_groups.items()
        if kind == "security"
    }
    return _named(device, request, rest, "SecurityObjGroup", made)


def _security_group(name: str, lines: Sequence[str], root: str) -> dict[str, Any]:
    members: list[dict[str, str]] = []
    description = ""
    for line in lines:
        match line.split():
            case ["description", *words]:
                description = " ".join(words)
            case ["security-group", "name", value]:
                members.append({"kind": "SecurityName", "value": value})
            case ["security-group", "tag", value]:
                members.append({"kind": "SecurityTag", "value": value})
            case ["group-object", child]:
                link = f"{root}{SECURITY_GROUPS}/{child}"
                members.append(
                    {"kind": "objectRef#SecurityObjGroup", "refLink": link, "objectId": child}
                )
    return {
        "kind": "object#SecurityObjGroup",
        "selfLink": f"{root}{SECURITY_GROUPS}/{name}",
        "name": name,
        "description": description,
        "members": members,
        "objectId": name,
    }


def _named(
    device: Device, request: Request, rest: list[str], kind: str, made: dict[str, dict[str, Any]]
) -> Reply:
    """A collection of named things, or the one that is asked for."""
    if len(rest) > 1:
        raise _absent()
    if rest:
        if rest[0] not in made:
            raise _absent(f"{rest[0][:80]} does not exist")
        return ok(made[rest[0]])
    return page_of(device, request, kind, list(made), map(compact, made.values()))


# -- the rest --------------------------------------------------------------------


def _aaa(what: str) -> Reader:
    def read(device: Device, request: Request, rest: list[str], now: float) -> Reply:
        """The lines of `aaa authorization` or `aaa authentication`."""
        del now
        if rest:
            raise _absent()
        held = [one for one in device.configuration.plain if one.startswith(f"aaa {what} ")]
        kind = f"AAA{what.capitalize()}"
        items = [
            compact(
                {
                    "kind": f"object#{kind}",
                    "selfLink": f"{request.root}/api/aaa/{what}/{at}",
                    "service": line.split()[2],
                    "serverGroup": "LOCAL" if "LOCAL" in line.split() else "",
                    "objectId": str(at),
                }
            )
            for at, line in enumerate(held, 1)
        ]
        return page_of(device, request, kind, held, items)

    return read


def _backups(device: Device, request: Request, rest: list[str], now: float) -> Reply:
    """Copies of the configuration on the disk."""
    del now
    if rest:
        raise _absent()
    items = (
        compact({"kind": "object#Backup", "location": f"disk0:/{name}", "sizeinBytes": size})
        for name, size in device.files.items()
    )
    return page_of(device, request, "Backup", list(device.files), items)


_READERS: dict[str, Reader] = {
    "monitoring": _monitoring,
    "interfaces": _interfaces,
    "access": _access,
    "aaa/authorization": _aaa("authorization"),
    "aaa/authentication": _aaa("authentication"),
    "objects/timeranges": _time_ranges,
    "objects/securityobjectgroups": _security_groups,
    "backup": _backups,
}
