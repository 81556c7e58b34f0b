"""
Traffic and security lines of FortiOS: `key=value`, in quotes where it has blanks.

Pure (Fortinet, FortiOS Log Message Reference).
"""

import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, number, port, protocol, text_of

_PAIR = re.compile(r'(?<![^\s>])([a-z_]{1,40})=(?:"([^"]*)"|([^\s"]*))')
_TYPES = frozenset({"traffic", "utm"})
_SESSION = ("sessionid", "srcip", "srcport", "dstip", "dstport")
_PERMITTED = frozenset(
    {"accept", "close", "timeout", "passthrough", "ip-conn", "start", "dns", "client-rst", "server-rst", "pass"}
)  # fmt: skip
_DENIED = frozenset({"deny", "blocked", "block", "dropped", "drop", "reset", "reset_client", "reset_server"})  # fmt: skip


def parse(line: bytes) -> Passage | None:
    """What a traffic line, or one of a security profile, says; None for every other line."""
    words: dict[str, str] = {}
    for key, quoted, bare in _PAIR.findall(text_of(line)):
        words.setdefault(key, quoted or bare)
    if words.get("type") not in _TYPES or "srcip" not in words:
        return None
    name = protocol(words.get("proto"))
    action = _action(words.get("action", ""), words.get("utmaction", ""))
    tied = words["type"] == "traffic" and action is Action.PERMITTED and "sessionid" in words
    ended = words.get("action") != "start"
    return Passage(
        message=words.get("logid", ""),
        action=action,
        protocol=name,
        source=address(words["srcip"]),
        source_port=port(words.get("srcport"), name),
        destination=address(words.get("dstip")),
        destination_port=port(words.get("dstport"), name),
        rule=words.get("policyname") or None,
        connection=" ".join(words.get(key, "") for key in _SESSION) if tied else None,
        lasted=number(words.get("duration")) if tied and ended else None,
    )


def _action(word: str, utm: str) -> Action | None:
    """What a policy let pass and a security profile blocked is left open: the profile's own line tells of it."""
    if word in _DENIED:
        return Action.DENIED
    return Action.PERMITTED if word in _PERMITTED and utm not in {"block", "blocked"} else None
