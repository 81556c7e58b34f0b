"""
Entries of the audit as syslog (RFC 5424) of the manager's own.  Pure.
"""

from tscm.printable import visible
from tscm.store.audit_entry import AuditEntry
from tscm.syslog.render import ENTERPRISE, host_name, stamp

_LOG_AUDIT = 13
"""The facility (RFC 5424, 6.2.1)."""
_NOTICE, _WARNING = 5, 4
_MESSAGE_BYTES = 8192
_VALUE_CHARACTERS = 255


def syslog_message(entry: AuditEntry, host: str, process: int) -> bytes:
    """
    One message, without a line end: HOSTNAME is this *host*, APP-NAME `tscm`, PROCID the *process*, MSGID `audit`.

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
    data = "".join(
        f' {name}="{_value(text)}"' for name, text in parts.items() if text is not None
    ).encode("utf-8", "replace")
    head = b"<%d>1 %b %b tscm %d audit" % (
        _LOG_AUDIT * 8 + severity,
        stamp(entry.at),
        host_name(host),
        process,
    )
    text = visible(entry.line()).encode("utf-8", "replace")[:_MESSAGE_BYTES]
    whole = text.decode("utf-8", "ignore").encode()  # no half of a character
    return b"%b [audit@%b%b] %b" % (head, ENTERPRISE, data, whole)


def _value(text: str) -> str:
    """A PARAM-VALUE (RFC 5424, 6.3.3)."""
    shown = visible(text[:_VALUE_CHARACTERS])
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
