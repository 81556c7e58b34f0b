"""
Where a device's lines are forwarded to, and how.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

from attrs import field, frozen, validators

from tscm.settings.device import DeviceSettings

READER = "forward"
PROTOCOLS = ("UDP", "TCP", "TLS")
MODES = ("as-received", "header", "rfc5424")
FRAMINGS = ("lf", "octets")


@frozen(kw_only=True)
class Target:
    """
    One receiver of syslog, a SIEM as a rule.

    *mode* is what a line looks like when it arrives there: `as-received`, `header` (a syslog header
    of our own where the line has none) or `rfc5424` (RFC 5424 with the origin as structured
    data).  *framing* counts for TCP and TLS only: `lf` (RFC 6587, 3.4.2) or `octets` (RFC 6587, 3.4.1;
    RFC 5425).

    *resend_bytes* and *resend_seconds* bound what is sent again after a connection was reset: what
    the peer's kernel had taken, but its program perhaps not.  *lines_per_second* bounds UDP,
    where nothing tells the sender that the receiver cannot keep up; 0 takes the bound away.
    """

    address: str
    port: int
    protocol: str = field(default="UDP", validator=validators.in_(PROTOCOLS))
    mode: str = field(default="as-received", validator=validators.in_(MODES))
    framing: str = field(default="lf", validator=validators.in_(FRAMINGS))
    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None
    resend_bytes: int = field(default=1 << 20, validator=validators.ge(0))
    resend_seconds: float = field(default=30.0, validator=validators.ge(0))
    lines_per_second: int = field(default=20_000, validator=validators.ge(0))
    connect_seconds: float = field(default=10.0, validator=validators.gt(0))
    silence_seconds: float = field(default=60.0, validator=validators.gt(0))

    @property
    def place(self) -> tuple[str, int]:
        """Where it is, however it is spoken to."""
        return self.address, self.port

    def __str__(self) -> str:
        """As an error or a table shows it: `TCP 192.0.2.9:514`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol} {host}:{self.port}"


def target_of(settings: DeviceSettings) -> Target | None:
    """The first target of a device's settings; None where forwarding is off."""
    if not settings.syslog_forward or settings.forward_address is None:
        return None
    return Target(
        address=settings.forward_address,
        port=settings.forward_port,
        protocol=settings.forward_protocol,
        mode=settings.forward_mode,
        framing=settings.forward_framing,
        **_shared(settings),
    )


def targets_of(settings: DeviceSettings) -> dict[str, Target]:
    """
    All targets of a device, by the name of the reader that each has.

    A further target's reader is named for its place, so that neither another order in the
    settings nor another mode changes anything; of several at one place, those after the first are
    named for all that they are.
    """
    first = target_of(settings)
    if first is None:
        return {}
    return {READER: first, **targets_at(settings.forward_also, **_shared(settings))}


def targets_at(urls: Iterable[str], **more: Any) -> dict[str, Target]:
    """Targets that are given as `forward_url`s, by the name of the reader that each has; *more* is the same for all."""
    found: dict[str, Target] = {}
    for text in urls:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query))
        name = f"{READER}-{crc32(parts.netloc.encode()):08x}"
        if name in found:
            name = f"{READER}-{crc32(text.encode()):08x}"
        found[name] = Target(
            address=parts.hostname or "",
            port=parts.port or 0,
            protocol=parts.scheme.upper(),
            mode=options.get("mode", "as-received"),
            framing=options.get("framing", "lf"),
            **more,
        )
    return found


def _shared(settings: DeviceSettings) -> dict[str, Any]:
    return {
        "ca_file": settings.forward_ca_file,
        "lines_per_second": settings.forward_lines_per_second,
        "resend_bytes": settings.forward_resend_kb << 10,
    }
