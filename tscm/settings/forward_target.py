"""
Where a device's lines are forwarded to: one `[[forward]]` table, and the same in one word, as a URL.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import attrs
from attrs import frozen

from tscm.model import OwnReader
from tscm.settings import values
from tscm.settings.schema import read_table, setting

READER = OwnReader.FORWARD
"""The first target's reader."""
MODES = ("as-received", "header", "rfc5424")
FRAMINGS = ("lf", "octets")
PROTOCOLS = ("UDP", "TCP", "TLS")
_NAME = re.compile(r"forward(-[a-z0-9][a-z0-9-]{0,40})?")
PARTS = ("mode", "framing", "server_name", "ca_file", "certificate", "key")
"""What the URL of a target may have behind `?`."""


def reader_name(value: Any) -> str:
    """The name of a target's reader."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise values.refused(value, "is no reader's name", "forward, or forward- and a word")
    return value


def mode_setting() -> Any:
    """The format in which a target is sent lines; as a table has it, and as an option."""
    return setting(
        values.choice(*MODES),
        "as-received",
        doc=(
            "Format of lines: as received, with a header that names the sender added if there "
            "is none, or RFC 5424"
        ),
    )


def framing_setting() -> Any:
    """The same for the framing."""
    return setting(values.choice(*FRAMINGS), "lf", doc="Framing over TCP and TLS (RFC 6587)")


def resend_setting() -> Any:
    """The same for what is sent again after a connection was reset."""
    return setting(
        values.whole(0, 1 << 20), 1024, doc="Maximum data resent after a connection reset, KB"
    )


@frozen(kw_only=True)
class ForwardTarget:
    """
    One `[[forward]]` table.

    Without an *address* nothing is sent: what else is set waits for one.
    """

    reader: str = setting(
        reader_name, "", doc="Name of its reader of the log; made by `tsadmin`, stays for ever"
    )
    address: str | None = setting(values.optional(values.address), None, doc="Address of the SIEM")
    port: int = setting(values.port_number, 514, doc="Port")
    protocol: str = setting(values.choice(*PROTOCOLS), "UDP", doc="Protocol")
    framing: str = framing_setting()
    mode: str = mode_setting()
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the target's certificate"
    )
    server_name: str | None = setting(
        values.optional(values.address),
        None,
        doc="Name that the target's certificate must have, where it is not the address",
    )
    certificate: str | None = setting(
        values.optional(values.path), None, doc="File with our certificate, for a target that asks"
    )
    key: str | None = setting(
        values.optional(values.path), None, doc="File with the key of our certificate"
    )
    lines_per_second: int = setting(
        values.whole(0, 10_000_000), 20_000, doc="Bound on lines over UDP, 0 for none"
    )
    resend_kb: int = resend_setting()

    @property
    def place(self) -> str:
        """Where it is, however it is spoken to; empty without an address."""
        if self.address is None:
            return ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    def url(self, ca_file: str | None = None) -> str:
        """The target in one word, without what has its default, and without *ca_file* where all have that."""
        defaults = attrs.fields_dict(ForwardTarget)
        given = [
            f"{name}={quote(str(value), safe='/')}"
            for name in PARTS
            if (value := getattr(self, name)) != defaults[name].default
            and not (name == "ca_file" and value == ca_file)
        ]
        return f"{self.protocol.lower()}://{self.place}{'?' if given else ''}{'&'.join(given)}"


Targets = tuple[ForwardTarget, ...]


def read_url(value: Any) -> ForwardTarget:
    """A target of forwarding in one word: `tls://siem.example:6514?mode=rfc5424&framing=octets`."""
    allowed = (
        "udp, tcp or tls://address:port[?mode=as-received|header|rfc5424][&framing=lf|octets]"
        "[&server_name=…][&ca_file=…][&certificate=…][&key=…]"
    )
    front, _, query = value.strip().partition("?") if isinstance(value, str) else ("", "", "")
    try:
        parts = urlsplit(values.web_url("udp", "tcp", "tls")(front))
    except ValueError:
        raise values.refused(value, "is no target", allowed) from None
    if parts.port is None or parts.path:
        raise values.refused(value, "is no target", allowed)
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        pairs = [("", "")]
    if not {name for name, _ in pairs} <= set(PARTS):
        raise values.refused(value, "contains an unknown option", allowed)
    table = {
        "address": parts.hostname,
        "port": parts.port,
        "protocol": parts.scheme,
        **dict(pairs),
    }
    found, _ = read_table(ForwardTarget, table)
    if found is None:
        raise values.refused(value, "contains an unknown option", allowed)
    return found


def target_url(value: Any) -> str:
    """The text of a target, once it can be read."""
    read_url(value)
    return str(value).strip()
