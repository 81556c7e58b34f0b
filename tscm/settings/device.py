"""
Settings of one device of type `asarest`, in the order of the questions.

`Question` metadata (option, prompt words) lives with the command line; here stand the values,
their reading and their defaults.
"""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from tscm.base.secrets import Secret
from tscm.errors import Fault
from tscm.settings import values
from tscm.settings.schema import setting

DEFAULT_MAX_POLICY_SIZE = 8000
SECRETS = ("password", "log_proxy_password", "upload_key", "tsig_key")


def secret(value: object) -> Secret:
    """A secret that has been opened or just typed."""
    if isinstance(value, Secret):
        return value
    try:
        return Secret(values.text(value) or values.text(None))
    except ValueError:
        raise ValueError("what was given is no secret; allowed: one line of text") from None


@frozen(kw_only=True)
class DeviceSettings:
    """
    One device.  `name` is the file's name and not in the file.
    """

    name: str = setting(values.nickname, doc="Nickname.")
    type: str = setting(values.choice("asarest"), "asarest", doc="Type of the device.")
    device_id: str = setting(values.device_id, doc="Device ID (tdid)")
    device: str = setting(values.address, doc="Device Management IP address")
    block_list: str = setting(values.list_names, doc="Block list name")
    allow_list: str = setting(values.list_names, doc="Allow list name")
    prefix: str = setting(values.group_prefix, "ThreatSTOP", doc="Prefix of the object-groups")
    token_auth: bool = setting(values.yes_no, True, doc="Token Auth")
    allow_self_signed: bool = setting(
        values.yes_no, False, doc="Allow Self-Signed Certificates (not safe)"
    )
    max_policy_size: int = setting(
        values.whole(1, 10_000_000), DEFAULT_MAX_POLICY_SIZE, doc="Max Policy Size, entries"
    )
    send_logs: bool = setting(values.yes_no, True, doc="Send logs to ThreatSTOP?")
    username: str = setting(values.account, doc="Device username")
    password: Secret = setting(secret, doc="Device password")
    dns_port: int = setting(values.dns_port, 53, doc="DNS port, 53 or 5353")
    syslog_sources: tuple[str, ...] = setting(
        values.many(values.address), (), doc="Additional syslog source IP(s)"
    )
    log_rotate_size: int = setting(
        values.whole(50, 10_000_000), 100, doc="Log rotate size, KB; at most one segment a second"
    )
    policy_updates: bool = setting(values.yes_no, True, doc="Enable policy updates?")
    syslog_forward: bool = setting(values.yes_no, False, doc="Enable syslog forward?")
    forward_address: str | None = setting(
        values.optional(values.address), None, doc="Address of the SIEM"
    )
    forward_port: int = setting(values.port_number, 514, doc="Port of the SIEM")
    forward_protocol: str = setting(
        values.choice("UDP", "TCP", "TLS"), "UDP", doc="Protocol of the SIEM"
    )
    forward_mode: str = setting(
        values.choice("as-received", "header", "rfc5424"),
        "as-received",
        doc="Lines as received, with a header that names the sender where none does, or RFC 5424",
    )
    forward_framing: str = setting(
        values.choice("lf", "octets"), "lf", doc="Framing over TCP and TLS (RFC 6587)"
    )
    forward_ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the certificates of TLS targets"
    )
    forward_lines_per_second: int = setting(
        values.whole(0, 10_000_000), 20_000, doc="Bound on lines forwarded over UDP, 0 for none"
    )
    forward_resend_kb: int = setting(
        values.whole(0, 1 << 20), 1024, doc="Sent again at most after a reset of the connection, KB"
    )
    forward_also: tuple[str, ...] = setting(
        values.many(values.forward_url),
        (),
        doc="More targets, as tcp://address:port?mode=rfc5424&framing=octets",
    )
    backlog: str = setting(
        values.choice("keep", "drop"),
        "keep",
        doc="What waits for a target or the log service when it is taken away or moved: "
        "kept for its return or for the new place, or dropped",
    )
    log_proxy: str | None = setting(
        values.optional(values.proxy_url), None, doc="Log upload proxy, http://address:port"
    )
    log_proxy_user: str | None = setting(
        values.optional(values.text), None, doc="User at the log upload proxy"
    )
    log_proxy_password: Secret | None = setting(
        values.optional(secret), None, doc="Password at the log upload proxy"
    )
    ha_members: tuple[str, ...] = setting(values.many(values.address), (), doc="HA/cluster members")
    rest_url: str | None = setting(values.rest_url, None, doc="Custom REST API URL")
    object_group_size: int = setting(
        values.whole(1, 1_000_000), 10000, doc="Object-Group Size, CIDRs in a child"
    )
    ca_file: str | None = setting(
        values.optional(values.path), None, doc="CA file for the device's certificate"
    )
    fingerprint: str | None = setting(
        values.optional(values.fingerprint),
        None,
        doc="SHA-256 fingerprint of the device's certificate",
    )
    access_lists: tuple[str, ...] = setting(
        values.many(values.access_list),
        (),
        doc="Access-lists whose lines can be hits in reports, none for all",
    )
    tls_fingerprints: tuple[str, ...] = setting(
        values.fingerprints,
        (),
        doc="SHA-256 of the certificates of which the device's syslog over TLS must show one",
    )
    upload_key: Secret | None = setting(
        values.optional(secret), None, doc="Device key at the log service"
    )
    tsig_name: str | None = setting(
        values.optional(values.dns_name), None, doc="Name of the TSIG key"
    )
    tsig_key: Secret | None = setting(values.optional(secret), None, doc="TSIG key, base64")
    allow_special: bool = setting(
        values.yes_no, False, doc="Take private and other special space in lists"
    )
    entry: str | None = setting(
        values.optional(values.entry_id),
        None,
        doc="Permanent id of this entry, which marks its groups on the device; made by `add`, no option",
    )

    @property
    def api_url(self) -> str:
        """The REST API's root: the custom URL, or `https://ADDRESS/api`."""
        host = f"[{self.device}]" if ":" in self.device else self.device
        return self.rest_url or f"https://{host}/api"

    @property
    def endpoint(self) -> str:
        """Where the device is managed: host and port of `api_url`, each spelt in one way."""
        parts = urlsplit(self.api_url)
        host = (parts.hostname or "").rstrip(".")
        with suppress(ValueError):  # a name
            host = ip_address(host).compressed
        port = parts.port or (80 if parts.scheme == "http" else 443)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def senders(self) -> tuple[str, ...]:
        """Every address or name that this device's syslog may come from."""
        return tuple(dict.fromkeys((self.device, *self.syslog_sources, *self.ha_members)))

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """
        The management address and the HA members: they can stand for this device only.

        Additional sources may be relays that several devices share.
        """
        return tuple(dict.fromkeys((self.device, *self.ha_members)))


def disagreements(settings: DeviceSettings) -> list[Fault]:
    """What is right by itself and wrong together."""
    found = []
    if set(settings.block_list.split()) & set(settings.allow_list.split()):
        found.append(
            Fault(
                where="allow_list",
                wrong="it is the block list too, so nothing of it would ever be blocked",
                allowed="two different names",
            )
        )
    if settings.syslog_forward and settings.forward_address is None:
        found.append(
            Fault(
                where="forward_address",
                wrong="syslog forward is enabled and no address is set",
                allowed="the address of the SIEM",
            )
        )
    if settings.log_proxy is None and settings.log_proxy_user is not None:
        found.append(
            Fault(
                where="log_proxy_user",
                wrong="a user is set and no proxy",
                allowed="a log proxy with it, or none",
            )
        )
    if settings.log_proxy_user is None and settings.log_proxy_password is not None:
        found.append(
            Fault(
                where="log_proxy_password",
                wrong="a password is set and no user",
                allowed="a log proxy user with it, or none",
            )
        )
    if (settings.tsig_name is None) != (settings.tsig_key is None):
        found.append(
            Fault(
                where="tsig_name",
                wrong="a TSIG key has a name and a key, and one of them is not set",
                allowed="both or none",
            )
        )
    return found
