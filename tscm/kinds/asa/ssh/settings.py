"""
What is set for an ASA that is reached by its command line over SSH: the table `[ssh]`.
"""

import re
from typing import Any, ClassVar

from attrs import field, frozen

from tscm.base.secrets import Secret
from tscm.errors import Fault
from tscm.kinds.asa.settings import AsaSettings, in_url
from tscm.kinds.asa.ssh.keys import private_key
from tscm.kinds.asa.ssh.openssh import FINGERPRINT
from tscm.settings import values
from tscm.settings.device import DeviceSettings, secret, secret_setting
from tscm.settings.schema import setting

_CONTEXT = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_MOST_PROMPT = 80


def host_key(value: Any) -> str:
    """SHA-256 of a host key as `ssh` and `ssh-keygen -l` print it."""
    text = value.strip() if isinstance(value, str) else ""
    text = text.removesuffix("=")
    if not FINGERPRINT.fullmatch(text):
        raise values.refused(
            value,
            "is not a SHA-256 fingerprint of a host key",
            "SHA256: and 43 characters, as `ssh` prints it",
        )
    return text


def context(value: Any) -> str:
    """The name of a security context."""
    if not isinstance(value, str) or not _CONTEXT.fullmatch(value):
        raise values.refused(
            value, "is not a context name", "up to 32 letters, digits, `_`, `.` and `-`"
        )
    return value


def password_prompt(value: Any) -> str:
    """What the device prints before it reads the enable password."""
    if (
        not isinstance(value, str)
        or not value.strip()
        or not value.isprintable()
        or len(value) > _MOST_PROMPT
    ):
        raise values.refused(
            value,
            "is not a prompt",
            f"one line of up to {_MOST_PROMPT} characters, such as Password:",
        )
    return value.strip()


def password(value: Any) -> Secret:
    """The password of the account, or nothing where a key is used."""
    return Secret("") if value in (None, "") else secret(value)


@frozen(kw_only=True)
class AsaSshSettings(AsaSettings):
    """
    The way to the command line, and the host keys of which the device must show one.
    """

    TABLE: ClassVar[str] = "ssh"
    ORDER: ClassVar[tuple[str, ...]] = (
        "name", "type", "device_id", "device", "block_list", "allow_list", "prefix",
        "max_policy_size", "send_logs", "ssh_port", "username", "password", "ssh_key", "enable_password",
        "password_prompt", "context", "host_key", "ssh_old_algorithms", "dns_port",
        "syslog_sources", "log_rotate_size", "policy_updates", "syslog_forward", "forward",
        "backlog", "log_proxy", "log_proxy_user", "log_proxy_password", "ha_members",
        "object_group_size", "access_lists",
    )  # fmt: skip

    type: str = setting(values.choice("asa"), "asa", doc="Type of the device.")
    password: Secret = field(
        default=Secret(""),
        metadata={
            "read": password,
            "doc": "Device password, or none with `ssh_key`",
            "secret": True,
        },
    )
    ssh_key: Secret | None = field(
        default=None,
        metadata={
            "read": values.optional(private_key),
            "doc": "Private key of the account, without a passphrase, instead of a password",
            "secret": True,
            "lines": True,
        },
    )
    ssh_port: int = setting(values.whole(1, 65535), 22, doc="SSH port")
    enable_password: Secret | None = secret_setting(
        None, doc="Enable password, for a login that does not land in privileged mode"
    )
    password_prompt: str = setting(
        password_prompt,
        "Password:",
        doc="Prompt that the device prints before it reads the enable password",
    )
    context: str | None = setting(
        values.optional(context), None, doc="Security context to change to after the login"
    )
    host_key: tuple[str, ...] = setting(
        values.many(host_key),
        (),
        doc="SHA-256 of the host keys of which the device must show one; several for the units of a pair",
    )
    ssh_old_algorithms: bool = setting(
        values.yes_no,
        False,
        doc="Allow SSH key exchanges, ciphers and signatures that are no longer secure, for ASAs before 9.16",
    )

    @property
    def endpoint(self) -> str:
        """Address, port and context."""
        return f"{in_url(self.device)}:{self.ssh_port}" + (
            f"/{self.context}" if self.context else ""
        )

    @property
    def managed_at(self) -> str:
        """`endpoint` in words."""
        return f"SSH at {self.endpoint}"

    @property
    def place(self) -> tuple[object, ...]:
        """Address, port and context."""
        return self.device, self.ssh_port, self.context

    @property
    def firewall(self) -> tuple[object, ...]:
        """Address and context."""
        return self.device, self.context

    @property
    def account(self) -> tuple[object, ...]:
        """User, key and both passwords."""
        return self.username, self.password, self.ssh_key, self.enable_password

    @property
    def own_disagreements(self) -> tuple[Fault, ...]:
        """There must be something to log in with."""
        if self.password or self.ssh_key:
            return ()
        return (
            Fault(
                where="password",
                wrong="neither a password nor a key is set, so the manager cannot log in",
                allowed="a password, or a private key (--ssh_key_file)",
            ),
        )

    @property
    def trust(self) -> tuple[object, ...]:
        """Which host keys are believed."""
        return (self.host_key,)


def asa_ssh(settings: DeviceSettings) -> AsaSshSettings:
    """*settings* of a device of this kind."""
    assert isinstance(settings, AsaSshSettings)
    return settings
