"""
TRAFFIC and THREAT lines of PAN-OS: comma-separated, in the firewall's layout and in that of the logging service.

Pure (Palo Alto Networks, syslog field descriptions).  Columns are counted from the type on, since what stands before
it differs.
"""

import csv
import re

from tscm.syslog.asa import Action
from tscm.syslog.passage import Passage, address, number, port, protocol, text_of

_TYPE = re.compile(r",(?=(?:TRAFFIC|THREAT),)")
_DATE = re.compile(r"[0-9]{4}[/-][0-9]{2}[/-]")
_SOURCE, _DESTINATION, _RULE, _LOGGED = 4, 5, 8, 18
_FIREWALL = {
    "session": 19,
    "source_port": 21,
    "destination_port": 22,
    "protocol": 26,
    "action": 27,
    "elapsed": 33,
    "reason": 43,
}
_SERVICE = {
    "session": 18,
    "source_port": 20,
    "destination_port": 21,
    "protocol": 24,
    "action": 25,
    "elapsed": 31,
    "reason": 38,
}
"""The logging service leaves out the time of logging and the flags."""
_LISTS = (92, 93)
"""External dynamic list of the source and of the destination (10.1 and later)."""
_PERMITTED = frozenset({"allow", "alert", "allow-hostname", "wildfire-upload-success"})
_DENIED = frozenset(
    {
        "deny",
        "drop",
        "drop-icmp",
        "drop icmp",
        "drop-packet",
        "drop-all-packets",
        "reset-client",
        "reset client",
        "reset-server",
        "reset server",
        "reset-both",
        "reset both",
        "block",
        "block-ip",
        "block-url",
        "block-continue",
        "block-override",
        "override-lockout",
        "sinkhole",
        "syncookie-sent",
        "random-drop",
    }
)


def parse(line: bytes) -> Passage | None:
    """What a traffic or threat line says; None for every other line."""
    text = text_of(line)
    found = _TYPE.search(text)
    if found is None:
        return None
    try:
        columns = next(csv.reader([text[found.end() :]]))
    except (csv.Error, StopIteration):
        return None
    if len(columns) <= _RULE:
        return None
    traffic = columns[0] == "TRAFFIC"
    logged = columns[_LOGGED] if len(columns) > _LOGGED else ""
    layout = _FIREWALL if _DATE.match(logged) else _SERVICE
    told = {name: columns[at] if len(columns) > at else "" for name, at in layout.items()}
    name = protocol(told["protocol"])
    action = _action(told["action"].lower(), told["reason"] if traffic else "")
    ends = (columns[_SOURCE], told["source_port"], columns[_DESTINATION], told["destination_port"])
    tied = traffic and columns[1] in ("start", "end") and action is Action.PERMITTED
    tied = tied and number(told["session"]) > 0
    lists = [columns[at] for at in _LISTS if traffic and len(columns) > at and columns[at]]
    return Passage(
        message=f"{columns[0]}/{columns[1]}"[:40],
        action=action,
        protocol=name,
        source=address(columns[_SOURCE]),
        source_port=port(told["source_port"], name),
        destination=address(columns[_DESTINATION]),
        destination_port=port(told["destination_port"], name),
        rule=columns[_RULE] or None,
        list_name=lists[0] if lists and layout is _FIREWALL else None,
        connection=" ".join((told["session"], *ends)) if tied else None,
        lasted=number(told["elapsed"]) if tied and columns[1] == "end" else None,
    )


def _action(word: str, reason: str) -> Action | None:
    """A session that was allowed and that a threat ended is left open: the threat's own line tells of it."""
    if word in _DENIED:
        return Action.DENIED
    return Action.PERMITTED if word in _PERMITTED and reason != "threat" else None
