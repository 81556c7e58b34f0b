"""
Settings that a device has whatever its kind.

Here stand the values, their reading and their defaults; those of a kind stand in its room
(`tscm.kinds`), how they are asked for in `tscm.kinds.questions`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs
from attrs import frozen

from tscm.base.secrets import Secret
from tscm.errors import Fault
from tscm.settings import values
from tscm.settings.forward_target import READER, ForwardTarget
from tscm.settings.forwarding import first_of
from tscm.settings.schema import setting

DEFAULT_MAX_POLICY_SIZE = 8000


def secret(value: object) -> Secret:
    """A secret that has been opened or just typed."""
    if isinstance(value, Secret):
        return value
    try:
        return Secret(values.text(value) or values.text(None))
    except ValueError:
        raise ValueError("the value is not a secret; allowed: one line of text") from None


def secret_setting(
    default: Any = attrs.NOTHING,
    *,
    doc: str,
    read: Callable[[Any], Secret] = secret,
    make: Callable[[], str] | None = None,
) -> Any:
    """
    A setting that is sealed in the file and never shown; one with a *default* may be absent.

    *make* gives the value of a device that is added without one.
    """
    taken = read if default is attrs.NOTHING else values.optional(read)
    return attrs.field(
        default=default, metadata={"read": taken, "doc": doc, "secret": True, "make": make}
    )


@frozen(kw_only=True)
class DeviceSettings:
    """
    What every kind of enforcement point has.  `name` is the file's name and not in the file.

    A kind adds its own by a class of its own (`tscm.settings.modules`).
    """

    TABLE: ClassVar[str] = ""
    """The table of a file in which the settings of a class stand; empty: at the top."""
    ORDER: ClassVar[tuple[str, ...]] = ()
    """The order of the questions and of `show`; what is not in it comes after that."""

    name: str = setting(values.nickname, doc="Nickname.")
    type: str = setting(values.text, doc="Type of the device.")
    device_id: str = setting(values.device_id, doc="Device ID (tdid)")
    device: str = setting(values.address, doc="Device Management IP address")
    block_list: str = setting(values.list_names, doc="Block list name")
    allow_list: str = setting(values.list_names, doc="Allow list name")
    send_logs: bool = setting(values.yes_no, True, doc="Send logs to ThreatSTOP?")
    dns_port: int = setting(values.dns_port, 53, doc="DNS port, 53 or 5353")
    syslog_sources: tuple[str, ...] = setting(
        values.many(values.address), (), doc="Additional syslog source IP(s)"
    )
    log_rotate_size: int = setting(
        values.whole(50, 10_000_000),
        100,
        doc="Log rotate size, KB; at most one segment a second, and 32 of all devices",
    )
    policy_updates: bool = setting(values.yes_no, True, doc="Enable policy updates?")
    syslog_forward: bool = setting(values.yes_no, False, doc="Enable syslog forward?")
    forward: tuple[ForwardTarget, ...] = setting(tuple, (), doc="Where lines are forwarded to")
    backlog: str = setting(
        values.choice("keep", "drop"),
        "keep",
        doc="Backlog of a target or log service that is removed or moved: kept for its return "
        "or its new place, or dropped",
    )
    log_proxy: str | None = setting(
        values.optional(values.proxy_url), None, doc="Log upload proxy, http://address:port"
    )
    log_proxy_user: str | None = setting(
        values.optional(values.text), None, doc="User at the log upload proxy"
    )
    log_proxy_password: Secret | None = secret_setting(None, doc="Password at the log upload proxy")
    ha_members: tuple[str, ...] = setting(values.many(values.address), (), doc="HA/cluster members")
    tls_fingerprints: tuple[str, ...] = setting(
        values.fingerprints,
        (),
        doc=(
            "SHA-256 fingerprints of certificates, one of which the device must present for "
            "syslog over TLS"
        ),
    )
    upload_key: Secret | None = secret_setting(None, doc="Device key at the log service")
    tsig_name: str | None = setting(
        values.optional(values.dns_name), None, doc="Name of the TSIG key"
    )
    tsig_key: Secret | None = secret_setting(None, doc="TSIG key, base64")
    allow_special: bool = setting(
        values.yes_no, False, doc="Accept private and other special address space in lists"
    )
    entry: str | None = setting(
        values.optional(values.entry_id),
        None,
        doc=(
            "Permanent ID of this entry, which marks its groups on the device; set by `add`, "
            "not an option"
        ),
    )

    @property
    def own_disagreements(self) -> tuple[Fault, ...]:
        """What a kind finds right by itself and wrong together."""
        return ()

    @property
    def max_policy_size(self) -> int:
        """How many entries of both lists go into force at most."""
        return DEFAULT_MAX_POLICY_SIZE

    @property
    def access_lists(self) -> tuple[str, ...]:
        """Access-lists whose lines can be hits in reports; none for all."""
        return ()

    @property
    def endpoint(self) -> str:
        """Where the device is managed; two of one endpoint are one firewall."""
        return self.device

    @property
    def firewall(self) -> tuple[object, ...]:
        """Which device it is, whichever way leads there: what is known of it stays true by another way."""
        return (self.device,)

    @property
    def managed_at(self) -> str:
        """`endpoint` in words."""
        return self.endpoint

    @property
    def own_names(self) -> str:
        """How the names begin of what the manager keeps on the device; empty where it keeps nothing there."""
        return ""

    @property
    def group_size(self) -> int:
        """How many entries stand in one piece on the device; 0 where they stand in one."""
        return 0

    @property
    def place(self) -> tuple[object, ...]:
        """All that decides which device is reached: where it changes, it may be another one."""
        return (self.device,)

    @property
    def account(self) -> tuple[object, ...]:
        """As whom the manager logs in."""
        return ()

    @property
    def trust(self) -> tuple[object, ...]:
        """By what the device is known to be the right one."""
        return ()

    @property
    def further_hosts(self) -> tuple[tuple[str, str], ...]:
        """Other hosts of the device, each with the option that names it."""
        return ()

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


def secrets_of(cls: type[DeviceSettings]) -> tuple[str, ...]:
    """Names of the settings that are sealed."""
    return tuple(one.name for one in attrs.fields(cls) if one.metadata.get("secret"))


def made_anew(cls: type[DeviceSettings]) -> Mapping[str, Callable[[], str]]:
    """Settings whose value is generated where none is given."""
    found = {one.name: one.metadata.get("make") for one in attrs.fields(cls)}
    return {name: make for name, make in found.items() if make is not None}


def disagreements(settings: DeviceSettings) -> list[Fault]:
    """What is right by itself and wrong together."""
    found = []
    first = first_of(settings.forward)
    address = None if first is None else first.address
    if set(settings.block_list.split()) & set(settings.allow_list.split()):
        found.append(
            Fault(
                where="allow_list",
                wrong="it is also the block list, so nothing in it would ever be blocked",
                allowed="two different names",
            )
        )
    if settings.syslog_forward and not address:
        found.append(
            Fault(
                where="forward_address",
                wrong="syslog forward is enabled but no address is set",
                allowed="the address of the SIEM",
            )
        )
    found += [
        Fault(
            where="forward_key" if one.reader == READER else "forward_also",
            wrong=f"the target at {one.place} has a key and no certificate",
            allowed="both, or a certificate whose file has its key",
        )
        for one in settings.forward
        if one.key is not None and one.certificate is None
    ]
    if settings.log_proxy is None and settings.log_proxy_user is not None:
        found.append(
            Fault(
                where="log_proxy_user",
                wrong="a user is set without a proxy",
                allowed="a log proxy as well, or neither",
            )
        )
    if settings.log_proxy_user is None and settings.log_proxy_password is not None:
        found.append(
            Fault(
                where="log_proxy_password",
                wrong="a password is set without a user",
                allowed="a log proxy user as well, or neither",
            )
        )
    if (settings.tsig_name is None) != (settings.tsig_key is None):
        found.append(
            Fault(
                where="tsig_name",
                wrong="a TSIG key needs both a name and a key, but one is missing",
                allowed="both or neither",
            )
        )
    return [*found, *settings.own_disagreements]
