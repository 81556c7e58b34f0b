"""
What is set for the embedded services: the table `[portal]`.
"""

import ipaddress
from typing import Any

from attrs import frozen

from tscm.base.host_port import HostPort
from tscm.base.server_addresses import PermittedServers
from tscm.settings import values
from tscm.settings.schema import setting


def server_or_network(value: Any) -> str:
    """A host name, an address, or a network in CIDR notation."""
    try:
        if isinstance(value, str) and "/" in value and "%" not in value:
            return str(ipaddress.ip_network(value.strip()))
        return values.address(value)
    except ValueError:
        raise values.refused(
            value,
            "is neither a host name nor an address nor a network",
            "lists.example, 192.0.2.10, 192.0.2.0/24",
        ) from None


@frozen(kw_only=True)
class PortalSettings:
    """`[portal]`: the embedded policy service and log service, in the manager's process."""

    dns: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses of the policy service; none disables it.",
    )
    logs: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses of the log service; none disables it.",
    )
    certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc=(
            "Certificate of the log service; if not set, one is created: "
            "/var/lib/tscm/portal/log-service.crt."
        ),
    )
    key: str | None = setting(values.optional(values.path), None, doc="Its key.")
    private_servers: tuple[str, ...] = setting(
        values.many(server_or_network),
        (),
        doc=(
            "Private servers that feeds of targets and imports of lists may be fetched from, "
            "by host name, address or network; feeds under [policy] need no such permission."
        ),
    )
    uploads_max_age_days: int = setting(
        values.whole(1, 3650),
        90,
        doc="Maximum age of uploads that the log service keeps; older ones are deleted.",
    )
    uploads_max_mb_per_device: int = setting(
        values.whole(64, 1 << 24),
        4096,
        doc=(
            "Maximum size that the log service keeps of a device; the oldest uploads are "
            "deleted first."
        ),
    )
    uploads_max_batches_per_device: int = setting(
        values.whole(100, 1_000_000),
        20_000,
        doc="Maximum number of uploads of a device, one file each; the oldest are deleted first.",
    )
    pairing: tuple[HostPort, ...] = setting(
        values.many(values.listen_address),
        (),
        doc="Listen addresses for managers that follow this portal (HTTPS); none disables it.",
    )
    pairing_url: str | None = setting(
        values.optional(values.web_url("https")),
        None,
        doc="URL at which managers reach that listener, where it is not its address.",
    )
    pairing_certificate: str | None = setting(
        values.optional(values.path),
        None,
        doc=(
            "Its certificate; if not set, one is created: /var/lib/tscm/portal/pairing.crt. Paired "
            "managers accept this certificate alone."
        ),
    )
    pairing_key: str | None = setting(values.optional(values.path), None, doc="Its key.")

    @property
    def permitted_servers(self) -> PermittedServers:
        """What may be asked for the feeds of targets, and for lists that are imported."""
        return PermittedServers.of(self.private_servers, "[portal] private_servers")
