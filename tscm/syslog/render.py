"""
What a receiver is sent for a line, where it does not get it just as it was received.

Two forms: a header of our own for lines that name no sender (RFC 3164, 4.3: what a relay does), and
RFC 5424 with the origin as structured data.  Times are UTC with a zone: the form of RFC 3339, which
receivers of the old header take as well and which leaves no hour in doubt.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from tscm.syslog.header import names_of, read_header

Render = Callable[[bytes, str | None, float], bytes]
"""Message as received, sender's address, time of receipt (0: not known) to the message as sent."""

_PRI = re.compile(rb"<(\d{1,3})>")
_RFC5424 = re.compile(rb"<\d{1,3}>[1-9]\d{0,2} (?:-|\d{4}-\d\d-\d\dT)")
_UP_TO_HOST = re.compile(
    rb"(<\d{1,3}>[1-9]\d{0,2} (?:-|\d{4}-\d\d-\d\dT[!-~]{0,40}+) +)([!-~]{1,255}+)(?= |\Z)"
)
_HOSTS_KEPT = 1024
_NOT_PRINTABLE = re.compile(rb"[^\x21-\x7e]")
_HOST_MAX = 255
_USER_NOTICE = 13  # for a message without a PRI (RFC 3164, 4.3.3)
_PRI_MAX = 191
ENTERPRISE = b"32473"
"""The number that RFC 5612 gives to those who have none."""


@lru_cache(maxsize=64)
def stamp(received_at: float) -> bytes:
    """A time of receipt with milliseconds, UTC (RFC 3339)."""
    at = datetime.fromtimestamp(received_at, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S").encode() + b".%03dZ" % (at.microsecond // 1000)


def _split(message: bytes) -> tuple[int, bytes]:
    """PRI, and what stands behind it."""
    found = _PRI.match(message)
    if found is None or int(found[1]) > _PRI_MAX:
        return _USER_NOTICE, message
    return int(found[1]), message[found.end() :]


def host_name(name: bytes | str | None) -> bytes:
    """A HOSTNAME (RFC 5424, 6.2.4): printable and without blanks; `-` for none."""
    raw = name.encode() if isinstance(name, str) else name or b""
    return _NOT_PRINTABLE.sub(b"?", raw)[:_HOST_MAX] or b"-"


def with_header(message: bytes, sender: str | None, received_at: float) -> bytes:
    """
    *message* with a header that names its device, where its own has no name where receivers look for it.

    The whole message stands behind the new header, its own time stamp included.
    """
    if _RFC5424.match(message):
        return _with_host(message, sender)
    header = read_header(message)
    name = header.names[0] if header.names else sender
    if name is None or header.leads:
        return message
    pri, rest = _split(message)
    when = stamp(received_at) + b" " if received_at else b""
    return b"<%d>%s%s %s" % (pri, when, host_name(name), rest.lstrip(b" :"))


def _with_host(message: bytes, sender: str | None) -> bytes:
    """
    An RFC 5424 message with a HOSTNAME that receivers know its device by.

    Relays write `-` where they know none, and the address that a dual-stack socket shows them, `::ffff:192.0.2.2`;
    any other HOSTNAME stays.
    """
    found = _UP_TO_HOST.match(message)
    if found is None or _is_a_name(found[2]):
        return message
    header = read_header(message)
    name = header.names[0] if header.names else sender
    return message if name is None else found[1] + host_name(name) + message[found.end() :]


@lru_cache(maxsize=_HOSTS_KEPT)
def _is_a_name(host: bytes) -> bool:
    return names_of(host)[:1] == [host]


def rfc5424(message: bytes, sender: str | None, received_at: float) -> bytes:
    """
    *message* as MSG of an RFC 5424 message; one that is RFC 5424 already stays as it is but for a HOSTNAME that is none.

    TIMESTAMP is the time of receipt, for a firewall's own stamp has no zone as a rule and
    stands in MSG anyway; HOSTNAME is the name in the line's header, else the sender's address; MSGID
    is the firewall's message number.
    """
    if _RFC5424.match(message):
        return _with_host(message, sender)
    pri, rest = _split(message)
    header = read_header(message)
    app, number = (header.tag[1], header.tag[4]) if header.tag else (b"-", b"-")
    when = stamp(received_at) if received_at else b"-"
    host = host_name(header.names[0] if header.names else sender)
    data = _data(sender, received_at)
    return b"<%d>1 %b %b %b - %b %b %b" % (pri, when, host, app, number, data, rest)


@lru_cache(maxsize=64)
def _data(sender: str | None, received_at: float) -> bytes:
    """STRUCTURED-DATA (RFC 5424, 6.3): the same for all lines that came together."""
    data = b""
    if sender is not None:
        data += b'[origin ip="%b"]' % _parameter(sender.encode())
    if received_at:
        data += b'[received@%b at="%b"]' % (ENTERPRISE, stamp(received_at))
    return data or b"-"


def _parameter(value: bytes) -> bytes:
    """A PARAM-VALUE (RFC 5424, 6.3.3)."""
    return re.sub(rb'(["\\\]])', rb"\\\1", value)
