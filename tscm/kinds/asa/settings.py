"""
What is set for an ASA, whichever way leads to it: the table `[asa]`.  What each way over HTTPS has in its own table.
"""

from contextlib import suppress
from ipaddress import ip_address
from typing import ClassVar

from attrs import frozen

from tscm.base.secrets import Secret
from tscm.settings import values
from tscm.settings.device import DEFAULT_MAX_POLICY_SIZE, DeviceSettings, secret_setting
from tscm.settings.schema import setting


@frozen(kw_only=True)
class AsaSettings(DeviceSettings):
    """
    Object-groups, and the account that changes them.
    """

    TABLE: ClassVar[str] = "asa"

    username: str = setting(values.account, doc="Device username")
    password: Secret = secret_setting(doc="Device password")
    prefix: str = setting(values.group_prefix, "ThreatSTOP", doc="Prefix of the object-groups")
    max_policy_size: int = setting(
        values.whole(1, 10_000_000), DEFAULT_MAX_POLICY_SIZE, doc="Max Policy Size, entries"
    )
    object_group_size: int = setting(
        values.whole(1, 1_000_000), 10000, doc="Object-Group Size, CIDRs in a child"
    )
    access_lists: tuple[str, ...] = setting(
        values.many(values.access_list),
        (),
        doc="Access-lists whose lines can be hits in reports, none for all",
    )

    @property
    def own_names(self) -> str:
        """The prefix of the groups."""
        return self.prefix

    @property
    def group_size(self) -> int:
        """The Object-Group Size."""
        return self.object_group_size

    @property
    def firewall(self) -> tuple[object, ...]:
        """The address, and no context."""
        return self.device, None

    @property
    def account(self) -> tuple[object, ...]:
        """User and password."""
        return self.username, self.password


@frozen(kw_only=True)
class AsaHttpsSettings(AsaSettings):
    """
    The certificate that the web server must show; in the table of the way that leads to it.
    """

    allow_self_signed: bool = setting(
        values.yes_no, False, doc="Allow Self-Signed Certificates (not safe)"
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the device's certificate"
    )
    fingerprint: str | None = setting(
        values.optional(values.fingerprint),
        None,
        doc="SHA-256 fingerprint of the device's certificate",
    )

    @property
    def trust(self) -> tuple[object, ...]:
        """Which certificate is believed."""
        return self.fingerprint, self.ca_file, self.allow_self_signed

    @property
    def any_certificate(self) -> bool:
        """Is any believed?"""
        return self.allow_self_signed and self.fingerprint is None

    @property
    def https_port(self) -> int:
        """Where the web server listens."""
        return int(self.endpoint.rpartition(":")[2])


def in_url(host: str) -> str:
    """A name or an address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def host_and_port(host: str, port: int) -> str:
    """Both, each spelt in one way."""
    host = host.rstrip(".").lower()
    with suppress(ValueError):  # a name
        host = ip_address(host).compressed
    return f"{in_url(host)}:{port}"


def asa(settings: DeviceSettings) -> AsaSettings:
    """*settings* of a device that is an ASA."""
    assert isinstance(settings, AsaSettings)
    return settings


def asa_https(settings: DeviceSettings) -> AsaHttpsSettings:
    """*settings* of a device that is an ASA, reached over HTTPS."""
    assert isinstance(settings, AsaHttpsSettings)
    return settings
