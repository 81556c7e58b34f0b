"""
What to type on the ASA: the way in, and the way back.

Pure text, filled in for the device and for the manager's address.  Lines starting with `!` are
remarks, which the ASA takes as such, so that whole blocks can be pasted.
"""

import re
from collections.abc import Sequence

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.kinds.asa.groups import KINDS, children_among
from tscm.kinds.asa.settings import AsaSettings, asa
from tscm.settings.device import DeviceSettings
from tscm.settings.node import NodeSettings

UNKNOWN_ADDRESS = "MANAGER-ADDRESS"
_ACCESS_LIST = "global_access"
_SYSLOG_PORT = 514
_ASA_TCP_PORT = 1470
_PLAIN_USER = re.compile(r"[A-Za-z0-9._@-]+")


@frozen(kw_only=True)
class Names:
    """What the lines are filled in with."""

    block: str
    allow: str
    manager: str
    user: str
    udp_port: int | None
    tcp_port: int | None


def setup_lines(settings: AsaSettings, node: NodeSettings, way: Sequence[str]) -> str:
    """
    Everything between a bare ASA and one that is protected and sends its syslog here.

    *way* opens the way by which the manager changes it.

    In the order in which it works: the ASA refuses an access-list that names an absent group.
    """
    names = names_of(settings, node)
    return "\n".join(
        [
            *_before(names),
            *way,
            *_logging(names),
            *_access_lists(names, settings.name),
            *_looking(names),
            "",
        ]
    )


def removal_lines(settings: DeviceSettings, node: NodeSettings, groups: Sequence[str] = ()) -> str:
    """
    The way back in order: access-lists, then parents, then children, then logging.

    *groups* are the names that are known to be on the device; where none is, how to find them.
    """
    own = asa(settings)
    names = names_of(own, node)
    lines = [
        "! 1. Remove the access-list lines first: a group in use cannot be deleted",
        "configure terminal",
        *(f"no {line}" for line in access_list_lines(names.block, names.allow)),
        (
            f"! if {_ACCESS_LIST} had no other lines, its access-group is gone too; otherwise "
            "remove the binding you made:"
        ),
        f"!   no access-group {_ACCESS_LIST} global",
        "!   no access-group ACCESS-LIST in interface INTERFACE",
        "! 2. The groups: the two parents, then their children",
        f"no object-group network {names.block}",
        f"no object-group network {names.allow}",
        *_children(own.prefix, groups),
        "! 3. Logging to this manager, over UDP or TCP as configured",
    ]
    if names.udp_port is not None:
        lines.append(f"no logging host management {names.manager}{_udp(names.udp_port)}")
    if names.tcp_port is not None:
        lines.append(f"no logging host management {names.manager} tcp/{names.tcp_port}")
    lines += [
        "write memory",
        (
            f"! 4. In the portal: delete the entry of {settings.device_id}; a new entry gets a "
            "new device ID"
        ),
        "",
    ]
    return "\n".join(lines)


def _children(prefix: str, groups: Sequence[str]) -> list[str]:
    """Children of both parents, and how to see whether there are others."""
    known = [one for kind in KINDS for one in children_among(prefix, kind, groups)]
    asked = f"!   show running-config object-group | include {prefix}-"
    if not known:
        return ["! the children: `no object-group network` and each name that this shows:", asked]
    return [
        "! the children as of the last update; whether there are others is shown by:",
        asked,
        *(f"no object-group network {one}" for one in known),
    ]


def access_list_lines(block: str, allow: str) -> list[str]:
    """Permit above deny, each with `log`, for both directions."""
    head = f"access-list {_ACCESS_LIST} extended"
    return [
        f"{head} permit ip object-group {allow} any log",
        f"{head} permit ip any object-group {allow} log",
        f"{head} deny ip object-group {block} any log",
        f"{head} deny ip any object-group {block} log",
    ]


def names_of(settings: AsaSettings, node: NodeSettings) -> Names:
    """What is known of the device and of this manager."""
    return Names(
        block=f"{settings.prefix}-Block",
        allow=f"{settings.prefix}-Allow",
        manager=node.address or UNKNOWN_ADDRESS,
        user=settings.username if _PLAIN_USER.fullmatch(settings.username) else "USER",
        udp_port=_port(node.listen.udp, _SYSLOG_PORT),
        tcp_port=_port(node.listen.tcp, _ASA_TCP_PORT),
    )


def _port(listeners: tuple[HostPort, ...], preferred: int) -> int | None:
    """The port to name: the usual one where we listen on it, else the first."""
    ports = [one.port for one in listeners if one.port]
    return preferred if preferred in ports else next(iter(ports), None)


def _udp(port: int) -> str:
    return "" if port == _SYSLOG_PORT else f" udp/{port}"


def _before(names: Names) -> list[str]:
    lines = [
        "! 1. Before the first update: back up the configuration",
        "copy /noconfirm running-config flash:/pre-threatstop-config.backup",
    ]
    if names.manager == UNKNOWN_ADDRESS:
        lines.append(f"! {UNKNOWN_ADDRESS}: set address in tscm.toml to have it filled in")
    return lines


def _logging(names: Names) -> list[str]:
    lines = [
        "! 3. Logging: use one of the two hosts, not both",
        "logging enable",
        "logging timestamp",
        "logging trap informational",
    ]
    if names.udp_port is not None:
        lines.append(f"logging host management {names.manager}{_udp(names.udp_port)}")
    if names.tcp_port is not None:
        lines += [
            "! or over TCP, but only with permit-hostdown: an ASA that cannot reach its TCP",
            "! collector blocks all new connections through it until the collector is back",
            "!   logging permit-hostdown",
            f"!   logging host management {names.manager} tcp/{names.tcp_port}",
        ]
    lines.append("write memory")
    return lines


def _access_lists(names: Names, device: str) -> list[str]:
    return [
        (
            f"! 4. After the first update (`tsadmin update {device}`), which creates the "
            "groups: the ASA rejects"
        ),
        (
            "!    an access-list that names a missing group.  Permit comes before deny; put "
            "these four lines"
        ),
        "!    above your own rules in every access-list that you want to protect",
        *access_list_lines(names.block, names.allow),
        "! if no access-list is bound to all interfaces yet:",
        f"!   access-group {_ACCESS_LIST} global",
        (
            "!   and add a final permit line for the traffic allowed so far, because a bound "
            "list denies the rest"
        ),
        "write memory",
    ]


def _looking(names: Names) -> list[str]:
    return [
        "! 5. Verify, and test with an address from the list in place of ADDRESS",
        f"show running-config object-group id {names.block}",
        f"show run | grep {names.block.removesuffix('-Block')}",
        "packet-tracer input inside tcp 192.168.1.10 1025 ADDRESS 80",
    ]
