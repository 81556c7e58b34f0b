"""
What is set for an ASA that is reached by its HTTP interface: the table `[asahttp]`.
"""

import re
from typing import Any, ClassVar

from attrs import frozen

from tscm.kinds.asa.settings import AsaHttpsSettings, host_and_port, in_url
from tscm.settings import values
from tscm.settings.device import DeviceSettings
from tscm.settings.schema import setting

USER_AGENT = "ASDM"
"""One of the three that an ASA lets log in by Basic unless it is told otherwise (docs/develop/asa.md, section 1)."""
_AGENT = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")


def user_agent(value: Any) -> str:
    """A User-Agent as it may stand in a header."""
    if not isinstance(value, str) or not _AGENT.fullmatch(value):
        raise values.refused(
            value, "is not a User-Agent", "up to 64 printable ASCII characters, such as ASDM"
        )
    return value


@frozen(kw_only=True)
class AsaHttpSettings(AsaHttpsSettings):
    """
    The way to the HTTP interface, and the certificate that it must show.
    """

    TABLE: ClassVar[str] = "asahttp"
    ORDER: ClassVar[tuple[str, ...]] = (
        "name", "type", "device_id", "device", "block_list", "allow_list", "prefix",
        "allow_self_signed", "max_policy_size", "send_logs", "http_port", "user_agent", "username",
        "password", "dns_port", "syslog_sources", "log_rotate_size", "policy_updates",
        "syslog_forward", "forward", "backlog", "log_proxy", "log_proxy_user",
        "log_proxy_password", "ha_members", "object_group_size", "ca_file", "fingerprint",
        "access_lists",
    )  # fmt: skip

    type: str = setting(values.choice("asahttp"), "asahttp", doc="Type of the device.")
    http_port: int = setting(
        values.whole(1, 65535), 443, doc="HTTPS port, as in `http server enable PORT`"
    )
    user_agent: str = setting(
        user_agent,
        USER_AGENT,
        doc="User-Agent, one that the device's `http server basic-auth-client` lines allow",
    )

    @property
    def root(self) -> str:
        """The web server's root URL."""
        port = "" if self.http_port == 443 else f":{self.http_port}"
        return f"https://{in_url(self.device)}{port}"

    @property
    def endpoint(self) -> str:
        """Address and port."""
        return host_and_port(self.device, self.http_port)

    @property
    def managed_at(self) -> str:
        """`endpoint` in words."""
        return f"HTTP interface at {self.endpoint}"

    @property
    def place(self) -> tuple[object, ...]:
        """Address and port."""
        return self.device, self.http_port


def asa_http(settings: DeviceSettings) -> AsaHttpSettings:
    """*settings* of a device of this kind."""
    assert isinstance(settings, AsaHttpSettings)
    return settings
