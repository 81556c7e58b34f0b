"""
Where a device's lines are forwarded to, and how.
"""

from collections.abc import Iterable
from typing import Any

from attrs import evolve, field, frozen, validators

from tscm.settings.device import DeviceSettings
from tscm.settings.forward_target import FRAMINGS, MODES, PROTOCOLS, READER, ForwardTarget
from tscm.settings.forwarding import targets_of_urls


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
    return targets_of(settings).get(READER)


def targets_of(settings: DeviceSettings) -> dict[str, Target]:
    """
    All targets of a device, by the name of the reader that each has.
    """
    if not settings.syslog_forward:
        return {}
    return {one.reader: _target(one, one.address) for one in settings.forward if one.address}


def targets_at(urls: Iterable[str], **more: Any) -> dict[str, Target]:
    """Targets that are given as URLs, by the name of the reader that each has; *more* is the same for all."""
    more = {name: value for name, value in more.items() if value is not None}
    return {
        one.reader: evolve(_target(one, one.address), **more)
        for one in targets_of_urls(urls)
        if one.address
    }


def _target(one: ForwardTarget, address: str) -> Target:
    return Target(
        address=address,
        port=one.port,
        protocol=one.protocol,
        mode=one.mode,
        framing=one.framing,
        ca_file=one.ca_file,
        certificate=one.certificate,
        key=one.key,
        server_name=one.server_name,
        lines_per_second=one.lines_per_second,
        resend_bytes=one.resend_kb << 10,
    )
