"""
What the manager itself tells a SIEM as syslog (RFC 5424): entries of the audit, and alarms.  Pure.
"""

from collections.abc import Mapping

from attrs import frozen

from tscm.channels.message import Item, What
from tscm.printable import visible
from tscm.store.audit_entry import AuditEntry
from tscm.syslog.render import ENTERPRISE, host_name, stamp

_DAEMON, _LOG_AUDIT = 3, 13
"""Facilities (RFC 5424, 6.2.1)."""
_ERROR, _WARNING, _NOTICE = 3, 4, 5
_MESSAGE_BYTES = 8192
_VALUE_CHARACTERS = 255


@frozen(kw_only=True)
class Origin:
    """Of all messages of a process: HOSTNAME and PROCID; APP-NAME is `tscm`."""

    host: str
    process: int


def audit_message(entry: AuditEntry, origin: Origin) -> bytes:
    """
    An entry of the audit, MSGID `audit`, without a line end.

    Structured data has the parts that a SIEM searches by; MSG is the line of the manager's own log, in UTF-8
    and without control characters.
    """
    severity = _NOTICE if entry.outcome == "done" else _WARNING
    parts = {
        "operation": entry.operation,
        "outcome": entry.outcome,
        "actor": entry.actor,
        "uid": None if entry.uid is None else str(entry.uid),
        "user": entry.on_behalf_of,
        "device": entry.device,
    }
    head = _head(_LOG_AUDIT * 8 + severity, entry.at, origin, "audit")
    return _message(head, "audit", parts, entry.line())


def alarm_message(item: Item, at: float, origin: Origin) -> bytes:
    """An alarm, MSGID `alarm`, with its name, its severity and what is said of it as structured data."""
    good = item.what in {What.GOOD, What.TEST}
    severity = _NOTICE if good else _ERROR if item.severity == "failed" else _WARNING
    parts = {"event": str(item.what), "name": item.name, "severity": item.severity}
    head = _head(_DAEMON * 8 + severity, at, origin, "alarm")
    return _message(head, "alarm", parts, f"{item.what}: {item.name}: {item.sentence}")


def _head(priority: int, at: float, origin: Origin, kind: str) -> bytes:
    return b"<%d>1 %b %b tscm %d %b" % (
        priority,
        stamp(at),
        host_name(origin.host),
        origin.process,
        kind.encode(),
    )


def _message(head: bytes, kind: str, parts: Mapping[str, str | None], said: str) -> bytes:
    data = "".join(
        f' {name}="{_value(text)}"' for name, text in parts.items() if text is not None
    ).encode("utf-8", "replace")
    text = visible(said).encode("utf-8", "replace")[:_MESSAGE_BYTES]
    whole = text.decode("utf-8", "ignore").encode()  # no half of a character
    return b"%b [%b@%b%b] %b" % (head, kind.encode(), ENTERPRISE, data, whole)


def _value(text: str) -> str:
    """A PARAM-VALUE (RFC 5424, 6.3.3)."""
    shown = visible(text[:_VALUE_CHARACTERS])
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
