"""
The words that the command line knows without acting on them, and its standing texts.
"""

import re

from tscm.simulator.refusal import INVALID

STORED = frozenset(
    [
        "aaa",
        "arp",
        "asp",
        "banner",
        "boot",
        "call-home",
        "class-map",
        "clock",
        "console",
        "crypto",
        "dns",
        "domain-name",
        "enable",
        "failover",
        "firewall",
        "forward-reference",
        "ftp",
        "group-policy",
        "http",
        "icmp",
        "ip",
        "ipv6",
        "key",
        "management-access",
        "mtu",
        "names",
        "nat",
        "no-proxy-arp",
        "object-group-search",
        "pager",
        "terminal width",
        "policy-map",
        "prompt",
        "quota",
        "rest-api",
        "route",
        "same-security-traffic",
        "service-policy",
        "snmp-server",
        "ssh",
        "ssl",
        "sysopt",
        "telnet",
        "threat-detection",
        "timeout",
        "tunnel-group",
        "user-identity",
        "webvpn",
        "xlate",
    ]
)
"""First words of lines that are kept as they stand and have no effect but where noted."""

SINGLE = (
    "clock timezone",
    "access-list deny-flow-max",
    "access-list alert-interval",
    "rest-api image",
    "domain-name",
    "prompt",
    "pager",
    "failover lan unit",
)
"""Commands of which the last one stands."""

OTHER_GROUPS = frozenset(["service", "protocol", "icmp-type", "user", "security"])
SUBMODE_WORDS = frozenset(
    [
        "nameif",
        "security-level",
        "ip",
        "ipv6",
        "shutdown",
        "description",
        "management-only",
        "speed",
        "duplex",
        "vlan",
        "standby",
        "no",
        "match",
        "class",
        "inspect",
        "parameters",
        "service-object",
        "group-object",
        "port-object",
        "protocol-object",
        "icmp-object",
        "user",
        "user-group",
        "security-group",
        "message-length",
    ]
)


STANDBY_WARNING = (
    "**** WARNING ****\n"
    "\tConfiguration Replication is NOT performed from Standby unit to Active unit.\n"
    "\tConfigurations are no longer synchronized.\n"
)


SYNC_NOTICE = "Beginning configuration replication: Sending to mate.\n"


def column_of(line: str, at: int) -> int:
    """Where in *line* its word number *at* begins; behind the last one where there is none."""
    starts = [found.start() for found in re.finditer(r"\S+", line)]
    return starts[at] if at < len(starts) else len(line.rstrip()) + 1


def marker(line: str, column: int) -> str:
    """The caret under what was not understood, and the sentence."""
    return f"\n{line}\n{' ' * column}^\n{INVALID}\n"
