"""
The appliance's name and its time servers, as values and as the files that hold them.
"""

import re
from collections.abc import Sequence

from tscm.appliance.network import plain_address
from tscm.appliance.refusal import NotPossible
from tscm.printable import quoted

HOST_NAME_MOST = 64
"""As the kernel keeps it (hostname(7))."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_SERVERS_MOST = 8
_NAME_MOST = 253
_OWN = "127.0.1.1"


def host_name(text: str) -> str:
    """A name for this host (RFC 1123, 2.1).  Raises `NotPossible`."""
    if len(text) > HOST_NAME_MOST or not _is_name(text) or _is_number(text):
        raise NotPossible(
            f"{quoted(text)!r} is not a host name; allowed: letters, digits and hyphens, dots between "
            f"labels, at most {HOST_NAME_MOST} characters"
        )
    return text.lower()


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_MOST and all(_LABEL.fullmatch(one) for one in text.split("."))


def _is_number(text: str) -> bool:
    """Whether the last label is a number: that would be read as an address."""
    return text.rpartition(".")[2].isdigit()


def hosts_with(text: str, name: str) -> str:
    """The text of /etc/hosts with *name* as this host's own; other lines stay."""
    short = name.partition(".")[0]
    own = f"{_OWN} {name}" if short == name else f"{_OWN} {name} {short}"
    lines, put = [], False
    for line in text.splitlines():
        if line.split("#")[0].split()[:1] == [_OWN]:
            if not put:
                lines.append(own)
            put = True
        else:
            lines.append(line)
    if not put:
        lines.append(own)
    return "\n".join(lines) + "\n"


def time_servers(words: Sequence[str]) -> tuple[str, ...]:
    """Names or addresses of NTP servers, each once.  Raises `NotPossible`."""
    if len(words) > _SERVERS_MOST:
        raise NotPossible(f"{len(words)} time servers are too many; give at most {_SERVERS_MOST}")
    return tuple(dict.fromkeys(_server(one) for one in words))


def _server(text: str) -> str:
    try:
        address = plain_address(text)
    except ValueError:
        if _is_name(text) and not _is_number(text):
            return text.lower()
    else:
        if not (address.is_multicast or address.is_unspecified):
            return str(address)
    wrong = f"{quoted(text)!r} is not a time server; allowed: ntp.example.org, 192.0.2.123"
    raise NotPossible(wrong)


def render_servers(servers: Sequence[str]) -> str:
    """As systemd-timesyncd reads it (timesyncd.conf(5))."""
    return f"# Written by tsadmin ntp.\n[Time]\nNTP={' '.join(servers)}\n"


def parse_servers(text: str) -> tuple[str, ...]:
    """What `render_servers` wrote; other lines are ignored."""
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name == "NTP":
            return tuple(value.split())
    return ()
