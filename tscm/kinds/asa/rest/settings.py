"""
What is set for an ASA that is reached by its REST API agent: the table `[asarest]`.
"""

from typing import ClassVar
from urllib.parse import urlsplit

from attrs import frozen

from tscm.kinds.asa.settings import AsaHttpsSettings, host_and_port, in_url
from tscm.settings import values
from tscm.settings.device import DeviceSettings
from tscm.settings.schema import setting


@frozen(kw_only=True)
class AsaRestSettings(AsaHttpsSettings):
    """
    The way to the agent, and the certificate that it must show.
    """

    TABLE: ClassVar[str] = "asarest"
    ORDER: ClassVar[tuple[str, ...]] = (
        "name", "type", "device_id", "device", "block_list", "allow_list", "prefix", "token_auth",
        "allow_self_signed", "max_policy_size", "send_logs", "username", "password", "dns_port",
        "syslog_sources", "log_rotate_size", "policy_updates", "syslog_forward", "forward",
        "backlog", "log_proxy", "log_proxy_user", "log_proxy_password", "ha_members", "rest_url",
        "object_group_size", "ca_file", "fingerprint", "access_lists",
    )  # fmt: skip

    type: str = setting(values.choice("asarest"), "asarest", doc="Type of the device.")
    token_auth: bool = setting(values.yes_no, True, doc="Token Auth")
    rest_url: str | None = setting(values.rest_url, None, doc="Custom REST API URL")

    @property
    def api_url(self) -> str:
        """The REST API's root: the custom URL, or `https://ADDRESS/api`."""
        return self.rest_url or f"https://{in_url(self.device)}/api"

    @property
    def endpoint(self) -> str:
        """Where the device is managed: host and port of `api_url`, each spelt in one way."""
        parts = urlsplit(self.api_url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        return host_and_port(parts.hostname or "", port)

    @property
    def managed_at(self) -> str:
        """`endpoint` in words."""
        return f"REST API at {self.endpoint}"

    @property
    def place(self) -> tuple[object, ...]:
        """The address, and the URL where there is one."""
        return self.device, self.rest_url

    @property
    def further_hosts(self) -> tuple[tuple[str, str], ...]:
        """The host of the custom URL."""
        host = urlsplit(self.rest_url).hostname if self.rest_url else None
        return () if host is None else ((host, "--rest_url"),)


def asa_rest(settings: DeviceSettings) -> AsaRestSettings:
    """*settings* of a device of this kind."""
    assert isinstance(settings, AsaRestSettings)
    return settings
