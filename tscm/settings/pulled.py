"""
What is set for every firewall that pulls its lists: the table `[lists]`.
"""

import ipaddress
import re
import secrets
from typing import Any, ClassVar

from attrs import frozen

from tscm.base.secrets import Secret
from tscm.settings import values
from tscm.settings.device import DeviceSettings, secret, secret_setting
from tscm.settings.schema import setting

_SECRET = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MASKED = re.compile(r"\*{8}|sealed:v1:.*")
_USER = re.compile(r"[!-9;-~]{1,64}")
MOST_MINUTES = 43_200
"""FortiOS takes no longer interval."""


def path_secret(value: Any) -> Secret:
    """The secret part of a path: what is safe in every URL and cannot be guessed."""
    found = secret(value)
    if not _SECRET.fullmatch(found.reveal()) and not _MASKED.fullmatch(found.reveal()):
        raise ValueError(
            "the value is not a secret part of a path; allowed: 16 to 64 letters, digits, '-' and '_'"
        )
    return found


def new_path_secret() -> str:
    """One that cannot be guessed: 160 bits."""
    return secrets.token_hex(20)


def pull_user(value: Any) -> str:
    """A user for Basic authentication (RFC 7617) as every consumer takes it; FortiOS takes 64 characters."""
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise values.refused(
            value, "is not a user", "1 to 64 printable characters without blanks and colons"
        )
    return value


def network(value: Any) -> str:
    """An address, or a network in CIDR notation."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ipaddress.ip_network(value.strip()))
    except ValueError:
        raise values.refused(
            value, "is not a network", "an address, or a network such as 192.0.2.0/24"
        ) from None


def size(default: int, most: int) -> Any:
    """Max Policy Size of a consumer that reads *most* entries."""
    return setting(values.whole(1, most), default, doc="Max Policy Size, entries")


def minutes(default: int) -> Any:
    """The interval of a consumer that usually comes every *default* minutes."""
    return setting(
        values.whole(1, MOST_MINUTES), default, doc="Interval at which the firewall pulls, minutes"
    )


@frozen(kw_only=True)
class PullSettings(DeviceSettings):
    """
    Every type that pulls: where its lists are served, to whom, and how often it comes.
    """

    TABLE: ClassVar[str] = "lists"
    BLOCK_FILES: ClassVar[tuple[str, ...]] = ("block.txt",)
    """Of these the firewall pulls one to block by: who has fetched one has the list."""
    ORDER: ClassVar[tuple[str, ...]] = (
        "name", "type", "device_id", "device", "block_list", "allow_list", "max_policy_size",
        "pull_minutes", "send_logs", "pull_user", "pull_password", "pull_sources", "pull_secret",
        "object_prefix", "dns_port", "syslog_sources", "log_rotate_size", "policy_updates",
        "syslog_forward", "forward", "backlog", "log_proxy", "log_proxy_user",
        "log_proxy_password", "ha_members",
    )  # fmt: skip

    max_policy_size: int = size(100_000, 1_000_000)
    pull_minutes: int = minutes(60)
    pull_secret: Secret | None = secret_setting(
        None,
        doc="Secret part of the path at which the lists are served; `add` generates one",
        read=path_secret,
        make=new_path_secret,
    )
    pull_user: str | None = setting(
        values.optional(pull_user), None, doc="User that the firewall must give (Basic)"
    )
    pull_password: Secret | None = secret_setting(None, doc="Password that the firewall must give")
    pull_sources: tuple[str, ...] = setting(
        values.many(network),
        (),
        doc="Networks from which the lists may be pulled; none allows all",
    )
    object_prefix: str = setting(
        values.nickname, "ThreatSTOP", doc="Prefix of the names of the lists on the firewall"
    )

    @property
    def place(self) -> tuple[object, ...]:
        """The address alone: nothing is kept on the firewall."""
        return (self.device,)


def pulling(settings: DeviceSettings) -> PullSettings:
    """*settings* of a device that pulls its lists."""
    assert isinstance(settings, PullSettings)
    return settings
